"""Base images: pinned to a version, still maintained, and without a compiler in the last stage."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem
from container_kit.stages.contract import expressions as re
from container_kit.stages.data.end_of_life import of_image
from container_kit.stages.docker.image_reference import ImageReference, is_pinned
from container_kit.stages.dockerfile.checks.reviewed import ReviewContext, problem, substitute
from container_kit.stages.ecosystems.facets.generation.version_ranges import preferred

_USUAL = {
    "python": ("3.13", "3.14", "3.12", "3.11"),
    "node": ("24", "26", "22"),
    "golang": ("1.27", "1.26"),
    "ruby": ("3.4", "4.0", "3.3"),
    "debian": ("trixie",),
    "alpine": ("3.23",),
}
"""The versions to suggest, the best first. The image keeps its variant."""
_BUILDERS = re.compile(
    r"(?:^|/)(?:golang|rust|gradle|maven|gcc|composer|haskell|dart|crystal)(?::|$)|-jdk|/sdk(?::|$)|(?:^|/)(?:openjdk)(?::|$)"
)


def _unpinned(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        if stage.parent is not None or not stage.is_resolved or stage.base == "scratch":
            continue
        reference = ImageReference.try_parse(stage.base)
        if reference is None or is_pinned(stage.base):
            continue
        version = _version(file, reference.name)
        patch = None
        if version:
            name = stage.base.removesuffix(":latest")
            patch = substitute(file, stage.start, rf"{re.escape(name)}(?::latest)?(?=\s|$)", f"{name}:{version}")
        yield problem(
            "unpinned-base",
            stage.start,
            "warning",
            f"{stage.base} has no version",
            "the same commit builds another image tomorrow, and may stop building",
            patch,
        )


def _version(file: ReviewContext, image: str) -> str | None:
    if image not in _USUAL:
        return None
    images = {"javascript": "node", "typescript": "node", "go": "golang"}
    module = file.module
    language = module.language.value or "" if module else ""
    declared = module.language_version.value if module and images.get(language, language) == image else None
    return preferred(declared, _USUAL[image])[0]


def _ended(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        ended = of_image(stage.base) if stage.parent is None else None
        if ended:
            rationale = "known vulnerabilities in it stay open"
            yield problem("end-of-life-base", stage.start, "warning", f"{stage.base}: {ended}", rationale)


def _compiler(file: ReviewContext) -> Iterator[DockerfileProblem]:
    base, last = file.base(file.last), file.last
    installs = [
        run
        for run in last.of("RUN")
        if re.search(r"\b(?:build-essential|build-base)\b", run.script)
        and not re.search(r"apt-get (?:purge|remove|autoremove)|apk del", run.script)
    ]
    rationale = "build in a separate stage and copy the result: the image is smaller and gives an attacker fewer tools"
    if _BUILDERS.search(base) and last.of("CMD", "ENTRYPOINT"):
        message = f"the last stage is based on {base}, an image for building"
        yield problem("compiler-in-image", last.start, "info", message, rationale)
    for run in installs:
        yield problem("compiler-in-image", run, "info", "the last stage contains a compiler", rationale)


CHECKS = (_unpinned, _ended, _compiler)
