"""What a build is given that must not show: secrets and authorities, read where the caller says they are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from container_kit.stages.build import ca_certificates as authorities
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.redaction import Redactor, looks_secret
from container_kit.stages.contract.stage import StageContext

SECRET_NOT_FOUND = FaultCode(
    "build.secret_not_found",
    means="A build secret comes from a variable or file that is not there, or one that is needed was not given.",
    hint="Give the secret {id} as `env:NAME` or `file:PATH`, naming what the server's process can read.",
)
CA_FILE_INVALID = FaultCode(
    "build.ca_file_invalid",
    means="The file of authorities is missing or is no PEM file.",
    hint="Give a PEM file with `-----BEGIN CERTIFICATE-----` blocks; {file} is none.",
)

FAULTS = (SECRET_NOT_FOUND, CA_FILE_INVALID)


def read(ctx: StageContext, root: Path, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Read the secrets.

    Args:
        wanted: From a secret's id to `env:NAME` or `file:PATH`, relative to the root and inside the workspace.

    Raises:
        StageFailure: `build.secret_not_found`, or one of the workspace's.
    """
    return {id_: _secret(ctx, root, id_, place) for id_, place in wanted.items()}


def _secret(ctx: StageContext, root: Path, id_: str, place: str) -> bytes:
    if not re.fullmatch(r"[\w.-]+", id_):  # a comma would be another field of buildx's --secret
        raise SECRET_NOT_FOUND(f"{id_[:100]!r} is not a secret's id: use letters, digits, `.`, `-` and `_`", id="ID")
    kind, _, name = place.partition(":")
    if kind == "env" and name in os.environ:
        return os.environ[name].encode()
    if kind == "file" and name:
        path = (root / Path(name).expanduser()).resolve()
        ctx.workspace.directory(str(path.parent))
        try:
            return path.read_bytes()
        except OSError as error:
            raise SECRET_NOT_FOUND(
                f"the secret {id_} cannot be read from the file {name}", next_actions=[_again(id_)], id=id_
            ) from error
    # Whatever follows an unknown kind may be the secret itself: it is not repeated.
    says = f"the variable {name} is not set" if kind == "env" else "it must be given as `env:NAME` or `file:PATH`"
    raise SECRET_NOT_FOUND(f"the secret {id_} cannot be read: {says}", next_actions=[_again(id_)], id=id_)


def _again(id_: str) -> NextAction:
    return NextAction(why=f"Have the secret {id_} where the server can read it, then make the same call again.")


def read_authorities(ctx: StageContext, root: Path, name: str) -> dict[str, bytes]:
    """Read the PEM file of the authorities to trust, and add the usual ones: secrets by their ids.

    Raises:
        StageFailure: `build.ca_file_invalid`, or one of the workspace's.
    """
    path = (root / Path(name).expanduser()).resolve()
    ctx.workspace.directory(str(path.parent))
    try:
        own = path.read_bytes()
    except OSError as error:
        raise CA_FILE_INVALID(f"{name} cannot be read: {error.strerror}", file=name) from error
    try:
        return authorities.secrets(own)
    except ValueError as error:
        raise CA_FILE_INVALID(f"{name} holds no certificate in PEM format", file=name) from error


def redactor(arguments: Mapping[str, str], secrets: Mapping[str, bytes]) -> Redactor:
    """Hide the secrets, line by line too, and the values of build arguments whose names look secret."""
    values = [value for name, value in arguments.items() if looks_secret(name)]
    for secret in secrets.values():
        text = secret.decode(errors="replace").strip()
        values += [text, *(line.strip() for line in text.splitlines() if len(line.strip()) >= 8)]
    return Redactor(values)
