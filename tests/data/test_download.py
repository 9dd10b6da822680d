import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest

from covidlib.data import extraction, manifests
from covidlib.data.card_types import Card, Download
from covidlib.data.cards import CARDS
from covidlib.data.download import get
from covidlib.data.extraction import Limits, extract
from covidlib.data.layouts import read
from covidlib.errors import DataError
from covidlib.paths import cache_root


class Server(ThreadingHTTPServer):
    """A file server that can be told to break: cut a reply short, or answer with an error."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.cut, self.etag = {}, {}, True
        self.ranges, self.fail = [], {}

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        name, server = self.path.lstrip("/"), self.server
        server.ranges.append(self.headers.get("Range"))
        if server.fail.get(name):
            return self.send_error(server.fail[name].pop())
        if name not in server.files:
            return self.send_error(404)
        body = server.files[name]
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        start = 0
        if (asked := self.headers.get("Range")) and self.headers.get("If-Range") == tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start > len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if server.etag:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = server.cut[name].pop() if server.cut.get(name) else len(body)
        self.wfile.write(body[start:end])
        self.wfile.flush()


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIDLIB_CACHE", str(tmp_path / "cache"))


def zipped(**members):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        for name, body in members.items():
            file.writestr(name, body)
    return sink.getvalue()


NOISE = np.random.default_rng(0).bytes(3_000_000)
GOOD = zipped(**{"top/a/1.png": NOISE, "top/b/2.png": b"two", "top/README": b"r"})


def sha(body):
    return hashlib.sha256(body).hexdigest()


def card_for(server, body=GOOD, name="set.zip", **changes):
    server.files[name] = body
    download = Download(server.url(name), sha256=sha(body), strip=1, keep=("a/", "b/"))
    card = Card(
        name="mine",
        title="t",
        modality="cxr",
        task="classification",
        source="s",
        licence="l",
        citation="c",
        homepage="h",
        layout="image_folder",
        classes=("a", "b"),
        traps=("t",),
        counts={("", "a"): 1, ("", "b"): 1},
        downloads=(download,),
    )
    return replace(card, **changes)


def fetch(card, root, **options):
    return get(card, root, **({"progress": False, "attempts": 1} | options))


def left_behind(root):
    return sorted(p.name for p in root.iterdir()) if root.exists() else []


# Downloading


def test_get_installs_what_is_kept_and_records_digests(server, tmp_path):
    card = card_for(server)
    folder = fetch(card, tmp_path / "data")
    assert folder == tmp_path / "data/mine"
    assert len(read(card, folder)) == 2
    assert not (folder / "README").exists()
    result = manifests.verify("mine", folder)
    assert (result.passed, result.manifest, result.matching) == (True, "installed", 2)
    (folder / "b/2.png").write_bytes(b"owt")
    assert manifests.verify("mine", folder).wrong == ("b/2.png",)
    assert left_behind(tmp_path / "data") == ["mine"]
    assert not list((cache_root() / "downloads").iterdir())


def test_truncated_download_goes_on_where_it_was_cut(server, tmp_path):
    card = card_for(server)
    server.cut["set.zip"] = [2_000_000]
    with pytest.raises(DataError, match="goes on from there"):
        fetch(card, tmp_path / "data")
    assert left_behind(tmp_path / "data") == []
    kept = next((cache_root() / "downloads").glob("*.part")).stat().st_size
    assert 1_500_000 < kept <= 2_000_000
    fetch(card, tmp_path / "data")
    assert server.ranges == [None, f"bytes={kept}-"]
    assert (tmp_path / "data/mine/a/1.png").read_bytes() == NOISE


def test_several_cuts_and_a_busy_server_are_survived_in_one_call(server, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    server.cut["set.zip"] = [2_500_000, 1_000_000]
    server.fail["set.zip"] = [503]
    fetch(card_for(server), tmp_path / "data", attempts=4)
    assert (tmp_path / "data/mine/a/1.png").read_bytes() == NOISE
    assert len(server.ranges) == 4


def test_file_that_changed_meanwhile_starts_anew(server, tmp_path):
    card = card_for(server)
    server.cut["set.zip"] = [2_000_000]
    with pytest.raises(DataError):
        fetch(card, tmp_path / "data")
    other = zipped(**{"top/a/1.png": NOISE[::-1], "top/b/2.png": b"two"})
    fetch(card_for(server, other), tmp_path / "data")
    assert (tmp_path / "data/mine/a/1.png").read_bytes() == NOISE[::-1]


def test_without_a_version_nothing_is_continued(server, tmp_path):
    server.etag = False
    card = card_for(server)
    server.cut["set.zip"] = [2_000_000]
    with pytest.raises(DataError):
        fetch(card, tmp_path / "data")
    fetch(card, tmp_path / "data")
    assert server.ranges == [None, None]


def test_wrong_hash_installs_nothing_and_keeps_nothing(server, tmp_path):
    card = card_for(server)
    server.files["set.zip"] = GOOD[:-1] + b"X"
    with pytest.raises(DataError, match="not what was published"):
        fetch(card, tmp_path / "data")
    assert left_behind(tmp_path / "data") == []
    assert not [p for p in (cache_root() / "downloads").iterdir() if p.stat().st_size > 100]
    server.files["set.zip"] = GOOD
    fetch(card, tmp_path / "data")


def test_not_found_is_not_tried_again(server, tmp_path):
    card = card_for(server)
    del server.files["set.zip"]
    with pytest.raises(DataError, match="404"):
        fetch(card, tmp_path / "data", attempts=4)
    assert len(server.ranges) == 1


def test_too_large_a_file_is_refused(server, tmp_path):
    with pytest.raises(DataError, match="more than is allowed"):
        fetch(card_for(server, max_bytes=1_000_000), tmp_path / "data")
    assert left_behind(tmp_path / "data") == []


def test_unpublished_digest_needs_consent(server, tmp_path):
    card = card_for(server)
    card = replace(card, downloads=(replace(card.downloads[0], sha256=None),))
    with pytest.raises(DataError, match="--accept-unverified"):
        fetch(card, tmp_path / "data")
    assert server.ranges == []
    folder = fetch(card, tmp_path / "data", accept_unverified=True)
    assert manifests.verify("mine", folder).passed


def test_other_counts_than_published_install_nothing(server, tmp_path):
    card = card_for(server, counts={("", "a"): 2, ("", "b"): 1})
    with pytest.raises(DataError, match="a: 1 instead of 2"):
        fetch(card, tmp_path / "data")
    assert left_behind(tmp_path / "data") == []


def test_files_that_differ_from_the_published_manifest_install_nothing(
    server, tmp_path, monkeypatch
):
    published = {"published": {"a/1.png": (sha(b"other"), 5), "b/3.png": (sha(b""), 0)}}
    monkeypatch.setattr(manifests, "manifests", lambda name, folder: published)
    with pytest.raises(DataError, match=r"1 files differ .* 1 are absent"):
        fetch(card_for(server), tmp_path / "data")
    assert left_behind(tmp_path / "data") == []


def test_what_is_there_is_never_touched(server, tmp_path):
    mine = tmp_path / "data/mine"
    mine.mkdir(parents=True)
    (mine / "own.txt").write_text("mine")
    with pytest.raises(DataError, match="already there"):
        fetch(card_for(server), tmp_path / "data")
    assert (mine / "own.txt").read_text() == "mine"
    assert server.ranges == []


def test_sets_behind_an_account_say_what_to_do(tmp_path):
    for name, word in (("rsna", "Kaggle"), ("imagenet", "account"), ("chestxray8", "Box")):
        with pytest.raises(DataError, match=word):
            get(CARDS[name], tmp_path)


def test_single_files_go_into_their_folders(server, tmp_path):
    server.files["train_COVIDx4.txt"] = b"1 a.png normal cohen\n"
    server.files["test_COVIDx4.txt"] = b"2 b.png COVID-19 cohen\n"
    card = replace(
        CARDS["covidx"],
        name="mine",
        counts={("train", "normal"): 1, ("test", "COVID-19"): 1},
        downloads=tuple(
            Download(server.url(n), sha256=sha(server.files[n]), unpack=False)
            for n in ("train_COVIDx4.txt", "test_COVIDx4.txt")
        ),
    )
    folder = fetch(card, tmp_path / "data")
    assert left_behind(folder) == ["checksums.csv", "test_COVIDx4.txt", "train_COVIDx4.txt"]


KILLED = """
import sys, time
from pathlib import Path
import covidlib.data.download as d
from covidlib.data.card_types import Card, Download
def slow(*args, **kwargs):
    print("installing", flush=True)
    time.sleep(60)
