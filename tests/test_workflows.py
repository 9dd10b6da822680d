"""The workflow files: their schema, what they must say, and the scripts that they call."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def check(*paths: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    return subprocess.run(
        [*command, "vendor.github-workflows", *map(str, paths)], capture_output=True, text=True
    )


def workflow(name: str) -> dict:
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())


def commands(job: dict) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_every_workflow_obeys_the_schema():
    assert {path.stem for path in FILES} == {"check", "nightly", "weekly"}
    done = check(*FILES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [("runs-on:", "run-on:"), ("timeout-minutes: 15", "timeout-minutes: soon"), ("jobs:", "job:")],
)
def test_the_schema_sees_a_planted_fault(tmp_path, old, new):
    text = (ROOT / ".github" / "workflows" / "nightly.yml").read_text()
    assert old in text
    (tmp_path / "broken.yml").write_text(text.replace(old, new))
    assert check(tmp_path / "broken.yml").returncode == 1


def test_the_night_runs_on_a_gpu_keeps_its_log_publishes_and_tells():
    jobs = workflow("nightly")["jobs"]
    assert {"self-hosted", "gpu"} <= set(jobs["book"]["runs-on"])
    assert "make nightly GPU=1" in commands(jobs["book"])
    logs, notebooks = uploads(jobs["book"])
    assert logs["if"] == "always()" and logs["with"]["path"] == "_build/logs"
    assert notebooks["if"].startswith("always()") and notebooks["with"]["path"] == "_build/executed"
    assert all(upload["with"]["if-no-files-found"] == "error" for upload in (logs, notebooks))
    assert any("deploy-pages" in s.get("uses", "") for s in jobs["publish"]["steps"])
    assert jobs["publish"]["needs"] == "book"


def test_what_earlier_nights_measured_is_fetched_before_and_kept_after_even_a_failed_night():
    jobs = workflow("nightly")["jobs"]
    fetch, night = commands(jobs["book"])[-2:]
    assert fetch == "bash .ci/history fetch _build/logs/history.jsonl" and "nightly" in night
    job = jobs["remember"]
    assert job["needs"] == "book" and job["if"].startswith("always() && ")
    assert job["permissions"] == {"contents": "write"}
    assert workflow("nightly")["permissions"] == {"contents": "read"}, "this job alone may write"
    (download,) = (s for s in job["steps"] if "download-artifact" in s.get("uses", ""))
    assert download["with"] == {"name": "logs", "path": "_build/logs"}
    assert uploads(jobs["book"])[0]["with"]["name"] == "logs"
    assert commands(job) == ["bash .ci/history keep _build/logs/history.jsonl"]


def test_real_images_leave_the_runner_only_where_someone_says_so():
    job = workflow("nightly")["jobs"]["book"]
    pages = [s for s in job["steps"] if "upload-pages" in s.get("uses", "")]
    for step in (*uploads(job)[1:], *pages):
        asked = step["if"].removeprefix("always() && ").strip("()")
        assert asked == "env.DATA == 'phantoms' || vars.PUBLISH_REAL_IMAGES == 'true'"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_actions_are_named_by_commit_since_a_tag_can_move(path):
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", name) for name in used)


def uploads(job: dict) -> list[dict]:
    return [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]


@pytest.mark.parametrize("name", ["nightly", "weekly"])
def test_any_failure_opens_an_issue(name):
    jobs = workflow(name)["jobs"]
    tell = jobs["tell"]
    # GitHub calls a job that ran out of time cancelled; failure() would be silent about it.
    for result in ("failure", "cancelled"):
        assert f"contains(needs.*.result, '{result}')" in tell["if"]
    assert tell["if"].startswith("always() && (")
    assert set(tell["needs"]) == set(jobs) - {"tell"}
    assert tell["permissions"]["issues"] == "write"


def test_the_week_sees_the_newest_versions_and_colab():
    jobs = workflow("weekly")["jobs"]
    assert jobs["newest"]["env"]["CONSTRAINTS"] == "" and commands(jobs["newest"])
    assert "colab" in jobs["colab"]["container"]["image"]


def test_a_container_hands_its_files_back_to_the_runner():
    jobs = [job for path in FILES for job in workflow(path.stem)["jobs"].values()]
    inside = [job for job in jobs if "container" in job]
    assert inside
    for job in inside:
        last = job["steps"][-1]
        assert last["run"].startswith("chown -R") and last["if"] == "always()"


def dry(*variables: str) -> str:
    command = ["make", "-n", "-W", "pyproject.toml", "install", "book", *variables]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_variables_reach_the_commands():
    plain, asked = dry(), dry("GPU=1", "FORCE=1", "CONSTRAINTS=")
    assert '-c "constraints.txt"' in plain and "--gpu" not in plain and "--force" not in plain
    assert "constraints.txt" not in asked
    assert re.search(r"publish book .*--gpu --force", asked)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("named", ["COVIDLIB_STORE", "COVIDLIB_CACHE"])
def test_runs_are_remembered_from_the_store_that_training_uses(tmp_path, named):
    command = ["make", "-n", "remember", "DATA=here", "PYTHON=x", f"VENV={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    asked = re.search(r"""--store "\$\("[^"]*" -c '(.*?)'\)\"""", done.stdout).group(1)
    env = {k: v for k, v in os.environ.items() if not k.startswith("COVIDLIB_")}
    found = subprocess.run(
        [sys.executable, "-c", asked], env=env | {named: str(tmp_path)}, capture_output=True
    )
    expected = tmp_path / ("runs" if named == "COVIDLIB_CACHE" else "")
    assert Path(found.stdout.decode().strip()) == expected


def checkout(tmp_path: Path) -> Path:
    """Return a folder with the scripts and a ``make`` and ``gh`` that write down their calls."""
    shutil.copytree(ROOT / ".ci", tmp_path / "repo" / ".ci")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for line in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *line], cwd=tmp_path / "repo", check=True)
    return tmp_path / "repo"


def fake(tmp_path: Path, name: str, body: str) -> Path:
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "$*" >> "{tmp_path}/{name}.calls"\n{body}\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("body", "code"), [("exit 0", 0), ("echo planted; exit 3", 3)])
def test_the_nightly_log_outlives_a_failure(tmp_path, body, code):
    make = fake(tmp_path, "make", body)
    repo = checkout(tmp_path)
    done = subprocess.run(
        ["bash", ".ci/nightly", str(make), "PROFILE=smoke", "GPU=1"],
        cwd=repo,
        env=os.environ | {"BUILD": "_build"},
        capture_output=True,
        text=True,
    )
    log = (repo / "_build" / "logs" / "nightly.log").read_text()
    assert (done.returncode, ("nightly: whole" in log)) == (code, code == 0)
    assert log.startswith("commit ") and ("planted" in log) == (code == 3)
    calls = (tmp_path / "make.calls").read_text().splitlines()
    assert calls[0].endswith("book FORCE=1 PROFILE=smoke GPU=1")
    assert len(calls) == (2 if code == 0 else 1), "nothing is browsed, and nothing was trained"


def night(repo: Path, make: Path) -> int:
    """Run a night and what comes before and after it; return the exit code of the night."""
    history = "_build/logs/history.jsonl"
    subprocess.run(["rm", "-rf", "_build"], cwd=repo, check=True)  # a checkout is clean
    kept = ["bash", ".ci/history", "keep", history]
    subprocess.run(["bash", ".ci/history", "fetch", history], cwd=repo, check=True)
    command = ["bash", ".ci/nightly", str(make), "DATA=here"]
    done = subprocess.run(command, cwd=repo, env=os.environ | {"BUILD": "_build"})
    subprocess.run(kept, cwd=repo, check=True)
    subprocess.run(kept, cwd=repo, check=True)  # once more does nothing
    return done.returncode


def test_a_second_night_goes_on_from_the_first_and_a_third_from_a_failed_one(tmp_path):
    repo = checkout(tmp_path)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "origin")], check=True)
    subprocess.run(["git", "remote", "add", "origin", "../origin"], cwd=repo, check=True)
    (repo / "book" / "results").mkdir(parents=True)
    (repo / "book" / "results" / "history.jsonl").write_text("recorded\n")
    body = """
