"""Pipelines that look after what was deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from container_kit.pipelines.artifacts import Made
from container_kit.pipelines.catalog import kubernetes as clusters
from container_kit.pipelines.catalog.consent import with_consent
from container_kit.pipelines.catalog.shared import TRANSIENT, engine
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, minutes
from container_kit.stages.artifacts.deployments import (
    ApplicationFilter,
    ApplicationName,
    LogChoice,
    Removal,
    VersionChoice,
)
from container_kit.stages.artifacts.target import TargetChoice
from container_kit.stages.deploy.targets import LOCAL, ChooseTarget, Targets

if TYPE_CHECKING:
    from container_kit.stages.deploy.backend import Places


def _places() -> Places:
    """How applications are looked after on targets of each kind."""
    from container_kit.stages.deploy.local.backend import LocalPlace

    return {"local": lambda target: LocalPlace(engine(), target), "kubernetes": clusters.place}


def list_deployments(targets: Targets) -> Pipeline:
    """What is deployed."""
    from container_kit.stages.deploy.manage import ListDeployments

    pipeline = AtomicPipeline(
        "list-deployments",
        given=(ApplicationFilter, TargetChoice),
        summary="List what is deployed on a target, with the versions that can be gone back to.",
    )
    places = _places()
    return pipeline.add_stage(ChooseTarget(targets, tuple(places))).add_stage(ListDeployments(places)).with_timeout(60)


def deployment_logs(targets: Targets) -> Pipeline:
    """What an application printed."""
    from container_kit.stages.deploy.manage import ReadLog

    pipeline = AtomicPipeline(
        "deployment-logs",
        given=(ApplicationName, LogChoice, TargetChoice),
        summary="Read the end of what a deployed application printed.",
    )
    places = _places()
    return pipeline.add_stage(ChooseTarget(targets, tuple(places))).add_stage(ReadLog(places)).with_timeout(60)


def rollback_deployment(targets: Targets) -> Pipeline:
    """An earlier version again."""
    from container_kit.stages.deploy.manage import GoBack

    pipeline = AtomicPipeline(
        "rollback-deployment",
        given=(ApplicationName, VersionChoice, TargetChoice),
        summary="Let an earlier version of an application serve again.",
    )
    places = _places()
    pipeline.add_stage(ChooseTarget(targets, tuple(places)))
    with_consent(pipeline, lambda made: f"Let an earlier version of {made[ApplicationName].name} serve again")
    pipeline.add_stage(GoBack(places))
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(15)).with_target(target)


def remove_deployment(targets: Targets) -> Pipeline:
    """An application, removed."""
    from container_kit.stages.deploy.manage import RemoveDeployment

    pipeline = AtomicPipeline(
        "remove-deployment",
        given=(ApplicationName, Removal, TargetChoice),
        summary="Remove an application with all its versions, its volumes only where that is asked for.",
    )
    places = _places()
    pipeline.add_stage(ChooseTarget(targets, tuple(places)))
    with_consent(pipeline, lambda made: f"Remove {made[ApplicationName].name} with all its versions")
    pipeline.add_stage(RemoveDeployment(places))
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(15)).with_target(target)


def verify(targets: Targets) -> Pipeline:
    """Whether an application serves."""
    from container_kit.stages.deploy.local.find_deployment import FindDeployment
    from container_kit.stages.deploy.local.verify import Verify

    pipeline = AtomicPipeline(
        "verify",
        given=(ApplicationName, TargetChoice),
        summary="Check that an application serves as it should.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindDeployment(engine()))
    return pipeline.add_stage(Verify(engine())).with_timeout(minutes(2))


def target(made: Made) -> str:
    """The application that is changed, in the words of the pipelines that deploy it."""
    return f"application {made[ApplicationName].name.lower()} on {made[TargetChoice].deploy_to or LOCAL.name}"
