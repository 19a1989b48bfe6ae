"""The protocol of a deploy target. A new target is one folder that implements it, and one row in `registry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, ClassVar, Literal, Protocol

from container_kit.stages.artifacts.deployment import Verification
from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationLog,
    CommandOptions,
    CommandResult,
    ControlResult,
    RemovalOptions,
    RemovalResult,
    RollbackResult,
)
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.docker.engine import DockerEngine


class DeploymentBackend(Protocol):
    """Manages the applications of one target. Its methods raise only `StageFailure`.

    Deploying is done by the stages of the backend's pipelines: `preview` plans, `execute` applies, watches and
    diagnoses, `rollback` undoes.
    """

    full_deployment: ClassVar[str]
    """The pipeline that takes a repository to a running deployment on targets of this kind."""
    deployment: ClassVar[type[Artifact]]
    """The artifact that a deployment to this kind of target makes."""

    def __init__(self, target: Target, engine: DockerEngine) -> None: ...

    @staticmethod
    def map_options(options: Mapping[str, Any], given: Set[str], target: str) -> dict[str, Any]:
        """Translate the options of `full-deployment` to those of the backend's pipeline.

        Args:
            options: The options, defaults included.
            given: The names of the options that the caller gave.
            target: The target's name, for faults.

        Returns:
            The options that differ; None removes one.

        Raises:
            StageFailure: `target.option_unsupported`.
        """

    @staticmethod
    def summarize(deployment: Any, verification: Verification | None) -> Sequence[str]:
        """Describe a deployment and its checks in a few lines."""

    async def list(self, name: str | None) -> Sequence[Application]:
        """Return the deployed applications, or only the one of this name.

        Raises:
            StageFailure: `deployment.not_found`.
        """

    async def logs(self, ctx: StageContext, name: str, version: str | None, lines: int) -> ApplicationLog:
        """Return the end of an application's log, with secrets redacted.

        Raises:
            StageFailure: `deployment.not_found`, `deployment.version_not_found`.
        """

    async def rollback(self, ctx: StageContext, name: str, version: str | None) -> RollbackResult:
        """Replace the active version by a kept one; by default by the version before it.

        Raises:
            StageFailure: `deployment.not_found`, `deployment.version_not_found`; the active version keeps serving.
        """

    async def control(self, ctx: StageContext, name: str, action: Literal["stop", "start", "restart"]) -> ControlResult:
        """Stop, start or restart the active version.

        Raises:
            StageFailure: `deployment.not_found`, `target.option_unsupported`.
        """

    async def execute(self, ctx: StageContext, name: str, options: CommandOptions) -> CommandResult:
        """Run a one-off command in the active version.

        Raises:
            StageFailure: `deployment.not_found`, `deployment.not_running`, `target.option_unsupported`.
        """

    async def remove(self, ctx: StageContext, name: str, removal: RemovalOptions) -> RemovalResult:
        """Remove an application with all its versions. Succeeds if it does not exist."""


def check_lines(verification: Verification | None) -> list[str]:
    """Describe the checks of a deployment, one line each."""
    checks = verification.checks if verification else ()
    return [f"- {check.name}: {check.outcome} {check.detail}".rstrip() for check in checks]
