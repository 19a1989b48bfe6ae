"""Pipelines that manage deployed applications, on every kind of target."""

from __future__ import annotations

from typing import Any, TypeVar

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.catalog.consent import with_consent
from container_kit.pipelines.catalog.shared import TRANSIENT, engine
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, minutes
from container_kit.stages.artifacts.deployments import (
    ApplicationQuery,
    ApplicationRef,
    CommandOptions,
    ControlOptions,
    LogQuery,
    RemovalOptions,
    VersionSelector,
)
from container_kit.stages.artifacts.target import TargetSelector
from container_kit.stages.contract.stage import Stage
from container_kit.stages.deploy.targets import LOCAL, ChooseTarget, Targets

P = TypeVar("P", bound=Pipeline)


def list_deployments(targets: Targets) -> Pipeline:
    """List the deployed applications."""
    from container_kit.stages.deploy.manage import ListDeployments

    pipeline = AtomicPipeline(
        "list-deployments",
        inputs=(ApplicationQuery, TargetSelector),
        summary="List the applications on a target, with the versions that can be rolled back to.",
    )
    return _on_target(pipeline, targets, ListDeployments(engine())).with_timeout(60)


def deployment_logs(targets: Targets) -> Pipeline:
    """Read an application's log."""
    from container_kit.stages.deploy.manage import ReadLogs

    pipeline = AtomicPipeline(
        "deployment-logs",
        inputs=(ApplicationRef, LogQuery, TargetSelector),
        summary="Read the end of a deployed application's log.",
    )
    return _on_target(pipeline, targets, ReadLogs(engine())).with_timeout(60)


def rollback_deployment(targets: Targets) -> Pipeline:
    """Roll an application back to an earlier version."""
    from container_kit.stages.deploy.describe import DescribeRollback
    from container_kit.stages.deploy.manage import RollbackDeployment

    pipeline = AtomicPipeline(
        "rollback-deployment",
        inputs=(ApplicationRef, VersionSelector, TargetSelector),
        summary="Roll an application back to an earlier version.",
    )

    describe = DescribeRollback(engine())
    return _changing(_on_target(pipeline, targets, RollbackDeployment(engine()), describe, "roll back"))


def control_deployment(targets: Targets) -> Pipeline:
    """Stop, start or restart an application."""
    from container_kit.stages.deploy.describe import DescribeControl
    from container_kit.stages.deploy.manage import ControlDeployment

    pipeline = AtomicPipeline(
        "control-deployment",
        inputs=(ApplicationRef, ControlOptions, TargetSelector),
        summary="Stop, start or restart an application; its versions and volumes stay.",
    )

    describe = DescribeControl(engine())
    return _changing(_on_target(pipeline, targets, ControlDeployment(engine()), describe, "change the state of"))


def exec_deployment(targets: Targets) -> Pipeline:
    """Run a one-off command in an application."""
    from container_kit.stages.deploy.describe import DescribeCommand
    from container_kit.stages.deploy.manage import ExecuteCommand

    pipeline = AtomicPipeline(
        "exec-deployment",
        inputs=(ApplicationRef, CommandOptions, TargetSelector),
        summary="Run a one-off command in an application's container.",
    )

    describe = DescribeCommand(engine())
    on_target = _on_target(pipeline, targets, ExecuteCommand(engine()), describe, "run a command in")
    return on_target.with_timeout(minutes(15)).with_concurrency_key(concurrency_key)


def remove_deployment(targets: Targets) -> Pipeline:
    """Remove an application."""
    from container_kit.stages.deploy.describe import DescribeRemoval
    from container_kit.stages.deploy.manage import RemoveDeployment

    pipeline = AtomicPipeline(
        "remove-deployment",
        inputs=(ApplicationRef, RemovalOptions, TargetSelector),
        summary="Remove an application with all its versions, and its volumes on request.",
    )

    describe = DescribeRemoval(engine())
    return _changing(_on_target(pipeline, targets, RemoveDeployment(engine()), describe, "remove"))


def verify(targets: Targets) -> Pipeline:
    """Check that an application on this machine is healthy."""
    from container_kit.stages.deploy.local.find_deployment import FindDeployment
    from container_kit.stages.deploy.local.verify import Verify

    pipeline = AtomicPipeline(
        "verify",
        inputs=(ApplicationRef, TargetSelector),
        summary="Check that an application is healthy.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindDeployment(engine()))
    return pipeline.add_stage(Verify(engine())).with_timeout(minutes(2))


def _on_target(
    pipeline: P, targets: Targets, stage: Stage[Any], describe: Stage[Any] | None = None, action: str = ""
) -> P:
    """Choose a target of any kind, ask for approval if the stage changes a protected one, and run the stage."""
    from container_kit.stages.deploy.registry import BACKENDS

    pipeline.add_stage(ChooseTarget(targets, tuple(BACKENDS)))
    if describe is not None:
        with_consent(pipeline, describe, action, targets)
    return pipeline.add_stage(stage)


def _changing(pipeline: P) -> P:
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(15)).with_concurrency_key(concurrency_key)


def concurrency_key(artifacts: Artifacts) -> str:
    """Return the application that is changed, as the pipelines that deploy it name it."""
    return (
        f"application {artifacts[ApplicationRef].name.lower()} on {artifacts[TargetSelector].deploy_to or LOCAL.name}"
    )
