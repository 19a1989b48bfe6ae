"""The catalog: the pipelines of this product, and the only place that knows their stages.

A pipeline is built, and its stages imported, when it is first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from container_kit.pipelines import catalog_of_clusters
from container_kit.pipelines.consent import to_deploy, with_consent
from container_kit.pipelines.made import Made
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, WorkflowPipeline, minutes
from container_kit.pipelines.retry import RetryPolicy
from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.base import Artifact
from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.dockerfile import DockerfileOptions, PatchChoice
from container_kit.stages.artifacts.examination import Surroundings
from container_kit.stages.artifacts.image import BuildOptions, ImageReference
from container_kit.stages.artifacts.operation import (
    ApplicationFilter,
    ApplicationName,
    LogChoice,
    Removal,
    VersionChoice,
)
from container_kit.stages.artifacts.push import PushOptions, TagOptions
from container_kit.stages.artifacts.scan import SbomOptions, ScanPolicy
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import TargetChoice
from container_kit.stages.choose_target import LOCAL, ChooseTarget, Targets
from container_kit.stages.contract import Stage
from container_kit.stages.fault import WiringError

if TYPE_CHECKING:
    from container_kit.stages.operate import Places

if TYPE_CHECKING:
    from container_kit.stages.docker_engine import DockerEngine

_TRANSIENT = RetryPolicy.exponential(max_attempts=3, initial_delay=1, max_delay=30, multiplier=2)


@cache
def _engine() -> DockerEngine:
    """One engine for all stages, so that its connections and its limit on calls are shared."""
    from container_kit.stages.docker_engine import DockerEngine

    return DockerEngine()


def _analyze() -> Pipeline:
    from container_kit.stages.analyze import Analyze

    pipeline = AtomicPipeline("analyze", given=Source, summary="Find out what a repository holds and how it runs.")
    return pipeline.add_stage(Analyze()).with_timeout(minutes(2))


def _write_dockerfile() -> Pipeline:
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.dockerfile import WriteDockerfile

    pipeline = AtomicPipeline(
        "write-dockerfile",
        given=(Source, DockerfileOptions),
        summary="Write a Dockerfile and .dockerignore that fit the repository.",
    )
    return pipeline.add_stage(Analyze()).add_stage(WriteDockerfile(engine=_engine())).with_timeout(minutes(2))


def _review_dockerfile() -> Pipeline:
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.dockerfile import ReviewDockerfile

    pipeline = AtomicPipeline(
        "review-dockerfile", given=Source, summary="Look for what is wrong with the repository's Dockerfile."
    )
    return pipeline.add_stage(Analyze()).add_stage(ReviewDockerfile()).with_timeout(minutes(2))


def _patch_dockerfile() -> Pipeline:
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.dockerfile import ApplyPatches, ReviewDockerfile

    pipeline = AtomicPipeline(
        "patch-dockerfile",
        given=(Source, PatchChoice),
        summary="Apply patches of a review to the repository's Dockerfile.",
    )
    pipeline.add_stage(Analyze()).add_stage(ReviewDockerfile()).add_stage(ApplyPatches())
    return pipeline.with_timeout(minutes(2))


def _build() -> Pipeline:
    from container_kit.stages.build import BuildImage

    pipeline = AtomicPipeline(
        "build", given=(Source, BuildOptions), summary="Build an image from the repository's Dockerfile."
    )
    return pipeline.add_stage(BuildImage(_engine())).with_retry(_TRANSIENT).with_timeout(minutes(30))


def _scan() -> Pipeline:
    from container_kit.stages.find_image import FindImage
    from container_kit.stages.scan import DescribeImage, ScanImage

    pipeline = AtomicPipeline(
        "scan",
        given=(ImageReference, ScanPolicy, SbomOptions),
        summary="Look for vulnerabilities in an image, and list what is in it where that is asked for.",
    )
    pipeline.add_stage(FindImage(_engine()))
    pipeline.add_conditional_stage(DescribeImage(_engine()), when=lambda made: made[SbomOptions].sbom)
    return pipeline.add_stage(ScanImage(_engine())).with_timeout(minutes(15))


def _scan_source() -> Pipeline:
    from container_kit.stages.scan import ScanSource

    pipeline = AtomicPipeline(
        "scan-source",
        given=(Source, ScanPolicy),
        summary="Look for vulnerabilities in a repository and its Dockerfile.",
    )
    return pipeline.add_stage(ScanSource()).with_timeout(minutes(15))


def _push(*, source: bool = False) -> Pipeline:
    from container_kit.stages.push import PushImage

    does = "Push {} to a registry, which confirms its digest."
    return _on_image("push", PushOptions, PushImage(_engine()), does, source=source)


def _tag(*, source: bool = False) -> Pipeline:
    from container_kit.stages.push import TagImage

    return _on_image("tag", TagOptions, TagImage(_engine()), "Give {} another name.", source=source)


def _on_image(name: str, options: type[Artifact], stage: Stage[Any], does: str, *, source: bool) -> Pipeline:
    """One stage on an image that is named, or on the newest one that was built from a folder."""
    from container_kit.stages.find_built_image import FindBuiltImage
    from container_kit.stages.find_image import FindImage

    what = "the newest image that was built from a folder" if source else "an image"
    given = (Source if source else ImageReference, options)
    pipeline = AtomicPipeline(f"{name}-source" if source else name, given=given, summary=does.format(what))
    if source:
        pipeline.add_stage(FindBuiltImage(_engine()))
    pipeline.add_stage(FindImage(_engine())).add_stage(stage)
    return pipeline.with_retry(_TRANSIENT).with_timeout(minutes(30))


def _deploy(targets: Targets) -> Pipeline:
    from container_kit.stages.deploy import Deploy
    from container_kit.stages.find_image import FindImage
    from container_kit.stages.verify import Verify

    pipeline = AtomicPipeline(
        "deploy",
        given=(ImageReference, DeployOptions, TargetChoice),
        summary="Run an image here, replacing what runs by that name.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindImage(_engine()))
    with_consent(pipeline, to_deploy).add_stage(Deploy(_engine())).add_stage(Verify(_engine()))
    return pipeline.with_retry(_TRANSIENT).with_timeout(minutes(15)).with_target(_target)


def _deploy_source(targets: Targets) -> Pipeline:
    from container_kit.stages.deploy import Deploy
    from container_kit.stages.find_built_image import FindBuiltImage
    from container_kit.stages.find_image import FindImage
    from container_kit.stages.verify import Verify

    pipeline = AtomicPipeline(
        "deploy-source",
        given=(Source, DeployOptions, TargetChoice),
        summary="Run the newest image that was built from a folder, replacing what runs by that name.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindBuiltImage(_engine())).add_stage(FindImage(_engine()))
    with_consent(pipeline, to_deploy).add_stage(Deploy(_engine())).add_stage(Verify(_engine()))
    return pipeline.with_retry(_TRANSIENT).with_timeout(minutes(15)).with_target(_target)


def _full_deployment(targets: Targets) -> Pipeline:
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.build import BuildImage
    from container_kit.stages.deploy import Deploy
    from container_kit.stages.dockerfile import WriteDockerfile
    from container_kit.stages.scan import ScanImage
    from container_kit.stages.verify import Verify

    pipeline = WorkflowPipeline(
        "full-deployment",
        given=(Source, BuildOptions, ScanPolicy, DeployOptions, TargetChoice),
        summary="From a repository to a healthy container: analyze, build, scan, deploy, verify.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(Analyze())
    pipeline.add_conditional_stage(WriteDockerfile(engine=_engine()), when=_lacks_dockerfile)
    pipeline.add_stage(BuildImage(_engine())).add_stage(ScanImage(_engine()))
    with_consent(pipeline, to_deploy).add_stage(Deploy(_engine())).add_stage(Verify(_engine()))
    return pipeline.with_retry(_TRANSIENT).with_timeout(minutes(45)).with_target(_target)


def _places() -> Places:
    """How applications are looked after on targets of each kind."""
    from container_kit.stages.deploy import LocalPlace

    return {"local": lambda target: LocalPlace(_engine(), target), "kubernetes": catalog_of_clusters.place}


def _list_deployments(targets: Targets) -> Pipeline:
    from container_kit.stages.operate import ListDeployments

    pipeline = AtomicPipeline(
        "list-deployments",
        given=(ApplicationFilter, TargetChoice),
        summary="List what is deployed on a target, with the versions that can be gone back to.",
    )
    places = _places()
    return pipeline.add_stage(ChooseTarget(targets, tuple(places))).add_stage(ListDeployments(places)).with_timeout(60)


def _deployment_logs(targets: Targets) -> Pipeline:
    from container_kit.stages.operate import ReadLog

    pipeline = AtomicPipeline(
        "deployment-logs",
        given=(ApplicationName, LogChoice, TargetChoice),
        summary="Read the end of what a deployed application printed.",
    )
    places = _places()
    return pipeline.add_stage(ChooseTarget(targets, tuple(places))).add_stage(ReadLog(places)).with_timeout(60)


def _rollback_deployment(targets: Targets) -> Pipeline:
    from container_kit.stages.operate import GoBack

    pipeline = AtomicPipeline(
        "rollback-deployment",
        given=(ApplicationName, VersionChoice, TargetChoice),
        summary="Let an earlier version of an application serve again.",
    )
    places = _places()
    pipeline.add_stage(ChooseTarget(targets, tuple(places)))
    with_consent(pipeline, lambda made: f"Let an earlier version of {made[ApplicationName].name} serve again")
    pipeline.add_stage(GoBack(places))
    return pipeline.with_retry(_TRANSIENT).with_timeout(minutes(15)).with_target(_target)


def _remove_deployment(targets: Targets) -> Pipeline:
    from container_kit.stages.operate import RemoveDeployment

    pipeline = AtomicPipeline(
        "remove-deployment",
        given=(ApplicationName, Removal, TargetChoice),
        summary="Remove an application with all its versions, its volumes only where that is asked for.",
    )
    places = _places()
    pipeline.add_stage(ChooseTarget(targets, tuple(places)))
    with_consent(pipeline, lambda made: f"Remove {made[ApplicationName].name} with all its versions")
    pipeline.add_stage(RemoveDeployment(places))
    return pipeline.with_retry(_TRANSIENT).with_timeout(minutes(15)).with_target(_target)


def _verify(targets: Targets) -> Pipeline:
    from container_kit.stages.deploy import FindDeployment
    from container_kit.stages.verify import Verify

    pipeline = AtomicPipeline(
        "verify",
        given=(ApplicationName, TargetChoice),
        summary="Check that an application serves as it should.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindDeployment(_engine()))
    return pipeline.add_stage(Verify(_engine())).with_timeout(minutes(2))


def _doctor() -> Pipeline:
    from container_kit.stages.doctor import Examine

    pipeline = AtomicPipeline(
        "doctor", given=Surroundings, summary="Say what this machine has, what it lacks and how to get it."
    )
    return pipeline.add_stage(Examine()).with_timeout(30)


def _target(made: Made) -> str:
    """The application that is replaced: two runs that replace the same one follow one another."""
    by_name = made.get(ApplicationName) or made[DeployOptions]
    name, source, image = by_name.name, made.get(Source), made.get(ImageReference)
    if name is None and source is not None:
        name = (Path(source.path).resolve() / source.module).name
    elif name is None and image is not None:
        name = image.image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    return f"application {(name or '').lower()} on {made[TargetChoice].deploy_to or LOCAL.name}"


def _lacks_dockerfile(made: Made) -> bool:
    return made[Analysis].dockerfile is None and made[BuildOptions].dockerfile is None


_BUILDERS: dict[str, Callable[[], Pipeline]] = {
    "analyze": _analyze,
    "write-dockerfile": _write_dockerfile,
    "review-dockerfile": _review_dockerfile,
    "patch-dockerfile": _patch_dockerfile,
    "build": _build,
    "scan": _scan,
    "scan-source": _scan_source,
    "push": _push,
    "push-source": partial(_push, source=True),
    "tag": _tag,
    "tag-source": partial(_tag, source=True),
    "doctor": _doctor,
    "write-manifests": catalog_of_clusters.write_manifests,
}
_DEPLOYING: dict[str, Callable[[Targets], Pipeline]] = {
    "deploy": _deploy,
    "deploy-source": _deploy_source,
    "full-deployment": _full_deployment,
    "list-deployments": _list_deployments,
    "deployment-logs": _deployment_logs,
    "rollback-deployment": _rollback_deployment,
    "remove-deployment": _remove_deployment,
    "verify": _verify,
}
_IN_CLUSTERS: dict[str, Callable[[Targets, DockerEngine], Pipeline]] = {
    "deploy-kubernetes": catalog_of_clusters.deploy_kubernetes,
    "deploy-kubernetes-source": catalog_of_clusters.deploy_kubernetes_source,
    "deploy-kubernetes-pinned": catalog_of_clusters.deploy_kubernetes_pinned,
    "deploy-manifests": catalog_of_clusters.deploy_manifests,
    "full-deployment-kubernetes": catalog_of_clusters.full_deployment_kubernetes,
    "verify-kubernetes": catalog_of_clusters.verify_kubernetes,
}


def surroundings() -> tuple[str, ...]:
    """What decides, beside a run's input, on which engine and cluster it has its effects; blocking."""
    from container_kit.stages.docker_endpoint import EndpointError, find_endpoint

    try:
        engine = find_endpoint().host
    except EndpointError as error:  # the stage that needs the engine will say so
        engine = str(error)
    return (engine, os.environ.get("KUBECONFIG", ""))


async def sweep(run_ids: Sequence[str]) -> list[str]:
    """Remove what forgotten runs left behind and nobody uses; the ids of what is gone.

    Raises:
        StageFailure: A fault of the engine.
    """
    from container_kit.stages.leftovers import sweep

    return await sweep(_engine(), run_ids)


def names() -> tuple[str, ...]:
    """The names of all pipelines."""
    return (*_BUILDERS, *_DEPLOYING, *_IN_CLUSTERS)


@cache
def pipeline(name: str, targets: Targets = ()) -> Pipeline:
    """The pipeline of this name. It is shared: do not change it.

    Args:
        targets: Where it may deploy to beside the local engine.

    Raises:
        WiringError: There is none.
    """
    if name in _DEPLOYING:
        return _DEPLOYING[name](targets)
    if name in _IN_CLUSTERS:
        return _IN_CLUSTERS[name](targets, _engine())
    if name not in _BUILDERS:
        raise WiringError(f"no pipeline {name!r}; there are {', '.join(names())}")
    return _BUILDERS[name]()
