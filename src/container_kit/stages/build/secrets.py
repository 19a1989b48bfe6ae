"""The secrets and CA certificates of a build, read from the variables and files that the caller names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from container_kit.stages.build import ca_certificates
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.operator_policy import OperatorPolicy
from container_kit.stages.contract.redaction import Redactor, looks_secret
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.formats.workspace_files import read_workspace_file

SECRET_NOT_FOUND = FaultCode(
    "build.secret_not_found",
    means="The variable or file of a build secret does not exist, or a required secret was not given.",
    hint="Give the secret {id} as `env:NAME` or `file:PATH`, with a name that the server process can read.",
)
CA_FILE_INVALID = FaultCode(
    "build.ca_file_invalid",
    means="The file with CA certificates does not exist or is not a PEM file.",
    hint="Give a PEM file with `-----BEGIN CERTIFICATE-----` blocks instead of {file}.",
)

SECRET_NOT_ALLOWED = FaultCode(
    "build.secret_not_allowed",
    means="The operator does not allow builds to receive this variable of the server.",
    hint="Ask the operator to add {variable} to CONTAINER_KIT_BUILD_SECRETS, or give the secret {id} as `file:PATH`. "
    "Variables of Container Kit are never given to a build.",
)

FAULTS = (SECRET_NOT_FOUND, SECRET_NOT_ALLOWED, CA_FILE_INVALID)


def read_secrets(ctx: StageContext, root: Path, places: Mapping[str, str], policy: OperatorPolicy) -> dict[str, bytes]:
    """Read the secrets.

    Args:
        ctx: The run.
        root: The source folder.
        places: Ids mapped to `env:NAME` or `file:PATH`. A path is relative to the root and inside the workspace.
        policy: Names the variables that may be read.

    Raises:
        StageFailure: `build.secret_not_found`, `build.secret_not_allowed`, or a fault of the workspace.
    """
    return {id_: _read_secret(ctx, root, id_, place, policy) for id_, place in places.items()}


def variables(places: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables of this process that a build receives."""
    return tuple(
        sorted({name for kind, _, name in (place.partition(":") for place in places.values()) if kind == "env"})
    )


def _read_secret(ctx: StageContext, root: Path, id_: str, place: str, policy: OperatorPolicy) -> bytes:
    if not re.fullmatch(r"[\w.-]+", id_):  # a comma would start another field of buildx's --secret
        raise SECRET_NOT_FOUND(f"{id_[:100]!r} is not a valid id: use letters, digits, `.`, `-` and `_`", id="ID")
    kind, _, name = place.partition(":")
    if kind == "env" and not policy.allows_build_secret(name):
        action = NextAction(why="Ask the operator to allow the variable, then make the same call again.")
        message = f"builds may not receive the variable {name[:100]!r}"
        raise SECRET_NOT_ALLOWED(message, next_actions=[action], variable=name[:100], id=id_)
    if kind == "env" and name in os.environ:
        return os.environ[name].encode()
    if kind == "file" and name:
        try:
            return read_workspace_file(ctx.workspace, root / Path(name).expanduser())
        except (OSError, RuntimeError, ValueError) as error:  # also an unknown user after `~`, and a NUL character
            reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
            raise SECRET_NOT_FOUND(
                f"the secret {id_} cannot be read from the file {name[:200]!r}{reason}",
                next_actions=[_retry(id_)],
                id=id_,
            ) from error
    # The text after an unknown kind may be the secret itself, so the message does not repeat it.
    reason = f"the variable {name} is not set" if kind == "env" else "give it as `env:NAME` or `file:PATH`"
    raise SECRET_NOT_FOUND(f"the secret {id_} cannot be read: {reason}", next_actions=[_retry(id_)], id=id_)


def _retry(id_: str) -> NextAction:
    return NextAction(why=f"Make the secret {id_} available to the server process, then retry the run.")


def read_ca_certificates(ctx: StageContext, root: Path, name: str) -> dict[str, bytes]:
    """Read a PEM file with CA certificates, and return the build secrets that make RUN instructions trust them.

    Raises:
        StageFailure: `build.ca_file_invalid`, or a fault of the workspace.
    """
    try:
        content = read_workspace_file(ctx.workspace, root / Path(name).expanduser())
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise CA_FILE_INVALID(f"{name[:200]!r} cannot be read: {reason}", file=name[:200]) from error
    try:
        return ca_certificates.trust_secrets(content)
    except ValueError as error:
        raise CA_FILE_INVALID(f"{name} contains no certificate in PEM format", file=name) from error


def redactor(arguments: Mapping[str, str], secrets: Mapping[str, bytes]) -> Redactor:
    """Create the redactor of a build: it hides the secrets and the build arguments whose names look secret."""
    values = [value for name, value in arguments.items() if looks_secret(name)]
    return Redactor([*values, *(secret.decode(errors="replace").strip() for secret in secrets.values())])
