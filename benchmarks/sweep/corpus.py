"""The text: source code that any machine with Python can rebuild byte for byte.

Pinned files come from the package index through pip, their sha256 is checked, and the members chosen by
suffix are sorted by name, split by file into training and validation and joined in an order drawn once. One
token is one byte.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .model import CONTEXT

VALIDATION_SEQUENCES = 1024
VALIDATION_EVERY = 20  # one file in twenty, drawn by the hash of its name, is never trained on
# longer files are generated tables, which a model of 64 bytes of context learns nothing general from
MAX_BYTES = 150_000


@dataclass(frozen=True)
class Archive:
    requirement: str
    sha256: str
    sdist: bool = False

    def fetch(self, folder: Path) -> Path:
        """The archive's path, downloaded with pip unless a file with the right checksum is there already."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            if _sha256(path.read_bytes()) == self.sha256:
                return path
        kind = ["--no-binary", ":all:"] if self.sdist else ["--only-binary", ":all:", "--platform", "any"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            *kind,
            "-d",
            str(folder),
            self.requirement,
        ]
        subprocess.run(command, check=True)
        for path in sorted(folder.iterdir()):
            if _sha256(path.read_bytes()) == self.sha256:
                return path
        raise ValueError(f"{self.requirement}: no downloaded file has sha256 {self.sha256}")


@dataclass(frozen=True)
class Corpus:
    name: str
    archives: tuple[Archive, ...]
    suffix: str
    within: str
    sha256: tuple[str, str]  # of the training and the validation bytes

    def build(self, work: Path) -> Text:
        """The text, from the files kept in `work` if they are intact, else from the archives."""
        paths = [work / f"{self.name}.{part}" for part in ("train", "validation")]
        if not all(
            p.exists() and _sha256(p.read_bytes()) == s for p, s in zip(paths, self.sha256, strict=True)
        ):
            for path, data, expected in zip(paths, self._join(work / "archives"), self.sha256, strict=True):
                if (found := _sha256(data)) != expected:
                    raise ValueError(f"{path.name}: rebuilt bytes have sha256 {found}, not {expected}")
                path.write_bytes(data)
        return Text(*(np.frombuffer(p.read_bytes(), np.uint8) for p in paths))

    def _join(self, folder: Path) -> tuple[bytes, bytes]:
        documents = [d for a in self.archives for d in _members(a.fetch(folder), self.within, self.suffix)]
        train, validation = [], []
        for i in np.random.default_rng(0).permutation(len(documents)):
            name, data = documents[i]
            held_out = int(hashlib.sha256(name.encode()).hexdigest(), 16) % VALIDATION_EVERY == 0
            (validation if held_out else train).append(data)
        return b"\0".join(train), b"\0".join(validation)


@dataclass(frozen=True)
class Text:
    train: np.ndarray
    validation: np.ndarray

    @property
    def n_sequences(self) -> int:
        return (len(self.train) - 1) // CONTEXT

    def sequences(self, index: np.ndarray) -> np.ndarray:
        """Training sequences by number: CONTEXT bytes to predict and the one before them."""
        return self.train[index[..., None] * CONTEXT + np.arange(CONTEXT + 1)]

    def held_out(self) -> np.ndarray:
        """The same evenly spaced validation sequences for every run."""
        start = np.linspace(0, len(self.validation) - CONTEXT - 1, VALIDATION_SEQUENCES).astype(int)
        return self.validation[start[:, None] + np.arange(CONTEXT + 1)]


def _members(path: Path, within: str, suffix: str) -> list[tuple[str, bytes]]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            files = {i.filename: archive.read(i) for i in archive.infolist() if not i.is_dir()}
    else:
        with tarfile.open(path) as archive:
            files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
    return [
        (n, d)
        for n, d in sorted(files.items())
        if n.endswith(suffix) and within in n and 200 <= len(d) <= MAX_BYTES
    ]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


PYTHON = Corpus(
    "python",
    (
        Archive("docutils==0.21.2", "dafca5b9e384f0e419294eb4d2ff9fa826435bf15f15b7bd45723e8ad76811b2"),
        Archive("mypy==1.13.0", "9c250883f9fd81d212e0952c92dbfcc96fc237f4b7c92f56ac81fd48460b3e5a"),
        Archive("networkx==3.4.2", "df5d4365b724cf81b8c6a7312509d0c22386097011ad1abe274afd5e9d3bbc5f"),
        Archive("nltk==3.9.1", "4fa26829c5b00715afe3061398a8989dc643b92ce7dd93fb4585a70930d168a1"),
        Archive("pygments==2.18.0", "b8e6aca0523f3ab76fee51799c488e38782ac06eafcf95e7ba832985c8e7b13a"),
        Archive("sphinx==8.1.3", "09719015511837b76bf6e03e42eb7595ac8c2e41eeb9c29c5b755c6b677992a2"),
        Archive("sqlalchemy==2.0.36", "fddbe92b4760c6f5d48162aef14824add991aeda8ddadb3c31d56eb15ca69f8e"),
        Archive("sympy==1.13.3", "54612cf55a62755ee71824ce692986f23c88ffa77207b30c1368eda4a7060f73"),
        Archive("twisted==24.11.0", "fe403076c71f04d5d2d789a755b687c5637ec3bcd3b2b8252d76f2ba65f54261"),
    ),
    suffix=".py",
    within="",
    sha256=(
        "000df5a89a03381d0136d88f1d98891daf13cc3f173580566c9f705c8fda9b11",
        "c70f2300efb8a3ae39a6ab6d9de97350b1f0dc1b2a5e8f3f4f0aee45ebfb5bc2",
    ),
)

PROSE = Corpus(
    "prose",
    (
        Archive(
            "django==5.1.4", "de450c09e91879fa5a307f696e57c851955c910a438a35e6b4c895e86bedc82a", sdist=True
        ),
    ),
    suffix=".txt",
    within="/docs/",
    sha256=(
        "ed9d5ba3e0bcd0cd70835a4e83098b88f69cb5d0fb6539bfd5a8d2be95f7b2d5",
        "678e3c61ba816e43a6c4b4bd1da0c54fd9d7157b93ae3fe5f07c284fb21cb8a5",
    ),
)
