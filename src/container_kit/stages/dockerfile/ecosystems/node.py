"""Node.js: everything is installed and built in one stage, which then drops what only the build needed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.dockerfile.app import App
from container_kit.stages.dockerfile.bases import Base, Bases
from container_kit.stages.dockerfile.command import Command
from container_kit.stages.dockerfile.packages import build_packages, runtime_packages
from container_kit.stages.dockerfile.recipe import Build, Recipe, Runtime, cached, chain, environment, system_packages
from container_kit.stages.dockerfile.versions import preferred

_VERSIONS = ("24", "22", "20", "26", "18", "16")
_SCRIPT = re.compile(r"^(?:npm|yarn|pnpm|bun)(?:\s+(?:run|run-script))?\s+(?:-\S+\s+)*([\w:.-]+)(?:\s+--)?(.*)$")
_NOT_SCRIPTS = {"exec", "dlx", "install", "ci", "x"}
IGNORE = ("**/node_modules", "**/.next", "**/.nuxt", "**/.svelte-kit", "**/.turbo", "**/.parcel-cache",
    "**/.yarn/cache", "**/.pnpm-store", "**/npm-debug.log*", "**/*.tsbuildinfo")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manager:
    """How a package manager is used inside an image."""

    install: str
    """Everything, as the lockfile says."""
    prune: str
    """Drops what only the build needed."""
    cache: str
    run: str
    """In front of a script's name."""
    why: str
    setup: str = ""
    """Installs the manager itself, where the image does not have it."""
    environment: tuple[tuple[str, str], ...] = ()


