"""Pipelines that deploy to the local engine."""

from __future__ import annotations

from typing import TypeVar

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.catalog.consent import with_consent
from container_kit.pipelines.catalog.shared import TRANSIENT, application, engine, needs_dockerfile, scanner_settings
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, WorkflowPipeline, minutes
from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import BuildOptions, LocalImage
from container_kit.stages.artifacts.scan import ScanPolicy
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import TargetSelector
from container_kit.stages.contract.operator_policy import OperatorPolicy
from container_kit.stages.deploy.targets import LOCAL, ChooseTarget, Targets

P = TypeVar("P", bound=Pipeline)


def deploy(targets: Targets) -> Pipeline:
    """Deploy an image."""
    from container_kit.stages.docker.find_image import FindImage

    pipeline = AtomicPipeline(
        "deploy",
        inputs=(LocalImage, DeployOptions, TargetSelector),
        summary="Run an image on this machine; replaces the application of the same name.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindImage(engine()))
    return _add_deployment(pipeline, targets).with_timeout(minutes(15))


def deploy_source(targets: Targets) -> Pipeline:
    """Deploy the newest image that was built from a folder."""
    from container_kit.stages.docker.find_built_image import FindBuiltImage
    from container_kit.stages.docker.find_image import FindImage

    pipeline = AtomicPipeline(
        "deploy-source",
        inputs=(Source, DeployOptions, TargetSelector),
        summary="Run the newest image built from a folder; replaces the application of the same name.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(FindBuiltImage(engine())).add_stage(FindImage(engine()))
    return _add_deployment(pipeline, targets).with_timeout(minutes(15))


def full_deployment(targets: Targets, policy: OperatorPolicy) -> Pipeline:
    """Take a repository to a healthy container."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.build import BuildImage
    from container_kit.stages.dockerfile import WriteDockerfile
    from container_kit.stages.scan import ScanImage

    pipeline = WorkflowPipeline(
        "full-deployment",
        inputs=(Source, BuildOptions, ScanPolicy, DeployOptions, TargetSelector),
        summary="From a repository to a healthy container: analyze, build, scan, deploy, verify.",
    )
    pipeline.add_stage(ChooseTarget(targets)).add_stage(Analyze())
    pipeline.add_conditional_stage(WriteDockerfile(engine=engine()), when=needs_dockerfile)
    pipeline.add_stage(BuildImage(engine(), policy))
    pipeline.add_stage(ScanImage(engine(), scanner_settings(policy.osv_api)))
    return _add_deployment(pipeline, targets).with_timeout(minutes(45))


def _add_deployment(pipeline: P, targets: Targets) -> P:
    """Ask for approval if the target is protected, then deploy and verify."""
    from container_kit.stages.deploy.describe import DescribeDeployment
    from container_kit.stages.deploy.local.stage import Deploy
    from container_kit.stages.deploy.local.verify import Verify

    with_consent(pipeline, DescribeDeployment(engine()), "deploy", targets)
    pipeline.add_stage(Deploy(engine())).add_stage(Verify(engine()))
    return pipeline.with_retry(TRANSIENT).with_concurrency_key(concurrency_key)


def concurrency_key(artifacts: Artifacts) -> str:
    """Return the application that is replaced: runs that replace the same one wait for each other."""
    name = application(artifacts, artifacts[DeployOptions].name)
    return f"application {name} on {artifacts[TargetSelector].deploy_to or LOCAL.name}"
