"""Package managers in RUN: they follow the lockfile, and the package lists of a distribution are removed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem, Patch
from container_kit.stages.contract import expressions as re
from container_kit.stages.dockerfile.checks.reviewed import ReviewContext, problem, replace
from container_kit.stages.formats.dockerfile import BuildStage, Instruction

INSTALL = re.compile(
    r"\b(npm (ci|install|i)\b|yarn( install)?$|pnpm (install|i)\b|bun install|pip3? install|uv sync|poetry install"
    r"|bundle install|composer install|go mod download|cargo fetch|mix deps\.get|dotnet restore)",
    re.MULTILINE,
)
_LOOSE = (
    (
        "package-lock.json",
        re.compile(r"\bnpm (?:install|i)(?=\s*(?:$|&&|;|--omit|--production|--only))", re.MULTILINE),
        "npm ci",
    ),
    ("yarn.lock", re.compile(r"\byarn install(?!.*--(?:frozen-lockfile|immutable))"), "yarn install --frozen-lockfile"),
    ("pnpm-lock.yaml", re.compile(r"\bpnpm (?:install|i)\b(?!.*--frozen-lockfile)"), "pnpm install --frozen-lockfile"),
    ("bun.lock", re.compile(r"\bbun install(?!.*--frozen-lockfile)"), "bun install --frozen-lockfile"),
    ("uv.lock", re.compile(r"\buv sync(?!.*--(?:locked|frozen))"), "uv sync --locked"),
    ("Pipfile.lock", re.compile(r"\bpipenv install(?!.*--deploy)"), "pipenv install --deploy"),
    ("composer.lock", re.compile(r"\bcomposer update\b"), "composer install"),
    ("mix.lock", re.compile(r"\bmix deps\.get(?!.*--check-locked)"), "mix deps.get --check-locked"),
)
"""For each lockfile: the commands that may depart from it, and the command that follows it."""
_LISTS = re.compile(r"rm -r?f?r? .*?/var/lib/apt/lists|/var/lib/apt|/var/cache/apt")


def _lockfile(file: ReviewContext) -> Iterator[DockerfileProblem]:
    names = {path.rsplit("/", 1)[-1] for path in file.manifests}
    for stage in file.stages:
        copied = {lockfile: _copy_line(stage, lockfile) for lockfile, _, _ in _LOOSE if lockfile in names}
        for run in stage.of("RUN"):
            for lockfile, loose, strict in _LOOSE:
                if lockfile in names and loose.search(run.script):
                    strict_text = loose.sub(strict, file.source(run))
                    yield _loose(file, run, lockfile, strict_text, copied=copied[lockfile] < run.line)


def _loose(file: ReviewContext, run: Instruction, lockfile: str, text: str, *, copied: bool) -> DockerfileProblem:
    effect = "versions may differ from it" if copied else "it is not copied before this instruction"
    patch = replace(run, text) if copied and text != file.source(run) else None
    rationale = "the same commit then builds different images"
    return problem("lockfile-not-kept", run, "warning", f"{lockfile} exists, but {effect}", rationale, patch)


def _copy_line(stage: BuildStage, lockfile: str) -> float:
    """Return the line that first copies a lockfile; infinity if none does."""
    stem = lockfile.split(".")[0].split("-")[0]
    for copy in stage.of("COPY", "ADD"):
        for word in copy.context_sources:
            path = word.strip("./")
            if path in {"", lockfile} or ("*" in word and path.startswith(stem)):
                return copy.line
    return math.inf


def _apt_lists(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for run in file.last.of("RUN"):
        if not re.search(r"\bapt(?:-get)? install\b", run.script) or _LISTS.search(" ".join((*run.flags, run.script))):
            continue
        text, plain = file.source(run), not run.is_json and not run.heredocs
        last = text.rpartition("\n")[2].strip()
        simple = plain and last and not last.startswith("#") and not re.search(r"[;|#]|(?<!&)&(?!&)", last)
        patch = replace(run, f"{text.rstrip()} \\\n    && rm -rf /var/lib/apt/lists/*") if simple else None
        rationale = "they make the layer larger, and a later RUN cannot remove them from it"
        yield problem("apt-lists", run, "info", "the package lists stay in the image", rationale, patch)


def _apt_update_alone(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for number, run in enumerate(stage.instructions):
            if run.keyword != "RUN" or not re.fullmatch(r"apt(?:-get)? (?:-\S+ )*update(?: -\S+)*", run.text.strip()):
                continue
            yield problem(
                "apt-update-alone",
                run,
                "warning",
                "apt-get update has a separate RUN",
                "its layer stays cached after the repository changes: a later install requests files that no longer "
                "exist",
                _joined(file, stage.instructions[number : number + 2]),
            )


def _joined(file: ReviewContext, pair: tuple[Instruction, ...]) -> Patch | None:
    if len(pair) < 2:
        return None
    update, install = pair
    if install.keyword != "RUN" or update.flags or install.flags or install.is_json:
        return None
    text = re.sub(r"(?i)^\s*run\s+", "", file.source(install))
    if install.line != update.last_line + 1 or not re.match(r"apt(?:-get)? ", text):
        return None
    joined = f"{file.source(update).rstrip()} \\\n    && {text}"
    return Patch(first_line=update.line, last_line=install.last_line, replacement=joined)


_CACHES = (
    (re.compile(r"\bpip3? install\b(?!.*--no-cache-dir)"), "/root/.cache/pip"),
    (re.compile(r"\bnpm (?:ci|install|i)\b"), "/root/.npm"),
    (re.compile(r"\bgo (?:build|mod download)\b"), "/root/.cache/go-build"),
    (re.compile(r"\bcargo build\b"), "/usr/local/cargo/registry"),
    (re.compile(r"\bmvn\b"), "/root/.m2"),
)


def _cache_mounts(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        whole = [copy.line for copy in stage.of("COPY", "ADD") if {".", "./"}.intersection(copy.arguments[:1])]
        for run in stage.of("RUN"):
            cache = next((folder for command, folder in _CACHES if command.search(run.script)), None)
            if cache is None or run.is_json or run.flag("mount") or run.heredocs:
                continue
            if whole and whole[0] < run.line:
                continue  # `cache-order` moves the instruction
            text = re.sub(r"(?i)^(\s*run)\s+", rf"\1 --mount=type=cache,target={cache} ", file.source(run), count=1)
            rationale = "each change of a manifest downloads every package again"
            message = "the package manager's cache is not kept between builds"
            yield problem("cache-mount", run, "info", message, rationale, replace(run, text))


def _no_lockfile(file: ReviewContext) -> Iterator[DockerfileProblem]:
    names = {path.rsplit("/", 1)[-1] for path in file.manifests}
    locks = {"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"}
    if "package.json" not in names or names & locks or any(file.tree.exists(lock) for lock in locks):
        return
    install = next((run for stage in file.stages for run in stage.of("RUN") if INSTALL.search(run.script)), None)
    if install is None:
        return
    strict = re.search(r"\bnpm ci\b", install.script)
    patch = replace(install, re.sub(r"\bnpm ci\b", "npm install", file.source(install))) if strict else None
    message = "there is no lock file" + (", and npm ci stops without one" if strict else "")
    rationale = "the same commit then builds different images: run `npm install --package-lock-only` and commit it"
    yield problem("no-lockfile", install, "error" if strict else "warning", message, rationale, patch)


CHECKS = (_cache_mounts, _no_lockfile, _lockfile, _apt_lists, _apt_update_alone)
