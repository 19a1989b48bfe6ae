"""What an ecosystem's generator makes: build stages and a runtime, from which the text is rendered in one way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.base_images import Base

_PLAIN = re.compile(r"[\w./@+~-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Build:
    """One stage before the last."""

    base: Base
    lines: tuple[str, ...]
    name: str = "build"


@dataclass(frozen=True, slots=True)
class RuntimeImage:
    """The last stage; user, port, health check and the form of CMD are the renderer's."""

    base: Base
    command: tuple[str, ...]
    """PID 1 and its arguments."""
    copies: tuple[str, ...]
    """COPY instructions."""
    environment: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    """Packages of the base's distribution."""
    setup: tuple[str, ...] = ()
    """Shell commands run as root before the copies."""
    workdir: str = "/app"
    release: tuple[str, ...] = ()
    """The command that prepares a new version before it serves."""
    stop_signal: str | None = None
    """What ends the program in order, if that is not SIGTERM."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole Dockerfile before it is text."""

    builds: tuple[Build, ...]
    runtime: RuntimeImage
    ignore: tuple[str, ...] = ()
    """Lines for `.dockerignore` next to those that every ecosystem shares."""
    reasons: tuple[Reason, ...] = ()


def cached(targets: str | Iterable[str], command: str, *flags: str) -> str:
    """Return a RUN instruction whose caches stay with the builder and never reach a layer.

    Args:
        targets: The folders of the caches.
        command: The shell command.
        flags: Other mounts.
    """
    folders = [targets] if isinstance(targets, str) else list(targets)
    mounts = " ".join((*(f"--mount=type=cache,target={folder}" for folder in folders), *flags))
    return f"RUN {mounts} \\\n    {command}"


def copy(paths: Sequence[str], target: str, *flags: str) -> str:
    """Return a COPY instruction; special characters in names are escaped."""
    words = [*paths, target]
    begin = " ".join(("COPY", *flags))
    if all(_PLAIN.fullmatch(word) for word in words):
        return f"{begin} {' '.join(words)}"
    return f"{begin} {json.dumps([literal(word) for word in words], ensure_ascii=False)}"


def literal(word: str) -> str:
    """Return a word that BuildKit reads literally."""
    return re.sub(r"([\\$'\"])", r"\\\1", word)


def chain(*commands: str) -> str:
    """Return commands of which each runs only if the one before it succeeded."""
    return " \\\n    && ".join(command for command in commands if command)


def installed(base: Base, packages: Iterable[str]) -> str:
    """Return the shell command that installs a distribution's packages without their lists; empty without packages."""
    names = " ".join(dict.fromkeys(packages))
    if not names:
        return ""
    if base.family == "alpine":
        return f"apk add --no-cache {names}"
    return chain("apt-get update", f"apt-get install -y --no-install-recommends {names}", "rm -rf /var/lib/apt/lists/*")


def system_packages(base: Base, packages: Iterable[str]) -> tuple[str, ...]:
    """Return the lines that install packages in a build stage; none without packages."""
    command = installed(base, packages)
    return (unpinned(base, f"RUN {command}"),) if command else ()


def unpinned(base: Base, run: str) -> str:
    """Say to hadolint why distribution packages carry no version: the distribution keeps only its newest."""
    rule = "DL3018" if base.family == "alpine" else "DL3008"
    why = "# The distribution keeps one version of each package, with its security fixes."
    return f"{why}\n# hadolint ignore={rule}\n{run}"


def environment(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return one ENV instruction; none without variables."""
    if not variables:
        return ()
    pairs = [f"{name}={_quoted(value)}" for name, value in variables.items()]
    return ("ENV " + " \\\n    ".join(pairs),)


def _quoted(value: str) -> str:
    if re.fullmatch(r"[\w/.:+=,@%$-]+", value, re.ASCII):
        return value
    flat = re.sub(r"[\x00-\x1f\x7f]", " ", value)  # a line's end would end the instruction
    return '"' + re.sub(r'(["\\])', r"\\\1", flat) + '"'
