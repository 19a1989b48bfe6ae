"""The images that were built from a folder, as this machine recorded them.

A label proves nothing: any image can bring any label. An image carries only a keyed digest of its folder, so that a
push publishes no path of this machine.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from container_kit.stages.contract.paths import state_folder

_KEY_BYTES = 32
_MOST = 1000
"""Records to keep; the oldest go first."""


def source_digest(folder: str) -> str:
    """Return the value of the label `source`: a digest of a folder with a key of this machine. It blocks.

    Raises:
        OSError: The key cannot be read or written.
    """
    return hmac.new(_key(), folder.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def record(image: str, folder: str) -> None:
    """Record that an image was built from a folder. It blocks.

    Args:
        image: `sha256:…`.
        folder: The resolved source folder.

    Raises:
        OSError: The record cannot be written.
    """
    path = _file(image)
    _make_folder(path.parent)
    draft = path.with_name(f".{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"image": image, "source": folder}, file)
    draft.replace(path)
    records = sorted(path.parent.glob("*.json"), key=_modified)
    for old in records[:-_MOST]:
        old.unlink(missing_ok=True)


def source_of(image: str) -> str | None:
    """Return the folder that an image was built from on this machine; None if it was not. It blocks."""
    return _read(_file(image)).get("source") if image else None


def images_of(folder: str) -> set[str]:
    """Return the ids of the images that were built from a folder. It blocks."""
    records = (_read(path) for path in (state_folder() / "built").glob("*.json"))
    return {record["image"] for record in records if record.get("source") == folder}


def _key() -> bytes:
    path = state_folder() / "source.key"
    with suppress(FileNotFoundError):
        if len(key := path.read_bytes()) == _KEY_BYTES:
            return key
    _make_folder(path.parent)
    draft = path.with_name(f".{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
    with suppress(FileExistsError):  # another process was faster; its key counts
        os.link(draft, path)
    draft.unlink()
    return path.read_bytes()


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _file(image: str) -> Path:
    return state_folder() / "built" / f"{hashlib.sha256(image.encode()).hexdigest()[:32]}.json"


def _modified(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _read(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        loaded = json.loads(path.read_text())
        if isinstance(loaded, dict) and all(isinstance(value, str) for value in loaded.values()):
            return loaded
    return {}
