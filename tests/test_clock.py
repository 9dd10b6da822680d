import time

import torch

from covidlib.clock import own_clock, wait


def test_on_a_cpu_only_this_process_counts():
    clock = own_clock(torch.device("cpu"))
    start = clock()
    time.sleep(0.2)
    slept = clock() - start
    while clock() - start < slept + 0.05:
        pass
    assert slept < 0.1
    wait(torch.device("cpu"))  # nothing is queued


def test_on_a_gpu_it_is_the_clock_on_the_wall():
    assert own_clock(torch.device("cuda")) is time.perf_counter
