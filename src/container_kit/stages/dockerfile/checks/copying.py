"""COPY and ADD: what is there, what is let through, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem, Patch
from container_kit.stages.dockerfile.checks.installing import INSTALL
from container_kit.stages.dockerfile.checks.reviewed import ReviewContext, problem, substitute
from container_kit.stages.dockerfile.generate.dockerignore import ignore_text, is_ignored
from container_kit.stages.formats.dockerfile_stages import BuildStage, Instruction

_ARCHIVE = re.compile(r"\.(?:tar|tar\.(?:gz|bz2|xz|zst)|tgz|txz|tbz2?)$")
_REMOTE = re.compile(r"^(?:https?|ftp)://|^git@|\.git(?:#|$)")
_KEPT_OUT = ("**/node_modules", "**/__pycache__", "**/.venv")


def _missing_sources(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for copy in _from_the_context(file):
        for path in copy.value[:-1]:
            if re.search(r"[*?\[$<]", path) or _REMOTE.search(path):
                continue
            clean = path.strip("/").removeprefix("./") or "."
            stops = "the build stops here"
            if not file.tree.exists(clean):
                yield problem("missing-source", copy, "error", f"{path} is not in the source tree", stops)
            elif clean != "." and is_ignored(clean, file.ignored or ()):
                yield problem("ignored-source", copy, "error", f"{path} is kept out by .dockerignore", stops)


def _from_the_context(file: ReviewContext) -> Iterator[Instruction]:
    for stage in file.stages:
        for copy in stage.of("COPY", "ADD"):
            if not any(flag.startswith("--from") for flag in copy.flags):
                yield copy


def _add(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for add in stage.of("ADD"):
            sources = add.value[:-1]
            if any(_REMOTE.search(path) for path in sources):
                if not any(flag.startswith("--checksum") for flag in add.flags):
                    rationale = (
                        "nothing checks what comes, and it stays in a layer: give --checksum, or fetch it in a RUN"
                    )
                    yield problem("add-remote", add, "warning", f"ADD fetches {sources[0]} unchecked", rationale)
            elif not any(_ARCHIVE.search(path) for path in sources):
                patch = substitute(file, add, r"(?i)^(\s*)add\b", r"\1COPY")
                rationale = "ADD also unpacks archives and fetches addresses, which is not meant here"
                yield problem("add-for-copy", add, "info", "ADD does what COPY says", rationale, patch)


def _cache_order(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        installs = [run for run in stage.of("RUN") if INSTALL.search(run.text)]
        everything = [copy for copy in stage.of("COPY", "ADD") if copy.value[0] in {".", "./"} and not copy.flags]
        if not installs or not everything or not file.manifests or everything[0].first_line > installs[0].first_line:
            continue
        if any(c.first_line < everything[0].first_line and not c.flags for c in stage.of("COPY", "ADD")):
            continue
        yield problem(
            "cache-order",
            everything[0],
            "warning",
            "all of the source is copied before the dependencies are installed",
            "every change of a file installs them again; the manifests alone should come first",
            _reordered(file, stage, everything[0], installs[0]),
        )


def _reordered(file: ReviewContext, stage: BuildStage, copy: Instruction, install: Instruction) -> Patch | None:
    between = [i for i in stage.instructions if copy.first_line < i.first_line < install.first_line]
    simple = all(i.word in {"ENV", "ARG", "WORKDIR"} for i in between) and copy.value[-1] in {".", "./"}
    plain = all(re.fullmatch(r"[\w.@+-]+", path) for path in file.manifests)
    if not simple or not plain or re.search(r"(-e|install) \.|setup\.py", install.text):
        return None
    named = " ".join(path for path in file.manifests if not is_ignored(path, file.ignored or ()))
    moved = "\n".join(file.lines[copy.last_line : install.last_line])
    text = f"COPY {named} ./\n{moved}\n{file.source(copy)}"
    return Patch(first_line=copy.first_line, last_line=install.last_line, replacement=text)


def _no_ignore_file(file: ReviewContext) -> Iterator[DockerfileProblem]:
    everything = [copy for copy in _from_the_context(file) if copy.value[0] in {".", "./", "/"}]
    if file.ignored is not None or not everything:
        return
    there = [name for name in (".git", ".env", "node_modules", ".venv") if file.tree.exists(name)]
    rationale = (
        f"{', '.join(there)} would be copied too"
        if there
        else "secrets and local files are copied too, once they are there"
    )
    copied = [path.strip("/") for copy in _from_the_context(file) for path in copy.value[:-1] if path.strip("./")]
    text = ignore_text(_KEPT_OUT, (*file.manifests, *copied)).rstrip("\n")
    patch = Patch(first_line=1, last_line=0, replacement=text, file=".dockerignore")
    yield problem("no-dockerignore", everything[0], "warning", "there is no .dockerignore", rationale, patch)


CHECKS = (_missing_sources, _add, _cache_order, _no_ignore_file)
