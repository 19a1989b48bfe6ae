"""Node.js: everything is installed and built in one stage, which then drops what only the build needed."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import build_packages, runtime_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    RuntimeImage,
    cached,
    chain,
    copy,
    environment,
    system_packages,
)
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word
from container_kit.stages.ecosystems.facets.generation.start_command import Command
from container_kit.stages.ecosystems.facets.generation.version_ranges import preferred
from container_kit.stages.ecosystems.javascript.package_managers import Manager, node_manager

_VERSIONS = ("24", "26", "22", "20", "18", "16")
_SCRIPT = re.compile(r"^(?:npm|yarn|pnpm|bun)(?:\s+(?:run|run-script))?\s+(?:-\S+\s+)*([\w:.-]+)(?:\s+--)?(.*)$")
_COMMANDS = {"run", "start", "test", "add", "build", "create", "deploy", "global", "init", "workspace"}
"""Words after `yarn`, `pnpm` or `bun` that are not names of programs."""
_NOT_SCRIPTS = {"exec", "dlx", "install", "ci", "x"}
IGNORE = ("**/node_modules", "**/.next", "**/.nuxt", "**/.svelte-kit", "**/.turbo", "**/.parcel-cache",
    "**/.yarn/cache", "**/.pnpm-store", "**/npm-debug.log*", "**/*.tsbuildinfo")  # fmt: skip


def node(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Node.js server."""
    base = node_base(app, bases)
    manager = node_manager(app)
    command = app.command(program_of(app, app.start or ""))
    standalone = _is_standalone(app)
    runtime = RuntimeImage(
        base,
        ("node", "server.js") if standalone else command.arguments,
        copies=_standalone(app) if standalone else ("COPY --from=build /app /app",),
        environment=_environment(app, command),
        packages=runtime_packages(app.packages),
        workdir=app.folder,
    )
    build = Build(base, _lines(app, base, manager))
    traced = Reason(
        decision="Next's standalone server", rationale="next.config asks for it: only what is used is shipped"
    )
    reasons = (
        *((traced,) if standalone else ()),
        Reason(decision=manager.install, rationale=manager.why),
        Reason(
            decision=f"PID 1 {command.arguments[0]}", rationale="a package manager as PID 1 would not pass signals on"
        ),
    )
    return Recipe((build,), runtime, ignore=IGNORE, reasons=reasons)


def node_base(app: App, bases: Bases) -> Base:
    """Choose the image with Node.js, or with Bun where that is the package manager."""
    if app.manager == "bun":
        return bases.pick(Base("oven/bun:1-slim", probe="bun"), rationale="the project is run by Bun")
    return bases.pick(
        *(Base(f"node:{version}-slim", probe="node") for version in preferred(app.version, _VERSIONS)),
        rationale=f"the project asks for Node.js {app.version}"
        if app.version
        else "the default Node.js, a long-term one",
    )


def install_lines(app: App, base: Base, manager: Manager, *after: str) -> tuple[str, ...]:
    """Return the lines of a build stage up to the installed dependencies, and what to run after them."""
    return (
        *system_packages(base, build_packages(app.packages)),
        *environment(dict(manager.environment)),
        "WORKDIR /app",
        *((cached("/root/.npm", manager.setup),) if manager.setup else ()),
        *app.copy_manifests(),
        *_read_when_installing(app),
        cached(manager.cache, chain(manager.install, *after)),
    )


def source_and_build(app: App, manager: Manager, *after: str) -> tuple[str, ...]:
    """Return the lines that copy and build the source, workspace packages first, and then run commands at the root."""
    workspace_dependencies = [
        manager.run_in.format(folder=shell_word(member.path))
        for member in app.workspace_dependencies
        if member.builds and app.build
    ]
    build, finish = _as_script(app, manager), chain(*after)
    if app.module.path == ".":
        both = chain(build, finish)
        return (app.copy_source(), *((cached(manager.cache, both),) if both else ()))
    return (
        *app.copy_workspace_dependencies(),
        *((cached(manager.cache, chain(*workspace_dependencies)),) if workspace_dependencies else ()),
        app.copy_module(),
        *((*app.enter(), cached(manager.cache, build)) if build else ()),
        *(("WORKDIR /app", cached(manager.cache, finish)) if finish else ()),
    )


