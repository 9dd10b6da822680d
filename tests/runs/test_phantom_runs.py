import json
from dataclasses import replace

from small_runs import tiny, written_at

from covidlib.data.phantoms import PhantomSettings
from covidlib.runs.running import run
from covidlib.runs.store import Store


def test_phantoms_that_are_drawn_otherwise_now_are_trained_anew(tmp_path):
    spec = tiny(epochs=1)
    spec = replace(spec, data=replace(spec.data, phantom=PhantomSettings(images=60, size=48)))
    store = Store(tmp_path)
    first = run(spec, store)
    assert first.phantom
    path = first.folder / "record.json"
    body = json.loads(path.read_text())
    right = body["provenance"]["fingerprint"]
    body["provenance"]["fingerprint"] = "that of an older generator"
    path.write_text(json.dumps(body))
    again = run(spec, store)
    assert again.provenance["fingerprint"] == right
    written = written_at(again)
    assert written_at(run(spec, store)) == written
