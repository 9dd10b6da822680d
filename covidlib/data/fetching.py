"""A downloader for pooch that goes on where it was cut off."""

import json
import time
from pathlib import Path

from covidlib.errors import DataError

_CHUNK = 1 << 16  # small, because a chunk that is cut off is lost
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


class ResumingDownloader:
    """Fetch a file over HTTP into ``<part>`` and move it to where pooch wants it when complete.

    What arrived stays in the part file when the connection or the process dies. The next try
    asks for the rest with a Range header, and with If-Range when the server named a version, so
    that a file that changed meanwhile starts anew. pooch checks the digest afterwards.

    Args:
        part: where unfinished bytes are kept, between processes too.
        max_bytes: refuse a larger file.
        attempts: how many times to go on after a failure.
        pause: seconds before the second attempt, doubled before each further one.
        progress: show a bar.
    """

    def __init__(
        self,
        part: Path,
        *,
        max_bytes: int,
        attempts: int = 4,
        pause: float = 1.0,
        progress: bool = True,
    ) -> None:
        self.part, self.version_file = part, part.with_name(part.name + ".json")
        self.max_bytes, self.attempts, self.pause = max_bytes, attempts, pause
        self.progress = progress

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        """Fetch ``url`` to ``output_file``.

        Raises:
            DataError: it could not be completed; what arrived is kept for the next try.
        """
        import requests

        self.part.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(self.attempts):
            try:
                if self._fetch(url):
                    self.part.replace(output_file)
                    self.version_file.unlink(missing_ok=True)
                    return
                problem = "the server closed the connection early"
            except requests.HTTPError as error:
                problem = str(error)
                if error.response.status_code not in _TRANSIENT:
                    break
            except requests.RequestException as error:
                problem = str(error)
            if attempt + 1 < self.attempts:
                time.sleep(self.pause * 2**attempt)
        kept = self.part.stat().st_size if self.part.is_file() else 0
        raise DataError(
            f"{url} could not be downloaded: {problem}. {kept:,} bytes are kept; "
            "the same command goes on from there."
        )

    def _fetch(self, url: str) -> bool:
        """Ask once for what is missing; True when the file is complete."""
        import requests

        have, version = self._kept()
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": version}
        with requests.get(url, headers=headers, stream=True, timeout=30) as reply:
            if reply.status_code == 416:  # what is kept is longer than the file: not this file
                self.part.unlink(missing_ok=True)
                return False
            reply.raise_for_status()
            if reply.status_code != 206 or _range_start(reply) != have:
                have = 0
            total = _total(reply, have)
            if (total or 0) > self.max_bytes:
                raise DataError(f"{url} has {total:,} bytes, more than is allowed")
            self._remember(reply, have)
            received = self._append(reply, url, have, total)
        return total is None or received == total

    def _kept(self) -> tuple[int, str]:
        """Return how many bytes are kept, and of which version; without a version, none are."""
        if not (self.part.is_file() and self.version_file.is_file()):
            return 0, ""
        version = json.loads(self.version_file.read_text("utf-8"))["version"]
        return (self.part.stat().st_size, version) if version else (0, "")

    def _remember(self, reply, have: int) -> None:
        # A weak ETag may stand for two different files, so it cannot continue one.
        tag = reply.headers.get("ETag", "")
        version = reply.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
        if not have:
            self.part.unlink(missing_ok=True)
            self.version_file.write_text(json.dumps({"version": version}), "utf-8")

    def _append(self, reply, url: str, have: int, total: int | None) -> int:
        from tqdm import tqdm

        bar = tqdm(
            desc=url.rsplit("/", 1)[-1][:40],
            initial=have,
            total=total,
            unit="B",
            unit_scale=True,
            disable=not self.progress,
        )
        with bar, open(self.part, "ab") as sink:
            for chunk in reply.iter_content(_CHUNK):
                have += len(chunk)
                if have > self.max_bytes:
                    raise DataError(f"{url} is longer than the {self.max_bytes:,} bytes allowed")
                sink.write(chunk)
                bar.update(len(chunk))
        return have


def _range_start(reply) -> int:
    """Return the first byte of a partial reply, -1 when it does not say."""
    unit, _, rest = reply.headers.get("Content-Range", "").partition(" ")
    start = rest.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else -1


def _total(reply, have: int) -> int | None:
    length = reply.headers.get("Content-Length")
    return have + int(length) if length is not None else None
