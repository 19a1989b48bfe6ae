"""Own checks of a Dockerfile: against the analysis and the tree, which a linter does not know."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from container_kit.stages.artifacts.analysis import Module
from container_kit.stages.artifacts.dockerfile import DockerfileProblem, Patch
from container_kit.stages.dockerfile.bases import Probe
from container_kit.stages.dockerfile.health import health_command
from container_kit.stages.dockerfile.ignore import is_ignored
from container_kit.stages.dockerfile.instructions import BuildStage, Instruction
from container_kit.stages.dockerfile.render import USER
from container_kit.stages.dockerfile.tree import SourceTree
from container_kit.stages.redaction import looks_secret

_INSTALL = re.compile(
    r"\b(npm (ci|install|i)\b|yarn( install)?$|pnpm (install|i)\b|bun install|pip3? install|uv sync|poetry install"
    r"|bundle install|composer install|go mod download|cargo fetch|mix deps\.get|dotnet restore)"
)
_STRICT = (
    ("package-lock.json", re.compile(r"\bnpm (?:install|i)(?=\s*(?:$|&&|;|--omit|--production|--only))"), "npm ci"),
    ("yarn.lock", re.compile(r"\byarn install(?!.*--(?:frozen-lockfile|immutable))"), "yarn install --frozen-lockfile"),
    ("pnpm-lock.yaml", re.compile(r"\bpnpm install(?!.*--frozen-lockfile)"), "pnpm install --frozen-lockfile"),
    ("uv.lock", re.compile(r"\buv sync(?!.*--(?:locked|frozen))"), "uv sync --locked"),
)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A Dockerfile and all that is known around it."""

    lines: tuple[str, ...]
    stages: tuple[BuildStage, ...]
    module: Module | None
    tree: SourceTree
    ignored: tuple[str, ...]
    """The patterns of `.dockerignore`."""

    def source(self, instruction: Instruction) -> str:
        """The lines of an instruction as they are."""
        return "\n".join(self.lines[instruction.first_line - 1 : instruction.last_line])


def check(file: Reviewed) -> tuple[DockerfileProblem, ...]:
    """Run every check; the result is in the order of lines."""
    found = [problem for look in _CHECKS for problem in look(file)]
    return tuple(sorted(found, key=lambda problem: (problem.line, problem.rule)))


def _wrong_port(file: Reviewed) -> Iterator[DockerfileProblem]:
    port = file.module.port if file.module else None
    for expose in file.stages[-1].of("EXPOSE"):
        exposed = [re.match(r"\d+", value) for value in expose.value]
        numbers = {int(match[0]) for match in exposed if match}
        if port and port.value and port.confidence >= 0.7 and numbers and port.value not in numbers:
            yield _problem(
                "wrong-port",
                expose,
                "error",
                f"EXPOSE {expose.text}, but the application listens on {port.value}",
                f"seen at {', '.join(port.places) or 'the framework'}",
                _replace(expose, f"EXPOSE {port.value}"),
            )


def _root_user(file: Reviewed) -> Iterator[DockerfileProblem]:
    last = file.stages[-1]
    users = last.of("USER")
    if re.search(r"nonroot|unprivileged|chiseled", last.base) and not users:
        return
    reason = "whoever breaks into the application is root in the container"
    if not users and last.of("CMD", "ENTRYPOINT"):
        start = last.of("CMD", "ENTRYPOINT")[0]
        patch = _before(start, f"USER {USER}:{USER}")
        yield _problem("root-user", start, "warning", "the application runs as root", reason, patch)
    elif users and users[-1].value[0].split(":")[0] in {"root", "0"}:
        patch = _replace(users[-1], f"USER {USER}:{USER}")
        yield _problem("root-user", users[-1], "warning", "the application runs as root", reason, patch)


def _secrets(file: Reviewed) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for instruction in stage.of("ENV", "ARG"):
            for name, value in _variables(instruction):
                if looks_secret(name) and (value.strip("\"'") or instruction.word == "ARG") and "$" not in value:
                    yield _problem(
                        "secret",
                        instruction,
                        "error",
                        f"{instruction.word} {name} puts a secret into the image's history",
                        "give it when the container starts, or as `RUN --mount=type=secret` while it is built",
                    )


def _variables(instruction: Instruction) -> list[tuple[str, str]]:
    if instruction.word == "ENV":
        return list(zip(instruction.value[::2], instruction.value[1::2], strict=False))
    return [(name, value) for name, _, value in (word.partition("=") for word in instruction.value)]


def _missing_sources(file: Reviewed) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for copy in stage.of("COPY", "ADD"):
            if any(flag.startswith("--from") for flag in copy.flags):
                continue
            for path in copy.value[:-1]:
                if re.search(r"[*?\[$<]|^https?:|^git@", path):
                    continue
                clean = path.strip("/").removeprefix("./") or "."
                if not file.tree.exists(clean):
                    yield _problem(
                        "missing-source", copy, "error", f"{path} is not in the source tree", "the build stops here"
                    )
                elif clean != "." and is_ignored(clean, file.ignored):
                    yield _problem(
                        "ignored-source", copy, "error", f"{path} is kept out by .dockerignore", "the build stops here"
                    )


