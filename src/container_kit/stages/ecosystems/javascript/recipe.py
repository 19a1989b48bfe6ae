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
from container_kit.stages.ecosystems.javascript.install_hooks import build_variables, reads_source, without_git_hooks
from container_kit.stages.ecosystems.javascript.install_root import install_root, root_file
from container_kit.stages.ecosystems.javascript.node_versions import node_versions
from container_kit.stages.ecosystems.javascript.package_managers import Manager, node_manager
from container_kit.stages.ecosystems.javascript.prisma import generate_client, uses_prisma
from container_kit.stages.ecosystems.javascript.start import Start, read_start, scripts

_BUILD = re.compile(r"^(?:npm|yarn|pnpm|bun)(?:\s+(?:run|run-script))?\s+(?:-\S+\s+)*([\w:.-]+)(?:\s+--)?(.*)$")
IGNORE = ("**/node_modules", "**/.next", "**/.nuxt", "**/.svelte-kit", "**/.turbo", "**/.parcel-cache",
    "**/.yarn/cache", "**/.pnpm-store", "**/npm-debug.log*", "**/*.tsbuildinfo")  # fmt: skip


_SETTINGS = (".npmrc", ".pnpmfile.cjs", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", "bunfig.toml",
    "prisma.config.ts")  # fmt: skip
"""Files that an installation reads, next to manifests and lock files."""


