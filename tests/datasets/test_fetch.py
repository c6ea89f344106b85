"""Files that are altered, interrupted or out of reach are refused, with the remedy, and not kept."""

from __future__ import annotations

import functools
import http.server
import shutil
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from scaling_jax import datasets
from scaling_jax.datasets import _fetch
from tests.datasets.upstream import CHINCHILLA, MIRROR, PUBLIC, loaded, needs_data


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A stand-in for GitHub's raw files, serving a folder over HTTP on this machine."""
    pytest.importorskip("pooch", reason="downloads need the extra 'data'")
    folder = tmp_path / "server"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setattr(_fetch, "RAW_URL", f"http://127.0.0.1:{httpd.server_address[1]}/")
        monkeypatch.delenv(_fetch.MIRROR_VARIABLE, raising=False)
        yield folder
        httpd.shutdown()


def put(folder: Path, name: str = CHINCHILLA) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(MIRROR / name, folder / name))


def remaining(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


@needs_data
@pytest.mark.parametrize("damage", ["altered", "truncated", "empty"])
def test_a_damaged_file_of_the_mirror_is_refused_with_both_checksums(tmp_path, monkeypatch, damage):
    copy = put(tmp_path)
    content = copy.read_bytes()
    copy.write_bytes(
        {"altered": content.replace(b"5.0055", b"5.0056"), "truncated": content[:-100], "empty": b""}[damage]
    )
    monkeypatch.setenv(_fetch.MIRROR_VARIABLE, str(tmp_path))
    with pytest.raises(ValueError, match="altered or truncated") as error:
        datasets.load("chinchilla_replication")
    message = str(error.value)
    assert "svg_extracted_data.csv" in message and "\n" not in message
    assert _fetch.sha256(copy) in message and _fetch.registry()[CHINCHILLA] in message


@needs_data
def test_a_download_is_checked_cached_and_not_repeated(server, tmp_path):
    served = put(server)
    frame = datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")
    pd.testing.assert_frame_equal(frame, loaded("chinchilla_replication"))
    assert remaining(tmp_path / "cache") == [tmp_path / "cache" / CHINCHILLA]
    served.unlink()
    assert len(datasets.load("chinchilla_replication", cache_dir=str(tmp_path / "cache"))) == 245


@needs_data
def test_many_files_with_odd_names_download(server, tmp_path):
    names = [n for n in _fetch.registry() if n.startswith("mlfoundations/")]
    for name in names:
        put(server, name)
    frame = datasets.load("overtraining", cache_dir=tmp_path / "cache")
    pd.testing.assert_frame_equal(frame, loaded("overtraining"))
    # The table of the hyper-parameter sweep is not needed for it.
    assert len(remaining(tmp_path / "cache")) == len(names) - 1


@needs_data
def test_a_wrong_download_is_refused_and_not_kept(server, tmp_path):
    served = put(server)
    served.write_bytes(served.read_bytes()[:-100])
    with pytest.raises(ValueError, match="altered or truncated") as error:
        datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")
    message = str(error.value)
    assert _fetch.sha256(served) in message and _fetch.registry()[CHINCHILLA] in message
    assert remaining(tmp_path / "cache") == []


@needs_data
def test_a_damaged_cache_is_refused(server, tmp_path):
    put(server)
    cached = put(tmp_path / "cache")
    cached.write_bytes(cached.read_bytes() + b"\n")
    with pytest.raises(ValueError, match=r"delete it, so that it can be fetched again"):
        datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")
    cached.unlink()
    assert len(datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")) == 245


@needs_data
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ConnectionResetError])
def test_an_interrupted_download_leaves_no_broken_cache(server, tmp_path, monkeypatch, interruption):
    import pooch

    def half(self, url, output_file, pooch, check_only=False):
        Path(output_file).write_bytes((MIRROR / CHINCHILLA).read_bytes()[:1000])
        raise interruption

    put(server)
    cache = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(pooch.HTTPDownloader, "__call__", half)
        with pytest.raises(KeyboardInterrupt if interruption is KeyboardInterrupt else ConnectionError):
            datasets.load("chinchilla_replication", cache_dir=cache)
    assert remaining(cache) == []
    assert len(datasets.load("chinchilla_replication", cache_dir=cache)) == 245


def test_a_file_that_the_server_lacks(server, tmp_path):
    with pytest.raises(ConnectionError, match="404"):
        datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("name", PUBLIC)
def test_no_network_and_no_mirror_is_one_sentence_with_the_remedy(name, tmp_path, monkeypatch, offline):
    pytest.importorskip("pooch", reason="downloads need the extra 'data'")
    monkeypatch.delenv(_fetch.MIRROR_VARIABLE, raising=False)
    with pytest.raises(
        ConnectionError, match=r"could not be downloaded .*: connect to the internet, or set SCALING_JAX_DATA"
    ) as error:
        datasets.load(name, cache_dir=tmp_path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    assert remaining(tmp_path) == []


@needs_data
def test_the_mirror_needs_no_pooch_and_downloads_say_so(mirror, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    for name in PUBLIC:
        assert len(datasets.load(name)) == len(loaded(name))
    monkeypatch.delenv(_fetch.MIRROR_VARIABLE)
    for cache_dir in (None, tmp_path):
        with pytest.raises(ImportError, match=r"needs pooch: pip install 'scaling-jax\[data\]'"):
            datasets.load("chinchilla_replication", cache_dir=cache_dir)


@needs_data
def test_files_that_a_mirror_lacks_come_from_the_cache(tmp_path, monkeypatch, offline):
    (tmp_path / "mirror").mkdir()
    put(tmp_path / "cache")
    monkeypatch.setenv(_fetch.MIRROR_VARIABLE, str(tmp_path / "mirror"))
    assert len(datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")) == 245
