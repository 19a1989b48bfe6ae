"""What every generated Dockerfile must be. The rules are read with BuildKit's own parser and with hadolint."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import dockerfile as buildkit

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.formats.dockerignore import DockerIgnore

_TOOLCHAIN = re.compile(
    r"(golang|rust|gradle|maven|-jdk|/sdk|gcc|clojure|sbt|elixir|swift:[\d.]+-\w+$|haskell|dart|crystal|composer)[:\d.-]"
)
_COMPILER = re.compile(r"\b(build-essential|gcc|g\+\+|make|cmake|cargo|golang-go|default-jdk|\S+-dev)\b")
_INSTALLERS = {
    "pip install": "/root/.cache/pip",
    "uv sync": "/root/.cache/uv",
    "poetry install": "/root/.cache/pypoetry",
    "pdm install": "/root/.cache/pdm",
    "pipenv install": "/root/.cache/pipenv",
    "npm ci": "/root/.npm",
    "npm install": "/root/.npm",
    "yarn install": "yarn",
    "pnpm install": "/root/.pnpm-store",
    "bun install": "/root/.bun/install/cache",
    "go mod download": "/go/pkg/mod",
    "go build": "/root/.cache/go-build",
    "mvn ": "/root/.m2",
    "gradle": "/root/.gradle",
    "bundle install": "bundle",
    "composer install": "composer",
    "dotnet restore": "nuget",
    "cargo build": "cargo",
    "mix deps.get": "hex",
}
_LOCKFILES = {
    "package-lock.json": "npm ci",
    "yarn.lock": "--frozen-lockfile|--immutable",
    "pnpm-lock.yaml": "--frozen-lockfile",
    "bun.lock": "--frozen-lockfile",
    "uv.lock": "--locked",
    "poetry.lock": "poetry install",
    "pdm.lock": "--frozen-lockfile",
    "Pipfile.lock": "pipenv requirements --hash",
    "go.sum": "go mod download",
    "Gemfile.lock": "BUNDLE_DEPLOYMENT=1|BUNDLE_FROZEN",
    "composer.lock": "composer install",
    "Cargo.lock": "--locked",
    "packages.lock.json": "--locked-mode",
    "mix.lock": "--check-locked",
    "deno.lock": "--frozen",
    "pubspec.lock": "--enforce-lockfile",
    "shard.lock": "--frozen",
    "Package.resolved": "--only-use-versions-from-resolved-file",
    "conda-lock.yml": "conda-lock.yml",
}
_PROGRAMS = {
    "python": r"^python:",
    "node": r"^node:",
    "bun": r"^oven/bun:",
    "deno": r"^denoland/deno:",
    "sh": r"alpine",
    "bash": r"^(debian|ruby|eclipse-temurin|mcr\.microsoft\.com/dotnet/aspnet|swift|node|python):",
}
"""Which program is in which image; `sh` stands for busybox with its wget and grep."""
_READ_BY_THE_BUILD_ALONE = {"CMakeLists.txt", "meson.build", "Makefile"}
"""They name no dependency that could be fetched: those are packages of the distribution, installed before all else."""
_MANAGERS = {
    "npm",
    "yarn",
    "pnpm",
    "npx",
    "poetry",
    "uv",
    "pdm",
    "pipenv",
    "mvn",
    "gradle",
    "./gradlew",
    "mix",
    "cargo",
}


@dataclass(frozen=True)
class Block:
    """One stage of a Dockerfile."""

    base: str
    name: str
    commands: tuple[buildkit.Command, ...]

    def of(self, *kinds: str) -> list[buildkit.Command]:
        return [command for command in self.commands if command.cmd in kinds]


def check(made: Dockerfile, root: Path, manifests: tuple[str, ...]) -> None:
    """Assert every rule of the gate for a generated Dockerfile and its ignore file."""
    blocks = read(made.content)
    last = blocks[-1]
    _runs_on_an_old_frontend(made.content)
    assert len(blocks) >= 2, "one stage"
    _last_stage_is_lean(last)
    _passes_buildkits_own_rules(made.content, blocks)
    needed = {path for path in manifests if path.rpartition("/")[2] not in _READ_BY_THE_BUILD_ALONE}
    before = [_before_the_source(block, manifests) for block in blocks[:-1]]
    copied = {path for found in before if found for path in found}
    assert all(found is None for found in before) or needed <= copied, f"{needed - copied} come after the source"
    for block in blocks[:-1]:
        _each_manager_has_its_cache(block)
    _lockfiles_are_kept(made.content, manifests)
    _sources_exist(blocks, made, root)
    _ports_agree(last, made)
    _user_is_numeric(last)
    _pid_1_is_the_application(last)
    _nothing_undefined_or_secret(blocks)
    assert lint(made.content) == ""


def read(text: str) -> list[Block]:
    """Split a Dockerfile into its stages."""
    blocks: list[Block] = []
    for command in buildkit.parse_string(text):
        if command.cmd == "FROM":
            blocks.append(Block(command.value[0], command.value[2] if len(command.value) > 2 else "", ()))
        else:
            before = blocks[-1]
            blocks[-1] = Block(before.base, before.name, (*before.commands, command))
    return blocks


def lint(text: str) -> str:
    """Return what hadolint says, with the rule that a health check is needed switched on."""
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    assert program, "hadolint is a test dependency"
    done = subprocess.run(
        [program, "--no-color", "--warning", "DL3057", "-"], input=text, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def _runs_on_an_old_frontend(text: str) -> None:
    assert not re.search(r"^#\s*syntax\s*=", text, re.MULTILINE)
    assert "--link" not in text
    assert not re.search(r"^(RUN|COPY).*<<", text, re.MULTILINE)


def _last_stage_is_lean(last: Block) -> None:
    assert not _TOOLCHAIN.search(last.base), f"{last.base} holds a compiler"
    for run in last.of("RUN"):
        script = run.value[0]
        assert not _COMPILER.search(script), script
        assert not any(installer in script for installer in _INSTALLERS), script
        assert "apt-get install" not in script or "rm -rf /var/lib/apt/lists" in script
    assert not last.of("ADD")


def _before_the_source(block: Block, manifests: tuple[str, ...]) -> set[str] | None:
    """What a stage copies before it installs and then copies the source; None where it copies no source after it."""
    copies = [c for c in block.of("COPY") if not any(flag.startswith("--from") for flag in c.flags)]
    source = [c for c in copies if c.value[0] in {".", *(path.rpartition("/")[0] for path in manifests)}]
    if not source or not manifests:
        return None
    runs = [run.start_line for run in block.of("RUN") if run.start_line < source[0].start_line]
    assert runs, "nothing is installed before the source is copied"
    return {path for c in copies if c.start_line < max(runs) for path in c.value[:-1]}


def _each_manager_has_its_cache(block: Block) -> None:
    for run in block.of("RUN"):
        called = re.sub(r"apt-get install [^&]*", "", run.value[0])  # where it is a package's name
        called = called.replace("uv pip install", "uv sync")  # uv has one cache for both
        for installer, cache in _INSTALLERS.items():
            if re.search(rf"(^|[\s/]){re.escape(installer)}", called):
                assert any(cache in flag for flag in run.flags), f"{installer} without its cache: {run.original}"


def _lockfiles_are_kept(text: str, manifests: tuple[str, ...]) -> None:
    for path in manifests:
        strict = _LOCKFILES.get(path.rsplit("/", 1)[-1])
        assert strict is None or re.search(strict, text), f"{path} is not kept to"


def _sources_exist(blocks: list[Block], made: Dockerfile, root: Path) -> None:
    patterns = DockerIgnore.parse(made.ignore or "")
    names = [block.name for block in blocks]
    for number, block in enumerate(blocks):
        for copy in block.of("COPY"):
            origin = next((flag.split("=", 1)[1] for flag in copy.flags if flag.startswith("--from=")), None)
            if origin is not None:
                assert origin in names[:number] or ":" in origin, f"no stage {origin}"
                continue
            for path in copy.value[:-1]:
                assert (root / path).exists(), f"COPY of {path}, which is not there"
                assert path == "." or patterns.find(path) is None, f"COPY of {path}, which is ignored"


def _ports_agree(last: Block, made: Dockerfile) -> None:
    health = last.of("HEALTHCHECK")
    assert len(health) == 1
    if made.port is None:
        assert health[0].value == ("NONE",)
        assert not last.of("EXPOSE")
        return
    assert [command.value for command in last.of("EXPOSE")] == [(str(made.port),)]
    arguments = health[0].value[1:]
    assert health[0].json
    assert re.findall(r"127\.0\.0\.1[^\d]{1,3}(\d+)", arguments[-1]) == [str(made.port)]
    brought = arguments[0] == "python" and any(copy.value[0] == "/opt/env" for copy in last.of("COPY"))
    assert brought or re.search(_PROGRAMS[arguments[0]], last.base), f"{last.base} has no {arguments[0]}"
    told = [
        value
        for env in last.of("ENV")
        for name, value in zip(env.value[::2], env.value[1::2], strict=True)
        if name == "PORT"
    ]
    assert told == [str(made.port)]
    in_command = re.findall(
        r"(?:--port[ =]|-p |0\.0\.0\.0:|--bind=\S*:|listen \*?:)(\d+)", " ".join(last.of("CMD")[0].value)
    )
    assert set(in_command) <= {str(made.port)}


def _user_is_numeric(last: Block) -> None:
    users = last.of("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1].value[0])
    assert not [run for run in last.of("RUN", "COPY") if run.start_line > users[-1].start_line]


def _pid_1_is_the_application(last: Block) -> None:
    (command,) = last.of("CMD")
    assert command.json
    assert command.value[0] not in _MANAGERS, f"{command.value[0]} would be PID 1"
    if command.value[0] in {"sh", "bash"}:
        assert " exec " in f" {command.value[2]}"
    assert not last.of("ENTRYPOINT")


def _nothing_undefined_or_secret(blocks: list[Block]) -> None:
    for block in blocks:
        for command in block.of("ENV", "ARG"):
            for name in command.value[::2]:
                assert not re.search(r"(?i)secret|token|passw|api_?key", name) or name.endswith("_DUMMY"), name
            used = set(re.findall(r"\$\{?(\w+)", command.original))
            assert used <= {"PATH"}, used


def _passes_buildkits_own_rules(text: str, blocks: list[Block]) -> None:
    """The rules of `docker build --check` that are not covered above; no builder that has them runs here."""
    lines = text.split("\n")
    names = [block.name for block in blocks if block.name]
    assert len(set(names)) == len(names), "DuplicateStageName"
    assert all(name == name.lower() for name in names), "StageNameCasing"
    assert not {"scratch", "context"} & set(names), "ReservedStageName"
    assert not [line for line in lines if re.match(r"from .* as | *FROM .* as ", line)], "FromAsCasing"
    for number, line in enumerate(lines[:-1]):
        assert not (line.endswith("\\") and not lines[number + 1].strip()), "NoEmptyContinuation"
    for block in blocks:
        assert "$" not in block.base, "UndefinedArgInFrom"
        for command in block.commands:
            assert command.cmd.isupper(), "ConsistentInstructionCasing"
        for workdir in block.of("WORKDIR"):
            assert workdir.value[0].startswith("/"), "WorkdirRelativePath"
        for env in block.of("ENV", "LABEL"):
            assert "=" in env.original.split()[1], "LegacyKeyValueFormat"
        for expose in block.of("EXPOSE"):
            assert re.fullmatch(r"\d+", expose.value[0]), "ExposeInvalidFormat"
        for kind in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            assert len(block.of(kind)) <= 1, "MultipleInstructionsDisallowed"
