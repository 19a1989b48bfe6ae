"""Passwords of services, each generated once and kept in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.paths import state_folder

PASSWORD_LOST = FaultCode(
    "deploy.service_password_lost",
    means="A service's data are there, but the file with the password that they were made with is gone.",
    hint="Restore {file}, or remove the volume {volume} if its data are not needed.",
)

FAULTS = (PASSWORD_LOST,)


def kept(name: str, may_be_new: bool) -> str:
    """The password of a service; made where there is none yet. Blocking.

    Raises:
        StageFailure: `deploy.service_password_lost` where there is none and it may not be a new one.
    """
    file = _file(name)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return file.read_text()
    except FileNotFoundError:
        if not may_be_new:
            raise PASSWORD_LOST(f"{file} is gone", file=file, volume=name) from None
    password = secrets.token_urlsafe(24)
    half = file.with_suffix(".new")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(password)
    half.replace(file)
    return password


def forget(name: str) -> None:
    """Delete a password, where there is one. Blocking."""
    _file(name).unlink(missing_ok=True)


def _file(name: str) -> Path:
    return state_folder() / "services" / f"{name}.password"
