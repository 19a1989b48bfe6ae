"""How the application runs: its user, its process, its port and its health check."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem, Patch
from container_kit.stages.contract import expressions as re
from container_kit.stages.dockerfile.checks.reviewed import ReviewContext, before, problem, replace, substitute
from container_kit.stages.dockerfile.generate.health import health_command
from container_kit.stages.dockerfile.generate.render import USER
from container_kit.stages.ecosystems.facets.generation.base_images import Probe
from container_kit.stages.ecosystems.facets.generation.start_command import parse
from container_kit.stages.formats.dockerfile import Instruction

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
"""Development servers and runners: they reload, compile at the start, or are documented as unfit for production."""
_DEVELOPMENT_MODES = {
    ("NODE_ENV", "development"),
    ("FLASK_ENV", "development"),
    ("FLASK_DEBUG", "1"),
    ("DJANGO_DEBUG", "true"),
    ("RAILS_ENV", "development"),
    ("APP_DEBUG", "true"),
    ("ASPNETCORE_ENVIRONMENT", "development"),
}
_ROOT = frozenset({"root", "0"})
_LOCALHOST = re.compile(r"(?i)(?<!host: )(?<!host:)(?<!https://)(?:(?<=//)|(?<![\w./-]))localhost(?![\w-]|\.\w)")
"""`localhost` as the host of a request. A Host header and the name of a certificate stay."""
_SHELL = re.compile(r"[$&|;<>`*?(){}~]")
_WITHOUT = {
    "curl": re.compile(r"slim|alpine|distroless|^(?:debian|ubuntu)(?::|$)"),
    "wget": re.compile(r"slim|distroless|^(?:debian|ubuntu)(?::|$)"),
}
"""Images without a program."""


def _wrong_port(file: ReviewContext) -> Iterator[DockerfileProblem]:
    port = file.module.port if file.module else None
    if port is None or not port.value or port.confidence < 0.7:
        return
    rationale = f"found at {', '.join(port.locations) or 'the framework'}"
    exposed = file.configuration.ports
    matches = any(ports.first <= port.value <= ports.last for ports in exposed)
    for line in () if matches else sorted({ports.line for ports in exposed}):
        expose = file.dockerfile.at(line)
        if expose is None:
            continue
        message = f"{expose.source}, but the application listens on {port.value}"
        patch = replace(expose, f"EXPOSE {port.value}") if expose.keyword == "EXPOSE" else None
        yield problem("wrong-port", expose, "error", message, rationale, patch)
    start, is_web = file.start(), file.module is not None and file.module.role.value == "web"
    if "EXPOSE" not in file.configuration.lines and start and is_web:
        message = f"there is no EXPOSE; the application listens on {port.value}"
        yield problem("no-expose", start, "info", message, rationale, before(start, f"EXPOSE {port.value}"))


def _root_user(file: ReviewContext) -> Iterator[DockerfileProblem]:
    start, user = file.start(), file.configuration.user
    rationale = "an attacker who takes over the application is root in the container"
    instruction = file.dockerfile.at(file.configuration.lines.get("USER", 0))
    if user is not None and user.partition(":")[0] not in _ROOT:
        return
    if instruction in file.last.instructions:
        patch = replace(instruction, f"USER {USER}:{USER}") if instruction.keyword == "USER" else None
        yield problem("root-user", instruction, "warning", "the application runs as root", rationale, patch)
    elif start and (user is not None or not re.search(r"nonroot|unprivileged|chiseled", file.base(file.last))):
        patch = before(start, f"USER {USER}:{USER}")
        yield problem("root-user", start, "warning", "the application runs as root", rationale, patch)


def _shell_form(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for start in file.last.of("CMD", "ENTRYPOINT"):
        if not start.is_json:
            message = f"{start.keyword} starts a shell"
            rationale = "the shell is PID 1 and does not pass the stop signal to the application"
            yield problem("shell-form", start, "warning", message, rationale, _without_shell(start))


def _without_shell(start: Instruction) -> Patch | None:
    try:
        words = [] if _SHELL.search(start.text) else shlex.split(start.text)
    except ValueError:  # an unclosed quote
        return None
    return replace(start, f"{start.keyword} {json.dumps(words)}") if words else None


def _package_manager(file: ReviewContext) -> Iterator[DockerfileProblem]:
    start = file.start()
    if start is None or not _MANAGERS.match(start.text):
        return
    program = file.module.start_program.value if file.module else None
    message = f"{start.text.split()[0]} starts the application"
    rationale = (
        "as PID 1 it does not pass on the stop signal: every stop takes ten seconds and aborts requests in progress"
    )
    patch = _direct_start(start, program or "")
    yield problem("package-manager-pid-1", start, "warning", message, rationale, patch)


def _direct_start(start: Instruction, program: str) -> Patch | None:
    """Start the program of the script directly, if it does not need the package manager's search path."""
    try:
        command = parse(program, None)
    except ValueError:
        return None
    if command.environment or command.arguments[0] not in {"node", "python", "bun", "deno", "java"}:
        return None
    return replace(start, f"{start.keyword} {json.dumps(list(command.arguments))}")


