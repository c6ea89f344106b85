"""Files of public repositories at a pinned commit: on disk, and exactly those that are expected.

A file is named OWNER/NAME/COMMIT/PATH. It is looked for in the local mirror (environment variable
`SCALING_JAX_DATA`), then in the cache, then downloaded into the cache. Wherever it came from, its SHA-256
must be the registered one.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

from scaling_jax.core.optional import needs

__all__ = ["MIRROR_VARIABLE", "Files", "registry"]

MIRROR_VARIABLE = "SCALING_JAX_DATA"
RAW_URL = "https://raw.githubusercontent.com/"
ARCHIVE_URL = "https://codeload.github.com/"
REMEDY = (
    f"connect to the internet, or set {MIRROR_VARIABLE} to a folder that holds the file under "
    "OWNER/NAME/COMMIT/PATH."
)


@cache
def registry() -> dict[str, str]:
    """The registered SHA-256 per file name (OWNER/NAME/COMMIT/PATH)."""
    text = (resources.files("scaling_jax.datasets") / "registry.txt").read_text(encoding="utf-8")
    return {name: checksum for checksum, name in (line.split("  ", 1) for line in text.splitlines() if line)}


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Files:
    """Where files come from: an optional mirror and a cache folder (None: pooch's own for this user)."""

    cache_dir: str | os.PathLike[str] | None = None

    @property
    def mirror(self) -> Path | None:
        """The folder of local copies, where the environment names one."""
        folder = os.environ.get(MIRROR_VARIABLE)
        return Path(folder).expanduser() if folder else None

    @property
    def cache(self) -> Path:
        """The folder that downloads go to."""
        if self.cache_dir is not None:
            return Path(self.cache_dir).expanduser()
        return Path(_pooch().os_cache("scaling_jax"))

    def get(self, names: Iterable[str]) -> dict[str, Path]:
        """The checked local path of every named file, downloading what is not here."""
        # Hundreds of small files: a few connections at once, so that latency does not add up.
        with ThreadPoolExecutor(max_workers=8) as pool:
            futures = {name: pool.submit(self.one, name) for name in names}
            try:
                return {name: future.result() for name, future in futures.items()}
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def one(self, name: str) -> Path:
        """The checked local path of one file.

        Raises:
            ValueError: the file, wherever it was found, is not the registered one.
            ConnectionError: the file is nowhere on this machine and could not be downloaded.
            ImportError: a download is needed and pooch is not installed.
        """
        expected = registry()[name]
        local = self.find(name)
        if local is None:
            return self._download(RAW_URL + quote(name, safe="/="), self.cache / name, name, expected)
        found = sha256(local)
        if found != expected:
            raise ValueError(
                f"{name} at {local} is altered or truncated (sha256 {found}, expected {expected}): delete "
                "it, so that it can be fetched again."
            )
        return local

    def find(self, name: str) -> Path | None:
        """The file on this machine, unchecked, or None."""
        if self.mirror is not None and (self.mirror / name).is_file():
            return self.mirror / name
        if self.cache_dir is None and not _has_pooch():
            return None
        return self.cache / name if (self.cache / name).is_file() else None

    def archive(self, repository: str, commit: str) -> Path:
        """The .tar.gz of a whole repository, unchecked.

        GitHub makes it anew each time, so only its content can be checked.
        """
        name = f"{repository}/{commit}.tar.gz"
        local = self.find(name)
        if local is not None:
            return local
        return self._download(f"{ARCHIVE_URL}{repository}/tar.gz/{commit}", self.cache / name, name, None)

    def _download(self, url: str, path: Path, name: str, expected: str | None) -> Path:
        """Fetches a file into `path`, which holds either nothing or the whole, checked file."""
        download = _pooch().HTTPDownloader(progressbar=False, timeout=60)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        # Only a complete, checked file gets its name, whatever interrupts the download.
        try:
            download(url, part, None)
            if expected is not None and (found := sha256(Path(part))) != expected:
                raise ValueError(
                    f"{name} from {url} is altered or truncated (sha256 {found}, expected {expected}) and "
                    "was not kept: try again later, or report it if it persists."
                )
            os.replace(part, path)
        except OSError as error:  # requests' exceptions are OSErrors too
            # A failed connection prints as a nest of objects, an answer of the server as a line.
            reason = str(error) if getattr(error, "response", None) is not None else type(error).__name__
            raise ConnectionError(
                f"{name} is not on this machine and could not be downloaded ({reason}): {REMEDY}"
            ) from error
        finally:
            Path(part).unlink(missing_ok=True)
        return path


def _has_pooch() -> bool:
    try:
        _pooch()
    except ImportError:
        return False
    return True


def _pooch() -> ModuleType:
    return needs(
        "pooch", "data", f"Set {MIRROR_VARIABLE} to a local copy of the files; downloading a data set needs"
    )
