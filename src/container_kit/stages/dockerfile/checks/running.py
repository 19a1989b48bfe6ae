"""How the application runs: as whom, as which process, on which port, and how its health is known."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem, Patch
from container_kit.stages.dockerfile.checks.reviewed import ReviewContext, before, problem, replace, substitute
from container_kit.stages.dockerfile.generate.health import health_command
from container_kit.stages.dockerfile.generate.render import USER
from container_kit.stages.ecosystems.facets.generation.base_images import Probe
from container_kit.stages.ecosystems.facets.generation.start_command import parse
from container_kit.stages.formats.dockerfile_stages import Instruction

_PROBES: dict[str, Probe] = {
    "python": "python",
    "node": "node",
    "debian": "bash",
    "ruby": "bash",
    "eclipse-temurin": "bash",
}
_MANAGERS = re.compile(
    r"^(?:npm|npx|yarn|pnpm|bunx|poetry|pipenv|pdm|uv|mvn|\S*mvnw|gradle|\S*gradlew|cargo|mix|sbt|lein)\b"
)
_DEVELOPMENT = re.compile(
    r"manage\.py runserver|\bflask (?:\S+ )*run\b|\bfastapi dev\b|--reload\b|\bartisan serve|\bphp -S\b"
    r"|\bnodemon\b|ts-node-dev|\btsx watch|\bnode --watch|\bng serve\b|react-scripts start|vue-cli-service serve"
    r"|\b(?:next|nuxt|nuxi|astro|remix|svelte-kit|vinxi) dev\b|\bvite(?! (?:preview|build))(?: |$)|\bgatsby develop"
    r"|webpack(?:-dev-server| serve)|\b(?:npm|yarn|pnpm|bun)(?: run)? (?:dev|develop|start:dev|watch)\b"
    r"|\bgo run\b|\bcargo run\b|spring-boot:run|bootRun|\bdotnet (?:watch|run)\b"
)
"""Servers and runners of development: they reload, compile when they start, or say of themselves that they are none."""
_DEVELOPMENT_MODES = {
    ("NODE_ENV", "development"),
    ("FLASK_ENV", "development"),
    ("FLASK_DEBUG", "1"),
    ("DJANGO_DEBUG", "true"),
    ("RAILS_ENV", "development"),
    ("APP_DEBUG", "true"),
    ("ASPNETCORE_ENVIRONMENT", "development"),
}
_SHELL = re.compile(r"[$&|;<>`*?(){}~]")
_WITHOUT = {
    "curl": re.compile(r"slim|alpine|distroless|^(?:debian|ubuntu)(?::|$)"),
    "wget": re.compile(r"slim|distroless|^(?:debian|ubuntu)(?::|$)"),
}
"""Images that are known to lack a program."""


def _wrong_port(file: ReviewContext) -> Iterator[DockerfileProblem]:
    port = file.module.port if file.module else None
    if port is None or not port.value or port.confidence < 0.7:
        return
    rationale = f"seen at {', '.join(port.locations) or 'the framework'}"
    exposes = file.last.of("EXPOSE")
    for expose in exposes:
        exposed = [re.match(r"\d+", value) for value in expose.value]
        numbers = {int(match[0]) for match in exposed if match}
        if numbers and port.value not in numbers:
            message = f"EXPOSE {expose.text}, but the application listens on {port.value}"
            yield problem("wrong-port", expose, "error", message, rationale, replace(expose, f"EXPOSE {port.value}"))
    start = file.start()
    if not exposes and start and file.module and file.module.role.value == "web":
        message = f"there is no EXPOSE; the application listens on {port.value}"
        yield problem("no-expose", start, "info", message, rationale, before(start, f"EXPOSE {port.value}"))


def _root_user(file: ReviewContext) -> Iterator[DockerfileProblem]:
    users, start = file.last.of("USER"), file.start()
    if re.search(r"nonroot|unprivileged|chiseled", file.base(file.last)) and not users:
        return
    reason = "whoever breaks into the application is root in the container"
    if not users and start:
        patch = before(start, f"USER {USER}:{USER}")
        yield problem("root-user", start, "warning", "the application runs as root", reason, patch)
    elif users and users[-1].value[0].split(":")[0] in {"root", "0"}:
        patch = replace(users[-1], f"USER {USER}:{USER}")
        yield problem("root-user", users[-1], "warning", "the application runs as root", reason, patch)


def _shell_form(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for start in file.last.of("CMD", "ENTRYPOINT"):
        if not start.json:
            reason = "the shell is PID 1 and keeps the signal to stop from the application"
            yield problem(
                "shell-form", start, "warning", f"{start.word} is run by a shell", reason, _without_shell(start)
            )


def _without_shell(start: Instruction) -> Patch | None:
    try:
        words = [] if _SHELL.search(start.text) else shlex.split(start.text)
    except ValueError:  # a quotation is not closed
        return None
    return replace(start, f"{start.word} {json.dumps(words)}") if words else None


def _package_manager(file: ReviewContext) -> Iterator[DockerfileProblem]:
    start = file.start()
    if start is None or not _MANAGERS.match(start.text):
        return
    program = file.module.start_program.value if file.module else None
    reason = "as PID 1 it does not pass the signal to stop on: every stop takes ten seconds and loses requests"
    patch = _program_itself(start, program or "")
    yield problem(
        "package-manager-pid-1", start, "warning", f"{start.text.split()[0]} starts the application", reason, patch
    )


def _program_itself(start: Instruction, program: str) -> Patch | None:
    """Start what the script starts; only programs that need no search path."""
    try:
        command = parse(program, None)
    except ValueError:
        return None
    if command.environment or command.arguments[0] not in {"node", "python", "bun", "deno", "java"}:
        return None
    return replace(start, f"{start.word} {json.dumps(list(command.arguments))}")


def _development(file: ReviewContext) -> Iterator[DockerfileProblem]:
    start = file.start()
    if start is None:
        return
    behind = (file.module.start_program.value or "") if file.module and _MANAGERS.match(start.text) else ""
    found = _DEVELOPMENT.search(start.text) or _DEVELOPMENT.search(behind)
    if found:
        patch = None
        if found[0] == "--reload":
            patch = substitute(file, start, r'\s*,\s*"--reload"|\s+--reload\b', "")
        reason = "it is slow and unsafe, or compiles and watches files when the container starts"
        yield problem("development-server", start, "warning", f"{found[0].strip()} is for development", reason, patch)


def _development_mode(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for env in file.last.of("ENV"):
        for name, value in zip(env.value[::2], env.value[1::2], strict=False):
            if (name, value.strip("\"'").lower()) in _DEVELOPMENT_MODES:
                reason = "errors then show code and settings to whoever asks"
                yield problem("development-mode", env, "warning", f"{name} says development", reason)


def _health(file: ReviewContext) -> Iterator[DockerfileProblem]:
    port = file.module.port.value if file.module and file.module.role.value == "web" else None
    start, checks = file.start(), file.last.of("HEALTHCHECK")
    for check in checks:
        yield from _health_program(file, check, port)
    if checks or not port or not start:
        return
    instruction = _health_instruction(file, port)
    reason = "a hung application is taken for a running one"
    patch = before(start, instruction) if instruction else None
    yield problem("no-health-check", start, "info", "there is no HEALTHCHECK", reason, patch)


def _health_program(file: ReviewContext, check: Instruction, port: int | None) -> Iterator[DockerfileProblem]:
    base = file.base(file.last)
    program = re.match(r"(?:\S*/)?(curl|wget)\b", check.text.removeprefix("CMD").strip())
    if not program or not _WITHOUT[program[1]].search(base):
        return
    if any(re.search(rf"\b{program[1]}\b", run.text) for run in file.last.of("RUN")):
        return
    instruction = _health_instruction(file, port) if port else None
    patch = replace(check, instruction) if instruction else None
    reason = "the check always fails, and an orchestrator stops an application that works"
    yield problem("health-program-missing", check, "error", f"{base} has no {program[1]}", reason, patch)


def _health_instruction(file: ReviewContext, port: int) -> str | None:
    base = file.base(file.last)
    probe = next((found for name, found in _PROBES.items() if re.match(rf"(?:\S*/)?{name}\b", base)), None)
    if probe is None or ("alpine" in base and probe == "bash"):
        return None
    path = file.module.health_endpoint.value if file.module else None
    return f"HEALTHCHECK --start-period=30s CMD {json.dumps(list(health_command(probe, port, path)))}"


CHECKS = (_wrong_port, _root_user, _shell_form, _package_manager, _development, _development_mode, _health)