def _development(file: ReviewContext) -> Iterator[DockerfileProblem]:
    start = file.start()
    if start is None:
        return
    program = (file.module.start_program.value or "") if file.module and _MANAGERS.match(start.text) else ""
    server = _DEVELOPMENT.search(start.text) or _DEVELOPMENT.search(program)
    if server:
        patch = None
        if server[0] == "--reload":
            patch = substitute(file, start, r'\s*,\s*"--reload"|\s+--reload\b', "")
        rationale = "it is slow and unsafe, or compiles and watches files when the container starts"
        message = f"{server[0].strip()} is for development"
        yield problem("development-server", start, "warning", message, rationale, patch)


def _development_mode(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for env in file.last.of("ENV"):
        for name, value in env.variables:
            if (name, value.strip("\"'").lower()) in _DEVELOPMENT_MODES:
                rationale = "error pages then show code and settings to every client"
                yield problem("development-mode", env, "warning", f"{name} sets development mode", rationale)


def _health(file: ReviewContext) -> Iterator[DockerfileProblem]:
    port = file.module.port.value if file.module and file.module.role.value == "web" else None
    start, checks = file.start(), file.last.of("HEALTHCHECK")
    for check in checks:
        yield from _missing_program(file, check, port) or _localhost(file, check)
    if checks or "HEALTHCHECK" in file.configuration.lines or not port or not start:
        return
    instruction = _health_instruction(file, port)
    rationale = "an application that hangs is reported as running"
    patch = before(start, instruction) if instruction else None
    yield problem("no-health-check", start, "info", "there is no HEALTHCHECK", rationale, patch)


def _missing_program(file: ReviewContext, check: Instruction, port: int | None) -> list[DockerfileProblem]:
    base = file.base(file.last)
    program = re.match(r"(?:\S*/)?(curl|wget)\b", " ".join(check.arguments[1:]))
    if not program or not _WITHOUT[program[1]].search(base):
        return []
    runs = (run for stage in file.dockerfile.chain(file.last) for run in stage.of("RUN"))
    if any(re.search(rf"\b{program[1]}\b", run.script) for run in runs):
        return []
    instruction = _health_instruction(file, port) if port else None
    patch = replace(check, instruction) if instruction else None
    rationale = "the check always fails, and an orchestrator stops a working application"
    return [problem("health-program-missing", check, "error", f"{base} has no {program[1]}", rationale, patch)]


def _localhost(file: ReviewContext, check: Instruction) -> list[DockerfileProblem]:
    if not _LOCALHOST.search(check.text):
        return []
    rationale = "localhost may resolve to ::1 first, on which a server that listens on IPv4 does not answer"
    patch = substitute(file, check, _LOCALHOST.pattern, "127.0.0.1")
    message = "HEALTHCHECK connects to localhost instead of 127.0.0.1"
    return [problem("health-localhost", check, "warning", message, rationale, patch)]


def _health_instruction(file: ReviewContext, port: int) -> str | None:
    base = file.base(file.last)
    probe = next((probe for name, probe in _PROBES.items() if re.match(rf"(?:\S*/)?{name}\b", base)), None)
    if probe is None or ("alpine" in base and probe == "bash"):
        return None
    path = file.module.health_endpoint.value if file.module else None
    return f"HEALTHCHECK --start-period=30s CMD {json.dumps(list(health_command(probe, port, path)))}"


CHECKS = (_wrong_port, _root_user, _shell_form, _package_manager, _development, _development_mode, _health)
