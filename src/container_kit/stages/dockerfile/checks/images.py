"""Base images: pinned to a version, still maintained, and in the last stage without a compiler."""

from __future__ import annotations

import re
from collections.abc import Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem
from container_kit.stages.data.end_of_life import of_image
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
"""The versions to name in place of none, the best first; the image stays as full as it was."""
_BUILDERS = re.compile(
    r"(?:^|/)(?:golang|rust|gradle|maven|gcc|composer|haskell|dart|crystal)(?::|$)|-jdk|/sdk(?::|$)|(?:^|/)(?:openjdk)(?::|$)"
)


def _unpinned(file: ReviewContext) -> Iterator[DockerfileProblem]:
    named = {stage.name for stage in file.stages}
    for stage in file.stages:
        name, tag = _name_and_tag(stage.base)
        if stage.base in named or stage.base == "scratch" or "$" in stage.base or tag not in {"", "latest"}:
            continue
        wanted = _tag(file, name.removeprefix("docker.io/").removeprefix("library/"))
        patch = None
        if wanted:
            patch = substitute(file, stage.start, rf"{re.escape(name)}(?::latest)?(?=\s|$)", f"{name}:{wanted}")
        yield problem(
            "unpinned-base",
            stage.start,
            "warning",
            f"{stage.base} names no version",
            "the same commit is another image tomorrow, and may stop building",
            patch,
        )


def _name_and_tag(reference: str) -> tuple[str, str]:
    if "@" in reference:
        return reference.partition("@")[0], "digest"
    name, separator, tag = reference.rpartition(":")
    return (name, tag) if separator and "/" not in tag else (reference, "")


def _tag(file: ReviewContext, image: str) -> str | None:
    if image not in _USUAL:
        return None
    language = {"javascript": "node", "typescript": "node", "go": "golang"}
    module = file.module
    spoken = module.language.value or "" if module else ""
    declared = module.language_version.value if module and language.get(spoken, spoken) == image else None
    return preferred(declared, _USUAL[image])[0]


def _ended(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        ended = of_image(stage.base)
        if ended:
            yield problem(
                "end-of-life-base", stage.start, "warning", f"{stage.base}: {ended}", "known holes in it stay open"
            )


def _compiler(file: ReviewContext) -> Iterator[DockerfileProblem]:
    base, last = file.base(file.last), file.last
    installs = [
        run
        for run in last.of("RUN")
        if re.search(r"\b(?:build-essential|build-base)\b", run.text)
        and not re.search(r"apt-get (?:purge|remove|autoremove)|apk del", run.text)
    ]
    rationale = "build in a stage of its own and copy the result: smaller, and of less use to an intruder"
    if _BUILDERS.search(base) and last.of("CMD", "ENTRYPOINT"):
        message = f"what is shipped rests on {base}, which is made for building"
        yield problem("compiler-in-image", last.start, "info", message, rationale)
    for run in installs:
        yield problem("compiler-in-image", run, "info", "a compiler is in the image that is shipped", rationale)


CHECKS = (_unpinned, _ended, _compiler)
