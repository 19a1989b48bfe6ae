"""The tag journal: which image a tag pointed to before a run moved it, recorded on this machine before the move.

If a stage dies after it moved a tag and before its result is journaled, it runs again and finds its own image under
the tag. The record then names the image to restore. The records also name the images that a run left untagged.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from container_kit.stages.contract.paths import state_folder


@dataclass(frozen=True, slots=True)
class TagMove:
    """A tag in an engine, and the image that it pointed to before a run."""

    engine: str
    """The engine's address."""
    reference: str
    """`name:tag`."""
    image: str | None
    """The image's id; None if the tag did not exist."""


def record(run: str, move: TagMove) -> TagMove:
    """Record a move that a run is about to make, and return the first record of this run and tag. It blocks.

    Raises:
        OSError: The record cannot be written.
    """
    path = _file(run, move.engine, move.reference)
    if first := _read(path):
        return first
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(move)))
    draft.replace(path)
    return move


def drop(run: str, engine: str, reference: str) -> None:
    """Drop the record of a tag that points to its former image again."""
    _file(run, engine, reference).unlink(missing_ok=True)


def drop_runs(runs: Iterable[str], engine: str) -> list[str]:
    """Drop all records of some runs, and return the images that no record of another run names."""
    files = [path for run in runs for path in _folder().glob(f"{_digest(run)}-*.json")]
    dropped = [(path, move) for path in files if (move := _read(path)) and move.engine == engine]
    for path, _ in dropped:
        path.unlink(missing_ok=True)
    remaining = {move.image for path in _folder().glob("*.json") if (move := _read(path))}
    return sorted({move.image for _, move in dropped if move.image} - remaining)


def _folder() -> Path:
    return state_folder() / "tags"


def _file(run: str, engine: str, reference: str) -> Path:
    return _folder() / f"{_digest(run)}-{_digest(f'{engine} {reference}')}.json"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _read(path: Path) -> TagMove | None:
    with suppress(OSError, ValueError, TypeError):
        return TagMove(**json.loads(path.read_text(encoding="utf-8")))
    return None
