"""COPY and ADD: existing sources that .dockerignore does not exclude, in an order that caches well."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem, Patch
from container_kit.stages.contract import expressions as re
from container_kit.stages.dockerfile.checks.installing import INSTALL
from container_kit.stages.dockerfile.checks.reviewed import ReviewContext, problem, substitute
from container_kit.stages.dockerfile.generate.dockerignore import ignore_text
from container_kit.stages.formats.dockerfile import BuildStage, Instruction

_ARCHIVE = re.compile(r"\.(?:tar|tar\.(?:gz|bz2|xz|zst)|tgz|txz|tbz2?)$")
_REMOTE = re.compile(r"^(?:https?|ftp)://|^git@|\.git(?:#|$)")
_EXCLUDED = ("**/node_modules", "**/__pycache__", "**/.venv")


def _missing_sources(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for copy, path in _context_sources(file):
        if re.search(r"[*?\[$]", path) or _REMOTE.search(path):
            continue
        clean = path.strip("/").removeprefix("./") or "."
        rationale = "the build stops here"
        if not file.tree.exists(clean):
            yield problem("missing-source", copy, "error", f"{path} is not in the source tree", rationale)
        elif clean != "." and file.is_ignored(clean):
            yield problem("ignored-source", copy, "error", f"{path} is excluded by .dockerignore", rationale)


def _context_sources(file: ReviewContext) -> Iterator[tuple[Instruction, str]]:
    for stage in file.stages:
        for copy in stage.of("COPY", "ADD"):
            for path in copy.context_sources:
                yield copy, path


def _add(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for add in stage.of("ADD"):
            sources = add.sources
            if any(_REMOTE.search(path) for path in sources):
                if add.flag("checksum") is None:
                    rationale = (
                        "the download is not verified and stays in a layer: add --checksum, or download it in a RUN"
                    )
                    yield problem("add-remote", add, "warning", f"ADD downloads {sources[0]} unverified", rationale)
            elif not any(_ARCHIVE.search(path) for path in sources):
                patch = substitute(file, add, r"(?i)^(\s*)add\b", r"\1COPY")
                rationale = "ADD also unpacks archives and downloads URLs, which is not needed here"
                yield problem("add-for-copy", add, "info", "COPY is enough in place of ADD", rationale, patch)


def _cache_order(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        installs = [run for run in stage.of("RUN") if INSTALL.search(run.script)]
        copies = [copy for copy in stage.of("COPY", "ADD") if not copy.flags]
        everything = next((copy for copy in copies if copy.arguments[0] in {".", "./"}), None)
        if not installs or everything is None or not file.manifests or everything.line > installs[0].line:
            continue
        if copies[0].line < everything.line:
            continue
        yield problem(
            "cache-order",
            everything,
            "warning",
            "the whole source is copied before the dependencies are installed",
            "every change of a file reinstalls them: copy only the manifests first",
            _reordered(file, stage, everything, installs[0]),
        )


def _reordered(file: ReviewContext, stage: BuildStage, copy: Instruction, install: Instruction) -> Patch | None:
    between = [i for i in stage.instructions if copy.line < i.line < install.line]
    simple = all(i.keyword in {"ENV", "ARG", "WORKDIR"} for i in between) and copy.arguments[-1] in {".", "./"}
    plain = all(re.fullmatch(r"[\w.@+-]+", path) for path in file.manifests)
    if not simple or not plain or re.search(r"(-e|install) \.|setup\.py", install.script):
        return None
    manifests = " ".join(path for path in file.manifests if not file.is_ignored(path))
    moved = "\n".join(file.dockerfile.lines[copy.last_line : install.last_line])
    text = f"COPY {manifests} ./\n{moved}\n{file.source(copy)}"
    return Patch(first_line=copy.line, last_line=install.last_line, replacement=text)


def _host_folders(file: ReviewContext) -> Iterator[DockerfileProblem]:
    """Find installed dependencies of the host that a COPY of everything puts over those of the image."""
    everything = next((copy for copy, path in _context_sources(file) if path in {".", "./", "/"}), None)
    if everything is None or file.ignored is None:
        return
    for name in ("node_modules", ".venv", "venv", "__pycache__", "vendor/bundle"):
        if file.tree.exists(name) and not file.is_ignored(name):
            rationale = f"it replaces what the image installed: add the line **/{name} to .dockerignore"
            message = f"{name} of the host is copied into the image"
            yield problem("host-folder", everything, "error", message, rationale)


def _leaks(file: ReviewContext) -> Iterator[DockerfileProblem]:
    """Find copies of the whole working folder of a build stage into the last one."""
    for copy in file.last.of("COPY"):
        origin = file.dockerfile.source_stage(copy.flag("from") or "")
        if origin is None or not any(path.rstrip("/") in {"", "/app", "/src", "/usr/src/app"} for path in copy.sources):
            continue
        if any(run for run in origin.of("RUN") if re.search(r"\b(?:build|compile|package|publish)\b", run.script)):
            rationale = "source, tests and perhaps secrets reach the image: copy only the result of the build"
            message = f"the whole folder {copy.sources[0]} of the build stage is copied"
            yield problem("stage-leak", copy, "info", message, rationale)


def _no_ignore_file(file: ReviewContext) -> Iterator[DockerfileProblem]:
    sources = list(_context_sources(file))
    everything = next((copy for copy, path in sources if path in {".", "./", "/"}), None)
    if file.ignored is not None or everything is None:
        return
    existing = [name for name in (".git", ".env", "node_modules", ".venv") if file.tree.exists(name)]
    rationale = (
        f"{', '.join(existing)} would be copied too" if existing else "secrets and local files would be copied too"
    )
    copied = [path.strip("/") for _, path in sources if path.strip("./")]
    text = ignore_text(_EXCLUDED, (*file.manifests, *copied)).rstrip("\n")
    patch = Patch(first_line=1, last_line=0, replacement=text, file=".dockerignore")
    yield problem("no-dockerignore", everything, "warning", "there is no .dockerignore", rationale, patch)


CHECKS = (_missing_sources, _add, _cache_order, _host_folders, _leaks, _no_ignore_file)
