"""Notes of which image a run takes a name from, kept on this machine before the engine moves the name.

A stage that dies between the moving of a name and its entry in the journal is run again, and sees its own image under
the name; the note tells what was there before. It also tells what a run may have left without a name.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TagMove:
    """A name in an engine, and the image that bore it before a run."""

    engine: str
    """The engine's address."""
    reference: str
    """`name:tag`."""
    image: str | None
    """The image's id; None where the name was free."""


def note(run: str, replaced: TagMove) -> TagMove:
    """Note what a run is about to replace; the note that is there already counts, and is returned. Blocking.

    Raises:
        OSError: It cannot be written.
    """
    path = _folder() / _file(run, replaced.engine, replaced.reference)
    if known := _read(path):
        return known
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(asdict(replaced)))
    fresh.rename(path)
    return replaced


def forget(run: str, engine: str, reference: str) -> None:
    """Drop the note of a name: the run left it as it was."""
    (_folder() / _file(run, engine, reference)).unlink(missing_ok=True)


def drop_runs(runs: Iterable[str], engine: str) -> list[str]:
    """Drop all notes of some runs; return the images in the engine that no note of another run names."""
    files = [path for run in runs for path in _folder().glob(f"{_digest(run)}-*.json")]
    forgotten = [(path, known) for path in files if (known := _read(path)) and known.engine == engine]
    for path, _ in forgotten:
        path.unlink(missing_ok=True)
    still = {known.image for path in _folder().glob("*.json") if (known := _read(path))}
    return sorted({known.image for _, known in forgotten if known.image} - still)


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"container-kit-{os.getuid()}" / "replaced"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _file(run: str, engine: str, reference: str) -> str:
    return f"{_digest(run)}-{_digest(f'{engine} {reference}')}.json"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _read(path: Path) -> TagMove | None:
    with suppress(OSError, ValueError, TypeError):
        return TagMove(**json.loads(path.read_text()))
    return None