def node(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Node.js server."""
    base = node_base(app, bases)
    manager = node_manager(app)
    command = app.command(program_of(app, app.start or ""))
    runtime = Runtime(
        base,
        command.arguments,
        copies=("COPY --from=build /app /app",),
        environment=_environment(app, command),
        packages=runtime_packages(app.packages),
        workdir=app.folder,
    )
    build = Build(base, _lines(app, base, manager))
    reasons = (
        Reason(choice=manager.install, because=manager.why),
        Reason(choice=f"PID 1 {command.arguments[0]}", because="a package manager as PID 1 would not pass signals on"),
    )
    return Recipe((build,), runtime, ignore=IGNORE, reasons=reasons)


def node_base(app: App, bases: Bases) -> Base:
    """Choose the image with Node.js, or with Bun where that is the package manager."""
    if app.manager == "bun":
        return bases.pick(Base("oven/bun:1-slim", probe="bun"), because="the project is run by Bun")
    return bases.pick(
        *(Base(f"node:{version}-slim", probe="node") for version in preferred(app.version, _VERSIONS)),
        because=f"the project asks for Node.js {app.version}"
        if app.version
        else "the default Node.js, a long-term one",
    )


def install_lines(app: App, base: Base, manager: Manager, *after: str) -> tuple[str, ...]:
    """The lines of a build stage up to the installed dependencies, and what to run after them."""
    return (
        *system_packages(base, build_packages(app.packages)),
        *environment(dict(manager.environment)),
        "WORKDIR /app",
        *((cached("/root/.npm", manager.setup),) if manager.setup else ()),
        *app.copy_manifests(),
        cached(manager.cache, chain(manager.install, *after)),
    )


def source_and_build(app: App, manager: Manager, *after: str) -> tuple[str, ...]:
    """The lines that bring the source and build it, and what to run when it is built."""
    commands = chain(_as_script(app, manager), *after)
    return (app.copy_source(), *app.enter(), *((cached(manager.cache, commands),) if commands else ()))


def _as_script(app: App, manager: Manager) -> str:
    """The build command; that of `npm run build` as the package manager at hand spells it."""
    build = app.build or ""
    script = _SCRIPT.match(build)
    known = script and script[1] in _scripts(app)
    return f"{manager.run} {script[1]}{script[2]}" if script and known else build


def _lines(app: App, base: Base, manager: Manager) -> tuple[str, ...]:
    """Development packages are dropped after the build; with no build, before the source comes, which keeps it cached.

    In a workspace they stay: no package manager drops them there without touching the members' own links.
    """
    prune = "" if app.in_workspace else manager.prune
    if app.build:
        return install_lines(app, base, manager) + source_and_build(app, manager, prune)
    return install_lines(app, base, manager, prune) + source_and_build(app, manager)


def _scripts(app: App) -> dict[str, object]:
    scripts = app.tree.json(app.inside("package.json")).get("scripts", {})
    return scripts if isinstance(scripts, dict) else {}


def _environment(app: App, command: Command) -> dict[str, str]:
    bins = f"{app.folder}/node_modules/.bin"
    path = bins if app.folder == "/app" else f"{bins}:/app/node_modules/.bin"
    base = {"NODE_ENV": "production", "HOST": "0.0.0.0", "PATH": f"{path}:$PATH"}  # noqa: S104 - a container's own addresses
    if app.framework.startswith("next"):
        base["NEXT_TELEMETRY_DISABLED"] = "1"
    return base | dict(command.environment)


def program_of(app: App, line: str, depth: int = 3) -> str:
    """Follow `npm start` and its like to the command that the script runs, so that it can be PID 1."""
    match = _SCRIPT.match(line.strip())
    if not match or match[1] in _NOT_SCRIPTS or depth == 0:
        return line
    script = _scripts(app).get(match[1])
    if match[1] == "start" and script is None and app.tree.exists(app.inside("server.js")):
        script = "node server.js"
    return program_of(app, f"{script}{match[2]}", depth - 1) if isinstance(script, str) else line


def node_manager(app: App) -> Manager:
    """Choose how packages are installed, by the manager and by what lockfile there is."""
    return _MANAGERS.get(app.manager, _npm)(app)


def _npm(app: App) -> Manager:
    locked = app.has("package-lock.json") or app.has("npm-shrinkwrap.json")
    return Manager(
        "npm ci" if locked else "npm install",
        "npm prune --omit=dev",
        "/root/.npm",
        "npm run",
        "package-lock.json is installed as it is, or the build fails" if locked else "there is no lockfile to keep to",
    )


def _pnpm(app: App) -> Manager:
    locked = app.has("pnpm-lock.yaml")
    return Manager(
        "pnpm install --frozen-lockfile" if locked else "pnpm install",
        "pnpm prune --prod",
        "/root/.pnpm-store",
        "pnpm run",
        "pnpm-lock.yaml is installed as it is, or the build fails" if locked else "there is no lockfile to keep to",
        setup="npm install --global pnpm@10.34.8",
        environment=(("CI", "true"), ("npm_config_store_dir", "/root/.pnpm-store")),
    )


def _yarn(app: App) -> Manager:
    return _yarn_berry(app) if app.has(".yarnrc.yml") or _is_berry(app) else _yarn_classic(app)


def _is_berry(app: App) -> bool:
    package = app.tree.json("package.json")
    return re.match(r"yarn@[2-9]", str(package.get("packageManager", ""))) is not None


def _yarn_classic(app: App) -> Manager:
    locked = app.has("yarn.lock")
    return Manager(
        "yarn install --frozen-lockfile" if locked else "yarn install",
        "yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline",
        "/root/.yarn-cache",
        "yarn run",
        "yarn.lock is installed as it is, or the build fails" if locked else "there is no lockfile to keep to",
        setup="npm install --global yarn@1.22.22",
        environment=(("YARN_CACHE_FOLDER", "/root/.yarn-cache"),),
    )


def _yarn_berry(app: App) -> Manager:
    locked = app.has("yarn.lock")
    return Manager(
        "yarn install --immutable" if locked else "yarn install",
        "yarn workspaces focus --production",
        "/root/.yarn/berry/cache",
        "yarn run",
        "yarn.lock must not change (--immutable)" if locked else "there is no lockfile to keep to",
        setup=chain("npm install --global corepack@0.34.0", "corepack enable"),
        environment=(("YARN_NODE_LINKER", "node-modules"), ("YARN_ENABLE_GLOBAL_CACHE", "true")),
    )


def _bun(app: App) -> Manager:
    locked = app.has("bun.lock") or app.has("bun.lockb")
    return Manager(
        "bun install --frozen-lockfile" if locked else "bun install",
        chain("rm -rf node_modules", f"bun install --production{' --frozen-lockfile' if locked else ''}"),
        "/root/.bun/install/cache",
        "bun run",
        "the lockfile is installed as it is, or the build fails" if locked else "there is no lockfile to keep to",
    )


_MANAGERS = {"bun": _bun, "npm": _npm, "pnpm": _pnpm, "yarn": _yarn}
