import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import covidlib
from covidlib.data import cache_building
from covidlib.data.cache import Cached, build_cache
from covidlib.data.cache_manifest import damaged
from covidlib.data.decoding import read_grey
from covidlib.data.dicom import MissingExtra
from covidlib.data.preprocessing import Preprocessing, prepare, prepare_mask
from covidlib.data.table import COLUMNS, Dataset
from covidlib.errors import DataError, UnreadableImages
from covidlib.paths import cache_root

SMALL = Preprocessing(size=16)


def dataset(folder: Path, images: list[np.ndarray], lungs=None, lesions=None) -> Dataset:
    """Write images (and masks, None where unknown) and return their table."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame({c: pd.array([pd.NA] * len(images), "string") for c in COLUMNS})
    for row, image in enumerate(images):
        # Names against the order of rows, so that sorting would show.
        name = f"{len(images) - row:03d}.png"
        Image.fromarray(image).save(folder / name)
        table.loc[row, ["sample", "path"]] = name, str(folder / name)
        for column, masks in (("lung_mask", lungs), ("lesion_mask", lesions)):
            if masks is not None and masks[row] is not None:
                path = folder / f"{column}-{name}"
                Image.fromarray(masks[row].astype(np.uint8) * 255).save(path)
                table.loc[row, column] = str(path)
    return Dataset("drawn", table, ("a", "b"))


def noise(count: int, shape=(40, 50), seed=0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, shape, np.uint8) for _ in range(count)]


@pytest.fixture
def drawn(tmp_path) -> Dataset:
    return dataset(tmp_path / "drawn", noise(7))


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIDLIB_CACHE", str(tmp_path / "cache"))


def entries() -> list[str]:
    return sorted(path.name for path in (cache_root() / "images").glob("*") if path.is_dir())


# --- a data set --------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [None, 1, 2])
def test_rows_are_the_prepared_images_in_table_order(drawn, monkeypatch, workers):
    monkeypatch.setattr(cache_building, "CHUNK", 2)
    cached = build_cache(drawn, SMALL, workers=workers)
    assert cached.images.dtype == np.uint8
    assert isinstance(cached.images, np.memmap)
    for row, path in enumerate(drawn.table["path"]):
        np.testing.assert_array_equal(cached.images[row], prepare(read_grey(path), SMALL))
    pd.testing.assert_frame_equal(cached.table, drawn.table)
    assert cached.skipped == ()
    assert cached.lungs is cached.lesions is None
    with pytest.raises(ValueError, match="read-only"):
        cached.images[0] = 0


def test_another_process_opens_the_files_instead_of_receiving_their_pixels(drawn):
    cached = build_cache(drawn, Preprocessing(size=256))
    sent = pickle.dumps(cached)
    assert len(sent) < cached.images.nbytes / 8
    there = pickle.loads(sent)
    assert isinstance(there.images, np.memmap) and there.images.filename == cached.images.filename
    np.testing.assert_array_equal(there.images, cached.images)
    pd.testing.assert_frame_equal(there.table, cached.table)
    assert there.lungs is None and there.folder == cached.folder
    with pytest.raises(ValueError, match="read-only"):
        there.images[0] = 0


def test_sixteen_bit_images_follow_the_window(tmp_path):
    deep = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    set_ = dataset(tmp_path / "deep", [deep, deep // 16])
    with pytest.raises(UnreadableImages, match="nearly uniform"):
        build_cache(set_, SMALL)
    cached = build_cache(set_, replace(SMALL, window="minmax"))
    np.testing.assert_array_equal(cached.images[0], np.rint(deep / 257))
    assert np.abs(cached.images[1].astype(int) - cached.images[0]).max() <= 1


def test_a_second_call_opens_what_the_first_built(drawn):
    first = build_cache(drawn, SMALL)
    stamp = (first.folder / "images.npy").stat()
    second = build_cache(drawn, SMALL, unreadable="skip", verify=True)
    assert second.folder == first.folder
    assert (second.folder / "images.npy").stat() == stamp
    assert entries() == [first.folder.name]


def test_labels_and_splits_share_arrays_but_content_order_and_settings_do_not(drawn):
    first = build_cache(drawn, SMALL)
    fold = replace(drawn, table=drawn.table.assign(split="train", label="b"))
    shared = build_cache(fold, SMALL)
    assert shared.folder == first.folder
    assert (shared.table["split"] == "train").all()

    turned = replace(drawn, table=drawn.table[::-1])
    backwards = build_cache(turned, SMALL)
    np.testing.assert_array_equal(backwards.images, first.images[::-1])
    assert list(backwards.table["sample"]) == list(drawn.table["sample"])[::-1]

    settings = [replace(SMALL, fit="pad"), replace(SMALL, size=24), replace(SMALL, window="minmax")]
    others = {build_cache(drawn, other).folder for other in settings}
    Image.fromarray(np.full((40, 50), 3, np.uint8)).save(drawn.table["path"][4])
    changed = build_cache(replace(drawn), SMALL)
    assert (changed.images[4] == 3).all()
    assert len({first.folder, backwards.folder, changed.folder} | others) == 6


def test_masks_are_aligned_and_absent_ones_are_flagged(tmp_path):
    rows, columns = np.mgrid[:40, :50]
    lungs = [columns < 20, None, np.zeros((40, 50), bool), rows[::2, ::2] < 10]
    lesions = [None, None, rows > 30, None]
    set_ = dataset(tmp_path / "masked", noise(4), lungs, lesions)
    cached = build_cache(set_, SMALL, masks=True)
    assert cached.has_lung.tolist() == [True, False, True, True]
    assert cached.has_lesion.tolist() == [False, False, True, False]
    for row in (0, 2, 3):
        np.testing.assert_array_equal(cached.lungs[row], prepare_mask(lungs[row], SMALL))
    np.testing.assert_array_equal(cached.lesions[2], prepare_mask(lesions[2], SMALL))
    assert cached.lungs.dtype == cached.lesions.dtype == np.uint8
    assert build_cache(set_, SMALL).lungs is None


def test_the_lung_mask_is_applied_and_its_absence_is_a_problem(tmp_path):
    half = np.zeros((40, 50), bool)
    half[:, :25] = True
    set_ = dataset(tmp_path / "masked", noise(3), [half, None, np.zeros_like(half)])
    settings = replace(SMALL, apply_lung_mask=True)
    with pytest.raises(UnreadableImages, match="2 files") as error:
        build_cache(set_, settings)
    assert "002.png" in str(error.value)
    assert "001.png" in str(error.value)
    cached = build_cache(set_, settings, unreadable="skip")
    assert list(cached.table["sample"]) == ["003.png"]
    assert (cached.images[0][:, 8:] == 0).all()
    assert (cached.images[0][:, :8] > 0).any()


def spoil(set_: Dataset) -> dict[int, str]:
    """Break four rows in four ways; return what is said of each."""
    paths = [Path(path) for path in set_.table["path"]]
    paths[1].write_bytes(paths[1].read_bytes()[:400])
    paths[2].write_bytes(b"")
    Image.new("1", (50, 40)).rotate(90, expand=True).save(paths[4].with_name("turned.png"))
    set_.table.loc[4, "lung_mask"] = str(paths[4].with_name("turned.png"))
    paths[5].unlink()
    return {1: "Truncated", 2: "empty file", 4: "(40, 50) pixels for", 5: "no such file"}


def test_bad_files_stop_the_build_together_before_anything_is_kept(drawn):
    said = spoil(drawn)
    with pytest.raises(UnreadableImages) as error:
        build_cache(drawn, SMALL, masks=True)
    assert str(error.value).startswith("4 files")
    for row, text in said.items():
        assert drawn.table["path"][row] in str(error.value)
        assert text in str(error.value)
    Image.fromarray(noise(1)[0]).save(drawn.table["path"][5])
    for _ in range(2):  # the second time from the record of the first
        with pytest.raises(UnreadableImages, match="3 files") as error:
            build_cache(replace(drawn), SMALL, masks=True)
        assert all(said[row] in str(error.value) for row in (1, 2, 4))


@pytest.mark.parametrize("workers", [1, 2])
def test_skipping_leaves_rows_out_with_a_record(drawn, monkeypatch, workers):
    monkeypatch.setattr(cache_building, "CHUNK", 2)
    whole = build_cache(drawn, SMALL).images
    said = spoil(drawn)
    for _ in range(2):
        cached = build_cache(
            replace(drawn), SMALL, masks=True, unreadable="skip", workers=workers, verify=True
        )
        assert list(cached.table["sample"]) == list(drawn.table["sample"][[0, 3, 6]])
        np.testing.assert_array_equal(cached.images, whole[[0, 3, 6]])
        reasons = {str(problem.path): problem.reason for problem in cached.skipped}
        assert set(reasons) == set(drawn.table["path"][list(said)])
        assert all(text in reasons[drawn.table["path"][row]] for row, text in said.items())
        assert len(cached.lungs) == len(cached.has_lung) == 3


def test_nothing_left_is_an_error_even_when_skipping(drawn):
    for path in drawn.table["path"]:
        Path(path).write_bytes(b"no image")
    with pytest.raises(UnreadableImages, match="7 files"):
        build_cache(drawn, SMALL, unreadable="skip")
    for path in drawn.table["path"]:
        Path(path).unlink()
    with pytest.raises(UnreadableImages, match="no such file"):
        build_cache(replace(drawn), SMALL, unreadable="skip")
    with pytest.raises(DataError, match="holds no image"):
        build_cache(replace(drawn, table=drawn.table[:0]), SMALL)
    with pytest.raises(DataError, match="stop"):
        build_cache(drawn, SMALL, unreadable="ignore")


# --- damage, death and company -----------------------------------------------------------------


def flip(path: Path, position: int) -> None:
    with open(path, "r+b") as file:
        file.seek(position, os.SEEK_END if position < 0 else os.SEEK_SET)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("position", [3, 70, 128, 700, -1])
def test_a_flipped_byte_is_found_by_verifying_and_built_again(drawn, position):
    cached = build_cache(drawn, SMALL)
    expected = np.array(cached.images)
    assert damaged(cached.folder) == []
    flip(cached.folder / "images.npy", position)
    assert damaged(cached.folder) == ["images.npy"]
    repaired = build_cache(drawn, SMALL, verify=True)
    np.testing.assert_array_equal(repaired.images, expected)
    assert damaged(repaired.folder) == []
    assert entries() == [repaired.folder.name]


@pytest.mark.parametrize("harm", ["shorter", "longer", "gone", "shape", "manifest", "no manifest"])
def test_coarse_damage_is_found_without_verifying(drawn, harm):
    cached = build_cache(drawn, SMALL)
    expected = np.array(cached.images)
    file, manifest = cached.folder / "images.npy", cached.folder / "manifest.json"
    if harm == "shorter":
        os.truncate(file, file.stat().st_size - 1)
    elif harm == "longer":
        os.truncate(file, file.stat().st_size + 1)
    elif harm == "gone":
        file.unlink()
    elif harm == "shape":
        file.write_bytes(file.read_bytes().replace(b"(7, 16, 16)", b"(7, 16, 15)"))
    elif harm == "manifest":
        flip(manifest, -40)
    else:
        manifest.unlink()
    np.testing.assert_array_equal(build_cache(drawn, SMALL).images, expected)
    assert damaged(cached.folder) == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MissingExtra("x"), OSError("disk full")])
def test_a_build_that_stops_leaves_nothing_behind(drawn, monkeypatch, failure):
    def stop(*_):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(cache_building, "prepare", stop)
        with pytest.raises(type(failure) if isinstance(failure, Exception) else failure):
            build_cache(drawn, SMALL)
    assert entries() == []
    assert len(build_cache(drawn, SMALL).images) == 7


def test_no_progress_bar_where_nobody_looks(drawn, capfd):
    build_cache(drawn, SMALL)
    assert capfd.readouterr() == ("", "")


BUILDER = """
import json, logging, os, shutil, signal, sys
from pathlib import Path
import pandas as pd
from covidlib.data import cache, cache_building, cache_manifest
from covidlib.data.preprocessing import Preprocessing
from covidlib.data.table import Dataset

