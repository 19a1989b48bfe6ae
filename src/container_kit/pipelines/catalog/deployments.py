"""Pipelines that look after what was deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.catalog import kubernetes as clusters
from container_kit.pipelines.catalog.consent import with_consent
from container_kit.pipelines.catalog.shared import TRANSIENT, engine
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, minutes
from container_kit.stages.artifacts.deployments import (
    ApplicationQuery,
    ApplicationRef,
    LogQuery,
    RemovalOptions,
    VersionSelector,
)
from container_kit.stages.artifacts.target import TargetSelector
from container_kit.stages.deploy.targets import LOCAL, ChooseTarget, Targets

if TYPE_CHECKING:
    from container_kit.stages.deploy.backend import Backends


def _places() -> Backends:
    """How applications are looked after on targets of each kind."""
    from container_kit.stages.deploy.local.backend import LocalBackend

    return {"local": lambda target: LocalBackend(engine(), target), "kubernetes": clusters.place}


def list_deployments(targets: Targets) -> Pipeline:
    """What is deployed."""
    from container_kit.stages.deploy.manage import ListDeployments

    pipeline = AtomicPipeline(
        "list-deployments",
        inputs=(ApplicationQuery, TargetSelector),
        summary="List what is deployed on a target, with the versions that can be gone back to.",
    )
    locations = _places()
    return (
        pipeline.add_stage(ChooseTarget(targets, tuple(locations)))
        .add_stage(ListDeployments(locations))
        .with_timeout(60)
    )


def deployment_logs(targets: Targets) -> Pipeline:
    """What an application printed."""
    from container_kit.stages.deploy.manage import ReadLogs

    pipeline = AtomicPipeline(
        "deployment-logs",
        inputs=(ApplicationRef, LogQuery, TargetSelector),
        summary="Read the end of what a deployed application printed.",
    )
    locations = _places()
    return pipeline.add_stage(ChooseTarget(targets, tuple(locations))).add_stage(ReadLogs(locations)).with_timeout(60)


def rollback_deployment(targets: Targets) -> Pipeline:
    """An earlier version again."""
    from container_kit.stages.deploy.manage import RollbackDeployment

    pipeline = AtomicPipeline(
        "rollback-deployment",
        inputs=(ApplicationRef, VersionSelector, TargetSelector),
        summary="Let an earlier version of an application serve again.",
    )
    locations = _places()
    pipeline.add_stage(ChooseTarget(targets, tuple(locations)))
    with_consent(pipeline, lambda made: f"Let an earlier version of {made[ApplicationRef].name} serve again")
    pipeline.add_stage(RollbackDeployment(locations))
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(15)).with_concurrency_key(target)


def remove_deployment(targets: Targets) -> Pipeline:
    """An application, removed."""
    from container_kit.stages.deploy.manage import RemoveDeployment

    pipeline = AtomicPipeline(
        "remove-deployment",
        inputs=(ApplicationRef, RemovalOptions, TargetSelector),
        summary="Remove an application with all its versions, its volumes only where that is asked for.",
    )
    locations = _places()
    pipeline.add_stage(ChooseTarget(targets, tuple(locations)))
    with_consent(pipeline, lambda made: f"Remove {made[ApplicationRef].name} with all its versions")
    pipeline.add_stage(RemoveDeployment(locations))
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(15)).with_concurrency_key(target)


def verify(targets: Targets) -> Pipeline:
    """Whether an application serves."""
    from container_kit.stages.deploy.local.find_deployment import FindDeployment
    from container_kit.stages.deploy.local.verify import Verify

    pipeline = AtomicPipeline(
        "verify",
        inputs=(ApplicationRef, TargetSelector),
        summary="Check that an application serves as it should.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindDeployment(engine()))
    return pipeline.add_stage(Verify(engine())).with_timeout(minutes(2))


def target(made: Artifacts) -> str:
    """The application that is changed, in the words of the pipelines that deploy it."""
    return f"application {made[ApplicationRef].name.lower()} on {made[TargetSelector].deploy_to or LOCAL.name}"
