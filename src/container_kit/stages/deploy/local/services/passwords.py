"""Passwords of services: each is generated once and kept in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.paths import state_folder

PASSWORD_NOT_FOUND = FaultCode(
    "deploy.service_password_not_found",
    means="The data of a service exist, but the file with their password does not.",
    hint="Restore {file}, or remove the volume {volume} if its data are not needed.",
)

FAULTS = (PASSWORD_NOT_FOUND,)


def get_or_create_password(name: str, may_create: bool) -> str:
    """Return the password of a service; generate it if it does not exist. Blocking.

    Raises:
        StageFailure: `deploy.service_password_not_found` if it does not exist and may not be created.
    """
    file = _file(name)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return file.read_text()
    except FileNotFoundError:
        if not may_create:
            raise PASSWORD_NOT_FOUND(f"{file} does not exist", file=file, volume=name) from None
    password = secrets.token_urlsafe(24)
    temporary = file.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(password)
    temporary.replace(file)
    return password


def generate_secrets(app: str, variables: Iterable[str]) -> dict[str, str]:
    """Return a secret for each variable of an application; each is generated once and kept. Blocking."""
    return {name: get_or_create_password(f"{app}.{name}", may_create=True) for name in variables}


def delete_password(name: str) -> None:
    """Delete a password if it exists. Blocking."""
    _file(name).unlink(missing_ok=True)


def _file(name: str) -> Path:
    return state_folder() / "services" / f"{name}.password"
