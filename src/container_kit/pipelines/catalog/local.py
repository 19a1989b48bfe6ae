"""Pipelines that deploy to this machine's engine."""

from __future__ import annotations

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.catalog.consent import to_deploy, with_consent
from container_kit.pipelines.catalog.shared import TRANSIENT, application, engine, lacks_dockerfile
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, WorkflowPipeline, minutes
from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import BuildOptions, LocalImage
from container_kit.stages.artifacts.scan import ScanPolicy
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import TargetSelector
from container_kit.stages.deploy.targets import LOCAL, ChooseTarget, Targets


def deploy(targets: Targets) -> Pipeline:
    """An image here."""
    from container_kit.stages.deploy.local.stage import Deploy
    from container_kit.stages.deploy.local.verify import Verify
    from container_kit.stages.docker.find_image import FindImage

    pipeline = AtomicPipeline(
        "deploy",
        inputs=(LocalImage, DeployOptions, TargetSelector),
        summary="Run an image here, replacing what runs by that name.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindImage(engine()))
    with_consent(pipeline, to_deploy).add_stage(Deploy(engine())).add_stage(Verify(engine()))
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(15)).with_concurrency_key(target)


def deploy_source(targets: Targets) -> Pipeline:
    """The newest image of a folder, here."""
    from container_kit.stages.deploy.local.stage import Deploy
    from container_kit.stages.deploy.local.verify import Verify
    from container_kit.stages.docker.find_built_image import FindBuiltImage
    from container_kit.stages.docker.find_image import FindImage

    pipeline = AtomicPipeline(
        "deploy-source",
        inputs=(Source, DeployOptions, TargetSelector),
        summary="Run the newest image that was built from a folder, replacing what runs by that name.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindBuiltImage(engine())).add_stage(FindImage(engine()))
    with_consent(pipeline, to_deploy).add_stage(Deploy(engine())).add_stage(Verify(engine()))
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(15)).with_concurrency_key(target)


def full_deployment(targets: Targets) -> Pipeline:
    """From a repository to a healthy container."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.build import BuildImage
    from container_kit.stages.deploy.local.stage import Deploy
    from container_kit.stages.deploy.local.verify import Verify
    from container_kit.stages.dockerfile import WriteDockerfile
    from container_kit.stages.scan import ScanImage

    pipeline = WorkflowPipeline(
        "full-deployment",
        inputs=(Source, BuildOptions, ScanPolicy, DeployOptions, TargetSelector),
        summary="From a repository to a healthy container: analyze, build, scan, deploy, verify.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(Analyze())
    pipeline.add_conditional_stage(WriteDockerfile(engine=engine()), when=lacks_dockerfile)
    pipeline.add_stage(BuildImage(engine())).add_stage(ScanImage(engine()))
    with_consent(pipeline, to_deploy).add_stage(Deploy(engine())).add_stage(Verify(engine()))
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(45)).with_concurrency_key(target)


def target(made: Artifacts) -> str:
    """The application that is replaced: two runs that replace the same one follow one another."""
    return (
        f"application {application(made, made[DeployOptions].name)} on {made[TargetSelector].deploy_to or LOCAL.name}"
    )
