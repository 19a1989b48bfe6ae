"""Pipelines for sources and images, and the check of the host."""

from __future__ import annotations

from typing import Any

from container_kit.pipelines.catalog.shared import TRANSIENT, engine, scanner_settings
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, minutes
from container_kit.stages.artifacts.dockerfile import DockerfileOptions, PatchSelection
from container_kit.stages.artifacts.host_checks import DoctorOptions
from container_kit.stages.artifacts.image import BuildOptions, LocalImage
from container_kit.stages.artifacts.push import PushOptions, TagOptions
from container_kit.stages.artifacts.scan import SbomOptions, ScanPolicy
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.operator_policy import OperatorPolicy
from container_kit.stages.contract.stage import Stage


def analyze() -> Pipeline:
    """Analyze a repository."""
    from container_kit.stages.analyze import Analyze

    pipeline = AtomicPipeline("analyze", inputs=Source, summary="Find out what a repository has and how to run it.")
    return pipeline.add_stage(Analyze()).with_timeout(minutes(2))


def write_dockerfile() -> Pipeline:
    """Write a Dockerfile for a repository."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.dockerfile import WriteDockerfile

    pipeline = AtomicPipeline(
        "write-dockerfile",
        inputs=(Source, DockerfileOptions),
        summary="Write a Dockerfile and .dockerignore for the repository.",
    )
    return pipeline.add_stage(Analyze()).add_stage(WriteDockerfile(engine=engine())).with_timeout(minutes(2))


def review_dockerfile() -> Pipeline:
    """Review a Dockerfile."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.dockerfile import ReviewDockerfile

    pipeline = AtomicPipeline(
        "review-dockerfile", inputs=Source, summary="Find problems in the repository's Dockerfile."
    )
    return pipeline.add_stage(Analyze()).add_stage(ReviewDockerfile()).with_timeout(minutes(2))


def patch_dockerfile() -> Pipeline:
    """Apply patches of a review to a Dockerfile."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.dockerfile import ApplyPatches, ReviewDockerfile

    pipeline = AtomicPipeline(
        "patch-dockerfile",
        inputs=(Source, PatchSelection),
        summary="Apply patches of a review to the repository's Dockerfile.",
    )
    pipeline.add_stage(Analyze()).add_stage(ReviewDockerfile()).add_stage(ApplyPatches())
    return pipeline.with_timeout(minutes(2))


def build(policy: OperatorPolicy) -> Pipeline:
    """Build an image."""
    from container_kit.stages.build import BuildImage

    pipeline = AtomicPipeline(
        "build", inputs=(Source, BuildOptions), summary="Build an image from the repository's Dockerfile."
    )
    return pipeline.add_stage(BuildImage(engine(), policy)).with_retry(TRANSIENT).with_timeout(minutes(30))


def scan(policy: OperatorPolicy) -> Pipeline:
    """Scan an image."""
    from container_kit.stages.docker.find_image import FindImage
    from container_kit.stages.scan import GenerateImageSbom, ScanImage

    pipeline = AtomicPipeline(
        "scan",
        inputs=(LocalImage, ScanPolicy, SbomOptions),
        summary="Find vulnerabilities in an image, and write its SBOM on request.",
    )
    pipeline.add_stage(FindImage(engine()))
    pipeline.add_conditional_stage(GenerateImageSbom(engine()), when=lambda artifacts: artifacts[SbomOptions].sbom)
    return pipeline.add_stage(ScanImage(engine(), scanner_settings(policy.osv_api))).with_timeout(minutes(15))


def scan_source(policy: OperatorPolicy) -> Pipeline:
    """Scan a repository."""
    from container_kit.stages.scan import GenerateSourceSbom, ScanSource

    pipeline = AtomicPipeline(
        "scan-source",
        inputs=(Source, ScanPolicy, SbomOptions),
        summary="Find vulnerabilities in a repository and its Dockerfile, and write its SBOM on request.",
    )
    pipeline.add_conditional_stage(GenerateSourceSbom(), when=lambda artifacts: artifacts[SbomOptions].sbom)
    return pipeline.add_stage(ScanSource(scanner_settings(policy.osv_api))).with_timeout(minutes(15))


def push(policy: OperatorPolicy, *, source: bool = False) -> Pipeline:
    """Push an image to a registry."""
    from container_kit.stages.push import PushImage

    summary = "Push {} to a registry and verify its digest."
    return _on_image("push", PushOptions, PushImage(engine(), policy), summary, source=source)


def tag(*, source: bool = False) -> Pipeline:
    """Tag an image."""
    from container_kit.stages.push import TagImage

    return _on_image("tag", TagOptions, TagImage(engine()), "Give {} another name.", source=source)


def _on_image(name: str, options: type[Artifact], stage: Stage[Any], summary: str, *, source: bool) -> Pipeline:
    """Return a pipeline with one stage on a named image, or on the newest image built from a folder."""
    from container_kit.stages.docker.find_built_image import FindBuiltImage
    from container_kit.stages.docker.find_image import FindImage

    image = "the newest image built from a folder" if source else "an image"
    inputs = (Source if source else LocalImage, options)
    pipeline = AtomicPipeline(f"{name}-source" if source else name, inputs=inputs, summary=summary.format(image))
    if source:
        pipeline.add_stage(FindBuiltImage(engine()))
    pipeline.add_stage(FindImage(engine())).add_stage(stage)
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(30))


def doctor() -> Pipeline:
    """Check the host."""
    from container_kit.stages.doctor import CheckHost

    pipeline = AtomicPipeline(
        "doctor", inputs=DoctorOptions, summary="Check what this machine has, what is missing and how to install it."
    )
    return pipeline.add_stage(CheckHost()).with_timeout(30)
