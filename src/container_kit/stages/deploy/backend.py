"""What is asked of a place where applications run, beyond deploying to it.

Deploying itself is stages for each kind, for the contract of a stage asks the same of both: `preview` is the plan,
`execute` applies, watches and diagnoses, `rollback` undoes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationLog,
    RemovalOptions,
    RemovalResult,
    RollbackResult,
)
from container_kit.stages.artifacts.target import Target, TargetKind
from container_kit.stages.contract.fault import FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import StageContext

APPLICATION_UNKNOWN = FaultCode(
    "deployment.unknown",
    means="No application of this name is deployed on the target.",
    hint="Name one that is there: {there}.",
)
VERSION_UNKNOWN = FaultCode(
    "deployment.version_unknown",
    means="The application has no such version to show or to go back to.",
    hint="Name one that is kept: {there}; an older image can be deployed again by its name.",
)
FAULTS = (APPLICATION_UNKNOWN, VERSION_UNKNOWN)


class DeploymentBackend(Protocol):
    """A place where applications run. Each method raises `StageFailure` and nothing else."""

    async def describe(self, name: str | None) -> list[Application]:
        """The applications there, or the one of a name.

        Raises:
            StageFailure: `deployment.unknown`.
        """

    async def log(self, ctx: StageContext, name: str, version: str | None, lines: int) -> ApplicationLog:
        """The end of an application's log, without secrets.

        Raises:
            StageFailure: `deployment.unknown`, `deployment.version_unknown`.
        """

    async def go_back(self, ctx: StageContext, name: str, version: str | None) -> RollbackResult:
        """Let a version that is kept serve again in the place of the one that does, which is kept.

        Raises:
            StageFailure: `deployment.unknown`, `deployment.version_unknown`; what served before serves still.
        """

    async def remove(self, ctx: StageContext, name: str, removal: RemovalOptions) -> RemovalResult:
        """Remove an application with all its versions. Gone already, it stays gone."""


Backends = Mapping[TargetKind, Callable[[Target], DeploymentBackend]]
"""How to reach the places of each kind."""


def unknown(name: str, target: str, there: Sequence[str]) -> StageFailure:
    """Make the fault of an application that is not there."""
    return APPLICATION_UNKNOWN(
        f"no application {name[:60]!r} is deployed on {target}",
        next_actions=[NextAction(why=f"{one} is deployed", arguments={"name": one}) for one in there[:3]],
        there=", ".join(there[:20]) or "none yet",
    )


def version_unknown(name: str, version: str | None, kept: Sequence[str]) -> StageFailure:
    """Make the fault of a version that is not kept."""
    wanted = f"version {version[:80]!r}" if version else "earlier version"
    return VERSION_UNKNOWN(
        f"{name} has no {wanted}",
        next_actions=[NextAction(why=f"{one} is kept", arguments={"version": one}) for one in kept[:3]],
        there=", ".join(kept[:20]) or "none",
    )