def _lockfile(file: Reviewed) -> Iterator[DockerfileProblem]:
    manifests = {path.rsplit("/", 1)[-1] for path in file.module.manifests} if file.module else set()
    for stage in file.stages:
        for run in stage.of("RUN"):
            for lockfile, loose, strict in _STRICT:
                if lockfile in manifests and loose.search(run.text) and _copied(stage, run, lockfile):
                    text = loose.sub(strict, file.source(run))
                    yield _problem(
                        "lockfile-not-kept",
                        run,
                        "warning",
                        f"{lockfile} is there, but versions may differ from it",
                        "the same commit then gives different images",
                        _replace(run, text) if text != file.source(run) else None,
                    )


def _copied(stage: BuildStage, run: Instruction, name: str) -> bool:
    """Tell whether a lockfile is in the image when an instruction runs."""
    words = [word for copy in stage.of("COPY") if copy.first_line < run.first_line for word in copy.value[:-1]]
    stem = name.split(".")[0].split("-")[0]
    return any(word.strip("./") in {"", name} or ("*" in word and word.strip("./").startswith(stem)) for word in words)


def _cache_order(file: Reviewed) -> Iterator[DockerfileProblem]:
    manifests = file.module.manifests if file.module else ()
    for stage in file.stages:
        installs = [run for run in stage.of("RUN") if _INSTALL.search(run.text)]
        everything = [copy for copy in stage.of("COPY") if copy.value[0] in {".", "./"} and not copy.flags]
        if not installs or not everything or not manifests or everything[0].first_line > installs[0].first_line:
            continue
        before = [c for c in stage.of("COPY") if c.first_line < everything[0].first_line and not c.flags]
        if before:
            continue
        yield _problem(
            "cache-order",
            everything[0],
            "warning",
            "all of the source is copied before the dependencies are installed",
            "every change of a file installs them again; the manifests alone should come first",
            _reordered(file, stage, everything[0], installs[0], manifests),
        )


def _reordered(
    file: Reviewed, stage: BuildStage, copy: Instruction, install: Instruction, manifests: tuple[str, ...]
) -> Patch | None:
    between = [i for i in stage.instructions if copy.first_line < i.first_line < install.first_line]
    simple = all(i.word in {"ENV", "ARG", "WORKDIR"} for i in between) and copy.value[-1] in {".", "./"}
    if not simple or any("/" in path for path in manifests) or re.search(r"(-e|install) \.", install.text):
        return None
    named = " ".join(path for path in manifests if not is_ignored(path, file.ignored))
    moved = "\n".join(file.lines[copy.last_line : install.last_line])
    text = f"COPY {named} ./\n{moved}\n{file.source(copy)}"
    return Patch(first_line=copy.first_line, last_line=install.last_line, replacement=text)


def _health(file: Reviewed) -> Iterator[DockerfileProblem]:
    last = file.stages[-1]
    port = file.module.port.value if file.module and file.module.role.value == "web" else None
    start = last.of("CMD", "ENTRYPOINT")
    if last.of("HEALTHCHECK") or not port or not start:
        return
    name = next((known for known in _PROBES if re.match(rf"{known}\b", last.base)), None)
    health = file.module.health_endpoint.value if file.module else None
    patch = None
    if name:
        command = json.dumps(list(health_command(_PROBES[name], port, health)))
        patch = _before(start[0], f"HEALTHCHECK --start-period=30s CMD {command}")
    yield _problem(
        "no-health-check",
        start[0],
        "info",
        "there is no HEALTHCHECK",
        "a hung application is taken for a running one",
        patch,
    )


_PROBES: dict[str, Probe] = {"python": "python", "node": "node", "debian": "bash", "ruby": "bash"}


def _shell_form(file: Reviewed) -> Iterator[DockerfileProblem]:
    for start in file.stages[-1].of("CMD", "ENTRYPOINT"):
        if start.json:
            continue
        plain = not re.search(r"[$&|;<>`*?(){}~]", start.text)
        patch = _replace(start, f"{start.word} {json.dumps(shlex.split(start.text))}") if plain else None
        yield _problem(
            "shell-form",
            start,
            "warning",
            f"{start.word} is run by a shell",
            "the shell is PID 1 and keeps the signal to stop from the application",
            patch,
        )


_CHECKS: tuple[Callable[[Reviewed], Iterator[DockerfileProblem]], ...] = (
    _wrong_port,
    _root_user,
    _secrets,
    _missing_sources,
    _lockfile,
    _cache_order,
    _health,
    _shell_form,
)


def _problem(
    rule: str, where: Instruction, severity: str, message: str, because: str, patch: Patch | None = None
) -> DockerfileProblem:
    return DockerfileProblem.model_validate(
        {
            "id": f"{rule}:{where.first_line}",
            "rule": rule,
            "line": where.first_line,
            "severity": severity,
            "message": message,
            "because": because,
            "patch": patch,
        }
    )


def _replace(instruction: Instruction, text: str) -> Patch:
    return Patch(first_line=instruction.first_line, last_line=instruction.last_line, replacement=text)


def _before(instruction: Instruction, text: str) -> Patch:
    return Patch(first_line=instruction.first_line, last_line=instruction.first_line - 1, replacement=text)