logging.basicConfig(level=logging.INFO)
drawn = Dataset("drawn", pd.read_pickle(sys.argv[1]), ("a", "b"))
settings = Preprocessing(size=16)
cache_building.CHUNK = 2
"""


def start(drawn: Dataset, tmp_path: Path, script: str) -> subprocess.Popen:
    drawn.table.to_pickle(tmp_path / "table.pickle")
    environment = {**os.environ, "PYTHONPATH": str(Path(covidlib.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER + script, str(tmp_path / "table.pickle")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_two_builders_at_once_build_once(tmp_path):
    drawn = dataset(tmp_path / "many", noise(60, (200, 200)))
    meet = """
import time
print("ready", flush=True)
while not os.path.exists(sys.argv[1] + ".go"):
    time.sleep(0.001)
cached = cache.build_cache(drawn, settings, workers=1, verify=True)
print(cached.images.sum(), cache_manifest.damaged(cached.folder))
"""
    builders = [start(drawn, tmp_path, meet) for _ in range(3)]
    for builder in builders:
        assert builder.stdout.readline() == "ready\n"
    (tmp_path / "table.pickle.go").touch()
    results = [builder.communicate(timeout=60) for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0, 0], results
    assert sum(errors.count(":built ") for _, errors in results) == 1
    assert len({output for output, _ in results}) == 1
    assert len(entries()) == 1


KILLED_EVERYWHERE = """
# Death comes before or after each of these: what changes the disk, and the steps between.
CALLS = {os.mkdir, os.rename, os.replace, os.fsync, os.unlink, os.rmdir, os.posix_fallocate}
FILES = {module.__file__ for module in (cache_building, cache_manifest)}
STEPS = {"_fill_rows", "_drop_rows", "_describe"}

