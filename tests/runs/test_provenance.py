from types import SimpleNamespace

from covidlib.runs.provenance import of_images, software

SEEN = SimpleNamespace(fingerprint="f", phantom=True)


def test_a_measurement_names_commit_images_and_profile():
    found = of_images(SEEN, "laptop")
    assert set(found) == {"commit", "dirty", "fingerprint", "phantom", "profile"}
    assert found["commit"] == software()["commit"]
    assert (found["fingerprint"], found["phantom"], found["profile"]) == ("f", True, "laptop")


def test_versions_are_told_where_asked():
    found = of_images(SEEN, "laptop", versions=True)
    assert found.pop("versions") == software()["versions"]
    assert found == of_images(SEEN, "laptop")