def node(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Node.js server."""
    base = node_base(app, bases)
    manager, start = node_manager(app), read_start(app)
    command = app.command(start.line)
    standalone = _is_standalone(app)
    runtime = RuntimeImage(
        base,
        ("node", "server.js") if standalone else command.arguments,
        copies=_standalone(app) if standalone else ("COPY --from=build /app /app",),
        environment=_environment(app, command),
        packages=runtime_packages(app.packages),
        workdir=app.folder,
    )
    build = Build(base, _lines(app, base, manager, start))
    return Recipe(
        (build,), runtime, ignore=IGNORE, reasons=_reasons(app, manager, start, command, standalone=standalone)
    )


def _reasons(app: App, manager: Manager, start: Start, command: Command, *, standalone: bool) -> tuple[Reason, ...]:
    tools = "its program, or a package that it loads, is among the development dependencies"
    pid_1 = "a package manager as PID 1 would not pass signals on"
    return (
        *install_reasons(app, manager),
        *(
            (
                Reason(
                    decision="Next's standalone server", rationale="next.config sets it, so only used files are copied"
                ),
            )
            if standalone
            else ()
        ),
        *((Reason(decision="development packages are kept", rationale=tools),) if start.needs_tools else ()),
        Reason(decision=f"PID 1 {command.arguments[0]}", rationale=pid_1),
    )


def install_reasons(app: App, manager: Manager) -> tuple[Reason, ...]:
    """Explain how packages are installed; nothing without a manifest."""
    if not has_manifest(app):
        return (Reason(decision="no installation", rationale="there is no package.json"),)
    setup = Reason(decision=manager.setup, rationale=manager.setup_why)
    return (*((setup,) if manager.setup_why else ()), Reason(decision=manager.install, rationale=manager.why))


def has_manifest(app: App) -> bool:
    """Return whether there is a `package.json` to install."""
    return app.tree.exists(root_file(app, "package.json"))


def node_base(app: App, bases: Bases) -> Base:
    """Choose the image with Node.js, or with Bun where that is the package manager."""
    if app.manager == "bun":
        return bases.pick(Base("oven/bun:1-slim", probe="bun"), rationale="the project is run by Bun")
    versions, why = node_versions(app)
    return bases.pick(*(Base(f"node:{version}-slim", probe="node") for version in versions), rationale=why)


def install_lines(app: App, base: Base, manager: Manager, *after: str) -> tuple[str, ...]:
    """Return the lines of a build stage up to the installed dependencies, and what to run after them."""
    if not has_manifest(app):
        return (*system_packages(base, build_packages(app.packages)), "WORKDIR /app")
    variables = dict(manager.environment) | build_variables(app)
    return (
        *system_packages(base, build_packages(app.packages)),
        *environment(variables),
        "WORKDIR /app",
        *((cached("/root/.npm", manager.setup),) if manager.setup else ()),
        *((app.copy_source(),) if reads_source(app) else (*app.copy_manifests(), *_read_when_installing(app))),
        *(() if app.in_workspace else app.enter()),
        cached(manager.cache, chain(without_git_hooks(app), manager.install, *after)),
    )


def source_and_build(app: App, manager: Manager, builds: tuple[str, ...], *after: str) -> tuple[str, ...]:
    """Return the lines that copy and build the source, workspace packages first, and then run commands at the root."""
    build, finish = chain(*builds), chain(*after)
    if app.module.path == ".":
        both = chain(build, finish)
        return (*_copy_once(app, app.copy_source()), *((cached(manager.cache, both),) if both else ()))
    workspace_dependencies = [
        manager.run_in.format(folder=shell_word(member.path)) for member in app.workspace_dependencies if member.builds
    ]
    return (
        *_copy_once(app, *app.copy_workspace_dependencies()),
        *((cached(manager.cache, chain(*workspace_dependencies)),) if workspace_dependencies else ()),
        *_copy_once(app, app.copy_module()),
        *((*app.enter(), cached(manager.cache, build)) if build else ()),
        *((*(("WORKDIR /app",) if app.in_workspace else app.enter()), cached(manager.cache, finish)) if finish else ()),
    )


def _copy_once(app: App, *lines: str) -> tuple[str, ...]:
    """Return COPY instructions; none if the source came before the installation."""
    return () if has_manifest(app) and reads_source(app) else lines


def build_site(app: App, bases: Bases) -> Build:
    """Return the stage that builds a static site."""
    base, manager = node_base(app, bases), node_manager(app)
    return Build(base, install_lines(app, base, manager) + source_and_build(app, manager, _builds(app, manager)))


def _read_when_installing(app: App) -> tuple[str, ...]:
    """Return COPY instructions for files that the installation reads before the source is copied."""
    root = install_root(app)
    folders = [name for name in (".yarn", "patches", "prisma") if app.tree.names(root_file(app, name))]
    files = [name for name in _SETTINGS if app.tree.exists(root_file(app, name))]
    there = "." if root == "." else f"./{root}"
    names = [name for name in dict.fromkeys((*folders, *files)) if root_file(app, name) not in app.manifests]
    return tuple(copy([root_file(app, name)], f"{there}/{name}") for name in names)


def _builds(app: App, manager: Manager, start: Start | None = None) -> tuple[str, ...]:
    """Return the commands of the build: generated code, the build script, and what the start script builds."""
    build = _as_script(app, manager, app.build or "")
    moved = [_as_script(app, manager, command) for command in (start.builds if start else ())]
    others = [command for command in moved if command != build]
    programs = f"export PATH={_programs(app)}:$PATH" if others else ""
    commands = (*generate_client(app), build, programs, *others)
    return tuple(dict.fromkeys(command for command in commands if command))


def _as_script(app: App, manager: Manager, command: str) -> str:
    """Return a build command; scripts are run by the package manager."""
    script = _BUILD.match(command)
    known = script and script[1] in scripts(app)
    return f"{manager.run} {script[1]}{script[2]}" if script and known else command


def _lines(app: App, base: Base, manager: Manager, start: Start) -> tuple[str, ...]:
    """Development packages are dropped after the build; with no build, before the source comes, which keeps it cached.

    In a workspace with unknown members they stay, because other members may need them.
    """
    kept = (app.in_workspace and not app.workspace) or _is_standalone(app) or start.needs_tools or _loses_client(app)
    prune = "" if kept or not has_manifest(app) else manager.prune
    builds = _builds(app, manager, start)
    if builds:
        return install_lines(app, base, manager) + source_and_build(app, manager, builds, prune)
    return install_lines(app, base, manager, prune) + source_and_build(app, manager, ())


def _loses_client(app: App) -> bool:
    """Return whether dropping packages would also drop the client that Prisma generated among them."""
    return uses_prisma(app) and app.manager != "npm"


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


def _programs(app: App) -> str:
    """Return the folders with the programs of packages."""
    own = f"{app.folder}/node_modules/.bin"
    return own if app.folder == "/app" else f"{own}:/app/node_modules/.bin"


def _environment(app: App, command: Command) -> dict[str, str]:
    base = {"NODE_ENV": "production", "HOST": "0.0.0.0", "PATH": f"{_programs(app)}:$PATH"}  # noqa: S104 - a container's own addresses
    if app.framework.startswith("next"):
        base |= {"NEXT_TELEMETRY_DISABLED": "1", "HOSTNAME": "0.0.0.0"}  # noqa: S104 - as above
    return base | dict(command.environment)