def die_at(number):
    seen = 0
    def count(frame, event, call):
        nonlocal seen
        step = frame.f_code.co_name in STEPS and frame.f_code.co_filename in FILES
        if call in CALLS if event.startswith("c_") else step:
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(count)

deaths, states = 0, set()
while True:
    if damage:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        with open(folder / "images.npy", "r+b") as file:
            file.seek(200)
            file.write(b"damage")
    child = os.fork()
    if child == 0:
        die_at(deaths + 1)
        cache.build_cache(drawn, settings, workers=1, verify=True)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    deaths += 1
    state = "absent" if not folder.exists() else ",".join(cache_manifest.damaged(folder)) or "whole"
    states.add(state)
print(deaths, json.dumps(sorted(states)))
"""


@pytest.mark.parametrize("damage", [False, True])
def test_killed_at_every_step_the_cache_is_absent_or_whole(tmp_path, damage):
    drawn = dataset(tmp_path / "few", noise(3))
    reference = build_cache(drawn, SMALL)
    expected, folder = np.array(reference.images), reference.folder
    folder.rename(tmp_path / "aside")
    script = (
        f"folder, aside, damage = Path({str(folder)!r}), {str(tmp_path / 'aside')!r}, {damage}\n"
    )
    output, errors = start(drawn, tmp_path, script + KILLED_EVERYWHERE).communicate(timeout=100)
    assert output, errors
    deaths, states = output.split(maxsplit=1)
    assert int(deaths) > 20
    # Damage that was there stays until the whole repair replaces it.
    assert set(json.loads(states)) == {"absent", "whole", *["images.npy"] * damage}
    assert damaged(folder) == []
    np.testing.assert_array_equal(build_cache(drawn, SMALL).images, expected)
    assert entries() == [folder.name]


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_while_decoding_the_next_builder_takes_over_at_once(tmp_path, workers):
    drawn = dataset(tmp_path / "many", noise(120, (300, 300)))
    script = f"cache.build_cache(drawn, settings, workers={workers})"
    builders = []
    try:
        for _ in range(2):
            builders.append(start(drawn, tmp_path, script))
            kill_once_decoding(builders[-1])
            assert entries()
            assert all(".partial-" in name for name in entries())
        begun = time.monotonic()
        cached = build_cache(drawn, SMALL, workers=1)
        assert time.monotonic() - begun < 30
    finally:
        for builder in builders:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(builder.pid, signal.SIGKILL)  # workers that outlived it
    assert entries() == [cached.folder.name]
    check_rows(cached, drawn)


def kill_once_decoding(builder: subprocess.Popen) -> None:
    before = set(partial_arrays())
    deadline = time.monotonic() + 60
    while not any(part.read_bytes()[128:].strip(b"\0") for part in partial_arrays() - before):
        assert time.monotonic() < deadline
        assert builder.poll() is None, builder.communicate()
        time.sleep(0.002)
    os.kill(builder.pid, signal.SIGKILL)
    builder.wait()


def partial_arrays() -> set[Path]:
    return set((cache_root() / "images").glob("*.partial-*/images.npy"))


def check_rows(cached: Cached, drawn: Dataset) -> None:
    for row, path in enumerate(drawn.table["path"]):
        np.testing.assert_array_equal(cached.images[row], prepare(read_grey(path), SMALL))
    assert damaged(cached.folder) == []


# --- real images -------------------------------------------------------------------------------


def test_covid_ct_is_cached_whole(real_data):
    folder = real_data / "covid-ct" / "Images-processed"
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))
    table = pd.DataFrame({c: pd.array([pd.NA] * len(paths), "string") for c in COLUMNS})
    table["sample"] = [path.relative_to(folder).as_posix() for path in paths]
    table["path"] = [str(path) for path in paths]
    cached = build_cache(Dataset("covid-ct", table, ("NonCOVID", "COVID")), Preprocessing(size=64))
    assert cached.images.shape == (746, 64, 64)
    assert cached.skipped == ()
    # Every slice shows something, and its mean grey survives the resizing.
    assert cached.images.reshape(746, -1).std(axis=1).min() > 10
    for row in range(0, 746, 50):
        assert abs(cached.images[row].mean() - read_grey(paths[row]).mean()) < 1.5


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_colour_is_each_channel_prepared_alone(tmp_path, fit):
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(3)]
    settings = Preprocessing(size=24, fit=fit, colour=True)
    cached = build_cache(dataset(tmp_path / "set", images), settings, workers=1)
    assert cached.images.shape == (3, 3, 24, 24) and cached.images.dtype == np.uint8
    for row, image in zip(cached.images, images, strict=True):
        for channel in range(3):
            alone = prepare(image[..., channel], replace(settings, colour=False))
            np.testing.assert_array_equal(row[channel], alone)
    again = build_cache(dataset(tmp_path / "set", images), settings, workers=1)
    assert again.folder == cached.folder and np.array_equal(again.images, cached.images)


def test_colour_has_a_cache_of_its_own_and_grey_keeps_its_key(drawn):
    settings = Preprocessing(size=24)
    grey = build_cache(drawn, settings, workers=1)
    colour = build_cache(drawn, replace(settings, colour=True), workers=1)
    assert colour.folder != grey.folder
    for channel in range(3):  # grey files have three equal channels
        np.testing.assert_array_equal(colour.images[:, channel], grey.images)
    # The key from before there was colour: caches of then are found.
    assert "colour" not in json.loads((grey.folder / "manifest.json").read_text())["body"]