def build_site(app: App, bases: Bases) -> Build:
    """Return the stage that builds a static site."""
    base, manager = node_base(app, bases), node_manager(app)
    return Build(base, install_lines(app, base, manager) + source_and_build(app, manager))


def _read_when_installing(app: App) -> tuple[str, ...]:
    """Return COPY instructions for files that the installation reads before the source is copied."""
    folders = [name for name in (".yarn", "patches", "prisma") if app.tree.names(name) and app.workspace is None]
    files = [name for name in (".npmrc", ".pnpmfile.cjs") if app.tree.exists(name) and name not in app.manifests]
    scripts = _scripts(app) if app.module.path == "." else {}
    for hook in ("preinstall", "install", "postinstall", "prepare"):
        words = re.findall(r"[\w.-]+(?:/[\w.-]+)*\.[cm]?js\b", str(scripts.get(hook, "")))
        files += [word.removeprefix("./") for word in words if ".." not in word and app.tree.exists(word)]
    lines = [copy([name], f"./{name}") for name in dict.fromkeys((*folders, *files))]
    return tuple(line for line in lines)


def _as_script(app: App, manager: Manager) -> str:
    """Return the build command; `npm run build` in the form of the package manager."""
    build = app.build or ""
    script = _SCRIPT.match(build)
    known = script and script[1] in _scripts(app)
    return f"{manager.run} {script[1]}{script[2]}" if script and known else build


def _lines(app: App, base: Base, manager: Manager) -> tuple[str, ...]:
    """Development packages are dropped after the build; with no build, before the source comes, which keeps it cached.

    In a workspace with unknown members they stay, because other members may need them.
    """
    prune = "" if (app.in_workspace and not app.workspace) or _is_standalone(app) else manager.prune
    if app.build:
        return install_lines(app, base, manager) + source_and_build(app, manager, prune)
    return install_lines(app, base, manager, prune) + source_and_build(app, manager)


def _is_standalone(app: App) -> bool:
    """Return whether Next traces the files that its server uses, which leaves nothing to prune."""
    names = ("next.config.js", "next.config.mjs", "next.config.ts")
    text = "".join(app.tree.text(app.inside(name)) or "" for name in names)
    match = re.search(r"^\s*output\s*:\s*[\"']standalone[\"']", text, re.MULTILINE)
    return app.framework == "nextjs" and app.module.path == "." and match is not None


def _standalone(app: App) -> tuple[str, ...]:
    public = app.tree.names("public")
    return (
        *(("COPY --from=build /app/public /app/public",) if public else ()),
        "COPY --from=build /app/.next/standalone /app",
        "COPY --from=build /app/.next/static /app/.next/static",
    )


def _scripts(app: App) -> dict[str, object]:
    scripts = app.tree.json(app.inside("package.json")).get("scripts", {})
    return scripts if isinstance(scripts, dict) else {}


def _environment(app: App, command: Command) -> dict[str, str]:
    bins = f"{app.folder}/node_modules/.bin"
    path = bins if app.folder == "/app" else f"{bins}:/app/node_modules/.bin"
    base = {"NODE_ENV": "production", "HOST": "0.0.0.0", "PATH": f"{path}:$PATH"}  # noqa: S104 - a container's own addresses
    if app.framework.startswith("next"):
        base |= {"NEXT_TELEMETRY_DISABLED": "1", "HOSTNAME": "0.0.0.0"}  # noqa: S104 - as above
    return base | dict(command.environment)


def program_of(app: App, line: str, depth: int = 3) -> str:
    """Follow `npm start` and its like to the command that the script runs, so that it can be PID 1."""
    match = _SCRIPT.match(line.strip())
    if not match or match[1] in _NOT_SCRIPTS or depth == 0:
        return line
    script = _scripts(app).get(match[1])
    if match[1] == "start" and script is None and app.tree.exists(app.inside("server.js")):
        script = "node server.js"
    if isinstance(script, str):
        return program_of(app, f"{script}{match[2]}", depth - 1)
    is_program = re.fullmatch(r"[\w-]+", match[1]) and match[2][:1] in {"", " "} and match[1] not in _COMMANDS
    return f"{match[1]}{match[2]}" if is_program and line.split()[0] != "npm" else line
