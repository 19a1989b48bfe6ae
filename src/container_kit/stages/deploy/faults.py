"""Fault codes that all deploy targets share: one code for each problem."""

from __future__ import annotations

from collections.abc import Sequence

from container_kit.stages.contract.fault import FaultCode, NextAction, StageFailure

OPTION_INVALID = FaultCode(
    "deploy.option_invalid",
    means="An option of the deployment has an invalid value.",
    hint="Correct {option}: {rule}.",
)
PORT_NOT_FOUND = FaultCode(
    "deploy.port_not_found",
    means="The port that the application listens on is not known.",
    hint="Give {option}, or EXPOSE the port in the Dockerfile. Open ports: {open}.",
)
OVER_LIMIT = FaultCode(
    "target.over_limit",
    means="The deployment requests more than its target allows.",
    hint="Request at most {option}={limit}, or raise the target's limit in container-kit.toml.",
)
OPTION_UNSUPPORTED = FaultCode(
    "target.option_unsupported",
    means="An option is not supported by targets of this kind.",
    hint="Leave out {options}; deploy-kubernetes with build=true takes every option of a cluster.",
)
APPLICATION_NOT_FOUND = FaultCode(
    "deployment.not_found",
    means="No application of this name is deployed on the target.",
    hint="Name a deployed application: {deployed}.",
)
VERSION_NOT_FOUND = FaultCode(
    "deployment.version_not_found",
    means="The application has no such version to show or to roll back to.",
    hint="Name a kept version of {name}: {kept}; or deploy an older image again by its name.",
)


def over_limit(target: str, option: str, requested: object, limit: object, shown: str) -> StageFailure:
    """Return the fault of a request above a target's limit.

    Args:
        limit: The highest value that the option may have.
        shown: The limit as text.
    """
    action = NextAction(why=f"{target} allows {shown}", arguments={option: limit})
    message = f"{option}={requested} is more than {target} allows: {shown}"
    return OVER_LIMIT(message, next_actions=[action], option=option, limit=shown)


def application_not_found(name: str, target: str, deployed: Sequence[str]) -> StageFailure:
    """Return the fault of an application that does not exist."""
    return APPLICATION_NOT_FOUND(
        f"no application {name[:60]!r} is deployed on {target}",
        next_actions=[NextAction(why=f"{other} is deployed", arguments={"name": other}) for other in deployed[:3]],
        deployed=", ".join(deployed[:20]) or "none yet",
    )


def version_not_found(name: str, version: str | None, kept: Sequence[str]) -> StageFailure:
    """Return the fault of a version that is not kept."""
    requested = f"version {version[:80]!r}" if version else "earlier version"
    return VERSION_NOT_FOUND(
        f"{name} has no {requested}",
        next_actions=[NextAction(why=f"{other} is kept", arguments={"version": other}) for other in kept[:3]],
        name=name,
        kept=", ".join(kept[:20]) or "none",
    )