case "$*" in
*book*) mkdir -p "$COVIDLIB_STORE" ;;
*remember*) for word; do case $word in HISTORY=*) file=${word#HISTORY=} ;; esac; done
    echo "night $(wc -l <"$file")" >> "$file" ;;
esac
case "$*" in *$FAILS*) exit 7 ;; esac"""
    codes = []
    for fails in ("nothing", "book", "remember", "nothing"):
        codes.append(night(repo, fake(tmp_path, "make", f"FAILS={fails}{body}")))
    assert codes == [0, 7, 7, 0]
    show = ["git", "show", "nightly-history:history.jsonl"]
    kept = subprocess.run(show, cwd=tmp_path / "origin", capture_output=True, text=True, check=True)
    assert kept.stdout.splitlines() == ["recorded", "night 1", "night 2", "night 3", "night 4"]
    count = ["git", "rev-list", "--count", "nightly-history"]
    found = subprocess.run(count, cwd=tmp_path / "origin", capture_output=True, text=True)
    assert found.stdout.strip() == "4", "one commit a night, none of them replaced"


def test_a_history_that_forgets_is_refused_and_a_host_that_is_silent_is_no_first_night(tmp_path):
    repo = checkout(tmp_path)
    origin = tmp_path / "origin"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    subprocess.run(["git", "remote", "add", "origin", "../origin"], cwd=repo, check=True)

    def keep(text: str, verb: str = "keep") -> int:
        (repo / "h.jsonl").write_text(text)
        command = ["bash", ".ci/history", verb, "h.jsonl"]
        return subprocess.run(command, cwd=repo, capture_output=True).returncode

    assert keep("one\ntwo\n") == 0
    assert keep("one\nother\nthree\n") == 1 and keep("one\n") == 1
    assert keep("one\ntwo\nthree\n") == 0
    shutil.rmtree(origin)
    assert keep("", verb="fetch") not in (0, 1, 2)


@pytest.mark.parametrize(
    ("refused", "installed"), [("nothing", "chromium"), ("chromium", ".deb"), (".deb", "chromium")]
)
def test_a_browser_is_installed_also_where_chromium_is_a_snap_alone(tmp_path, refused, installed):
    fake(tmp_path, "id", "echo 0")
    fake(tmp_path, "apt-get", f'case "$*" in *{refused}) exit 100 ;; esac')
    fake(tmp_path, "curl", '[ -w "$2" ]')
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", ROOT / ".ci" / "browser"], env=os.environ | {"PATH": path})
    calls = (tmp_path / "apt-get.calls").read_text().splitlines()
    assert done.returncode == 0 and calls[-1].endswith(installed)
    assert (tmp_path / "curl.calls").exists() == (refused == "chromium")


@pytest.mark.parametrize(("known", "verb"), [("", "issue create"), ("12", "issue comment 12")])
def test_one_issue_collects_the_failures(tmp_path, known, verb):
    gh = fake(tmp_path, "gh", f'[ "$2" = list ] && echo "{known}"; exit 0')
    path = f"{gh.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", ".ci/report", "nightly", "https://example.org/runs/1"],
        cwd=checkout(tmp_path),
        env=os.environ | {"PATH": path},
        check=True,
    )
    last = (tmp_path / "gh.calls").read_text().splitlines()[-1]
    assert last.startswith(verb) and "https://example.org/runs/1" in last