d.{stage} = slow
card = Card(name="mine", title="t", modality="cxr", task="classification", source="s", licence="l",
            citation="c", homepage="h", layout="image_folder", classes=("a", "b"), traps=("t",),
            downloads=(Download({url!r}, sha256={sha!r}, strip=1),))
d.get(card, Path({root!r}), progress=False)
"""


@pytest.mark.parametrize("stage", ["_place", "check"])
def test_killed_midway_leaves_no_data_set_and_the_next_call_cleans_up(server, tmp_path, stage):
    card, root = card_for(server), tmp_path / "data"
    script = KILLED.format(url=card.downloads[0].url, sha=sha(GOOD), root=str(root), stage=stage)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout.readline() == "installing\n"
        os.kill(child.pid, signal.SIGKILL)
    assert not (root / "mine").exists()
    assert left_behind(root) == [".mine.partial"]
    before = len(server.ranges)
    fetch(card, root)
    assert left_behind(root) == ["mine"]
    assert len(server.ranges) == before, "the file that had arrived is not fetched again"


def test_two_processes_install_once(server, tmp_path):
    card, outcomes = card_for(server), []

    def work():
        try:
            outcomes.append(fetch(card, tmp_path / "data").name)
        except DataError as error:
            outcomes.append("already" if "already there" in str(error) else str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already", "already", "mine"]
    assert len(server.ranges) == 1


# Hostile archives


def archive_of(tmp_path, body, name="x.zip"):
    path = tmp_path / name
    path.write_bytes(body)
    (tmp_path / "out").mkdir()
    return path


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "C:/evil", "a\\..\\..\\evil", "..", "a/.."]
)
def test_paths_that_leave_the_folder_are_refused(tmp_path, name):
    path = archive_of(tmp_path, zipped(**{"good.png": b"g", name: b"evil"}))
    with pytest.raises(DataError, match="leaves the target"):
        extract(path, tmp_path / "out")
    assert not [p for p in tmp_path.rglob("*evil*")]


def tarred(*members):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as file:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
            else:
                info.linkname = content
                file.addfile(info)
    return sink.getvalue()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_tar_are_refused(tmp_path, kind):
    body = tarred(("good.png", tarfile.REGTYPE, b"g"), ("link", kind, "/etc/passwd"))
    with pytest.raises(DataError, match="link or a device"):
        extract(archive_of(tmp_path, body, "x.tar.gz"), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_tar_with_a_path_that_leaves_is_refused(tmp_path):
    body = tarred(("../evil", tarfile.REGTYPE, b"x"))
    with pytest.raises(DataError, match="leaves the target"):
        extract(archive_of(tmp_path, body, "x.tar.gz"), tmp_path / "out")


def test_symlink_in_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="link or a device"):
        extract(archive_of(tmp_path, sink.getvalue()), tmp_path / "out")


def test_tar_bomb_is_refused_before_it_is_unpacked(tmp_path):
    body = tarred(("zeros", tarfile.REGTYPE, bytes(50_000_000)))
    with pytest.raises(DataError, match="more than is allowed"):
        extract(archive_of(tmp_path, body, "x.tgz"), tmp_path / "out", limits=Limits(10, 5 << 20))
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_written_is_counted_and_not_what_headers_say(tmp_path):
    path = archive_of(tmp_path, zipped(**{"zeros": bytes(3 << 20)}))
    with zipfile.ZipFile(path) as file:
        member = SimpleNamespace(name="zeros", handle="zeros")
        with pytest.raises(DataError, match="more than is allowed"):
            extraction._write(file, member, tmp_path / "out/zeros", 1 << 20, path)
    assert (tmp_path / "out/zeros").stat().st_size <= 1 << 20


def test_bomb_stops_at_the_limit(tmp_path):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(50_000_000))
    assert len(sink.getvalue()) < 100_000
    with pytest.raises(DataError, match="more than is allowed"):
        extract(archive_of(tmp_path, sink.getvalue()), tmp_path / "out", limits=Limits(10, 5 << 20))
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*")) <= 5 << 20


def test_too_many_members_are_refused_before_any_is_written(tmp_path):
    path = archive_of(tmp_path, zipped(**{f"{i}": b"x" for i in range(11)}))
    with pytest.raises(DataError, match="more than 10 members"):
        extract(path, tmp_path / "out", limits=Limits(10, 1000))
    assert list((tmp_path / "out").iterdir()) == []


def test_the_same_file_twice_is_refused(tmp_path):
    path = archive_of(tmp_path, zipped(**{"a/X.png": b"1", "a/x.png": b"2"}))
    with pytest.raises(DataError, match="twice"):
        extract(path, tmp_path / "out")


@pytest.mark.parametrize("body", [b"not an archive", GOOD[:1_000_000], b""])
def test_broken_archives_are_refused(tmp_path, body):
    with pytest.raises(DataError, match="cannot be unpacked"):
        extract(archive_of(tmp_path, body), tmp_path / "out")


def test_damaged_member_is_refused(tmp_path):
    body = bytearray(GOOD)
    body[1_000_000] ^= 0xFF
    with pytest.raises(DataError, match="CRC"):
        extract(archive_of(tmp_path, bytes(body)), tmp_path / "out")


def test_strip_keep_and_resource_forks(tmp_path):
    body = zipped(
        **{"top/a/1": b"1", "top/b/2": b"2", "top/c": b"3", "__MACOSX/top/a/._1": b"4", "top/": b""}
    )
    count = extract(archive_of(tmp_path, body), tmp_path / "out", strip=1, keep=("a/", "c"))
    files = sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*")
    )
    assert (count, files) == (2, ["a", "a/1", "c"])


def test_hostile_archive_through_get_leaves_nothing(server, tmp_path):
    body = zipped(**{"top/a/1.png": b"1", "top/../../b/2.png": b"2"})
    with pytest.raises(DataError, match="leaves the target"):
        fetch(card_for(server, body), tmp_path / "data")
    assert left_behind(tmp_path / "data") == []
    assert not (tmp_path / "b").exists()
