"""Pipelines about sources and images, and the one about the machine."""

from __future__ import annotations

from typing import Any

from container_kit.pipelines.catalog.shared import TRANSIENT, engine
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, minutes
from container_kit.stages.artifacts.dockerfile import DockerfileOptions, PatchSelection
from container_kit.stages.artifacts.host_checks import DoctorOptions
from container_kit.stages.artifacts.image import BuildOptions, LocalImage
from container_kit.stages.artifacts.push import PushOptions, TagOptions
from container_kit.stages.artifacts.scan import SbomOptions, ScanPolicy
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.stage import Stage


def analyze() -> Pipeline:
    """What a repository holds."""
    from container_kit.stages.analyze import Analyze

    pipeline = AtomicPipeline("analyze", inputs=Source, summary="Find out what a repository holds and how it runs.")
    return pipeline.add_stage(Analyze()).with_timeout(minutes(2))


def write_dockerfile() -> Pipeline:
    """A Dockerfile that fits."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.dockerfile import WriteDockerfile

    pipeline = AtomicPipeline(
        "write-dockerfile",
        inputs=(Source, DockerfileOptions),
        summary="Write a Dockerfile and .dockerignore that fit the repository.",
    )
    return pipeline.add_stage(Analyze()).add_stage(WriteDockerfile(engine=engine())).with_timeout(minutes(2))


def review_dockerfile() -> Pipeline:
    """What is wrong with a Dockerfile."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.dockerfile import ReviewDockerfile

    pipeline = AtomicPipeline(
        "review-dockerfile", inputs=Source, summary="Look for what is wrong with the repository's Dockerfile."
    )
    return pipeline.add_stage(Analyze()).add_stage(ReviewDockerfile()).with_timeout(minutes(2))


def patch_dockerfile() -> Pipeline:
    """A Dockerfile, patched."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.dockerfile import ApplyPatches, ReviewDockerfile

    pipeline = AtomicPipeline(
        "patch-dockerfile",
        inputs=(Source, PatchSelection),
        summary="Apply patches of a review to the repository's Dockerfile.",
    )
    pipeline.add_stage(Analyze()).add_stage(ReviewDockerfile()).add_stage(ApplyPatches())
    return pipeline.with_timeout(minutes(2))


def build() -> Pipeline:
    """An image."""
    from container_kit.stages.build import BuildImage

    pipeline = AtomicPipeline(
        "build", inputs=(Source, BuildOptions), summary="Build an image from the repository's Dockerfile."
    )
    return pipeline.add_stage(BuildImage(engine())).with_retry(TRANSIENT).with_timeout(minutes(30))


def scan() -> Pipeline:
    """Findings in an image."""
    from container_kit.stages.docker.find_image import FindImage
    from container_kit.stages.scan import GenerateImageSbom, ScanImage

    pipeline = AtomicPipeline(
        "scan",
        inputs=(LocalImage, ScanPolicy, SbomOptions),
        summary="Look for vulnerabilities in an image, and list what is in it where that is asked for.",
    )
    pipeline.add_stage(FindImage(engine()))
    pipeline.add_conditional_stage(GenerateImageSbom(engine()), when=lambda made: made[SbomOptions].sbom)
    return pipeline.add_stage(ScanImage(engine())).with_timeout(minutes(15))


def scan_source() -> Pipeline:
    """Findings in a repository."""
    from container_kit.stages.scan import GenerateSourceSbom, ScanSource

    pipeline = AtomicPipeline(
        "scan-source",
        inputs=(Source, ScanPolicy, SbomOptions),
        summary="Look for vulnerabilities in a repository and its Dockerfile, and list what it depends on where that "
        "is asked for.",
    )
    pipeline.add_conditional_stage(GenerateSourceSbom(), when=lambda made: made[SbomOptions].sbom)
    return pipeline.add_stage(ScanSource()).with_timeout(minutes(15))


def push(*, source: bool = False) -> Pipeline:
    """An image in a registry."""
    from container_kit.stages.push import PushImage

    does = "Push {} to a registry, which confirms its digest."
    return _on_image("push", PushOptions, PushImage(engine()), does, source=source)


def tag(*, source: bool = False) -> Pipeline:
    """Another name for an image."""
    from container_kit.stages.push import TagImage

    return _on_image("tag", TagOptions, TagImage(engine()), "Give {} another name.", source=source)


def _on_image(name: str, options: type[Artifact], stage: Stage[Any], does: str, *, source: bool) -> Pipeline:
    """One stage on an image that is named, or on the newest one that was built from a folder."""
    from container_kit.stages.docker.find_built_image import FindBuiltImage
    from container_kit.stages.docker.find_image import FindImage

    what = "the newest image that was built from a folder" if source else "an image"
    given = (Source if source else LocalImage, options)
    pipeline = AtomicPipeline(f"{name}-source" if source else name, inputs=given, summary=does.format(what))
    if source:
        pipeline.add_stage(FindBuiltImage(engine()))
    pipeline.add_stage(FindImage(engine())).add_stage(stage)
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(30))


def doctor() -> Pipeline:
    """What this machine has."""
    from container_kit.stages.doctor import CheckHost

    pipeline = AtomicPipeline(
        "doctor", inputs=DoctorOptions, summary="Say what this machine has, what it lacks and how to get it."
    )
    return pipeline.add_stage(CheckHost()).with_timeout(30)
