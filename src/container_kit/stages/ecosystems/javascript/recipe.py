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
from container_kit.stages.ecosystems.javascript.build_values import build_values
from container_kit.stages.ecosystems.javascript.installation.install_hooks import (
    build_variables,
    reads_source,
    without_git_hooks,
)
from container_kit.stages.ecosystems.javascript.installation.install_root import (
    brings_packages,
    install_root,
    root_file,
)
from container_kit.stages.ecosystems.javascript.installation.node_versions import node_versions
from container_kit.stages.ecosystems.javascript.installation.package_managers import Manager, node_manager
from container_kit.stages.ecosystems.javascript.installation.registry_secrets import (
    mount_flags,
    read_commands,
    registry_secrets,
)
from container_kit.stages.ecosystems.javascript.prisma import generate_client, uses_prisma
from container_kit.stages.ecosystems.javascript.start import Start, read_start, scripts
from container_kit.stages.ecosystems.javascript.sveltekit import NODE, replace_adapter, replaced_adapter

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
    adapter = replaced_adapter(app)
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
        *((Reason(decision=NODE, rationale=f"what {adapter} makes runs in no container"),) if adapter else ()),
        Reason(decision=f"PID 1 {command.arguments[0]}", rationale=pid_1),
    )


def install_reasons(app: App, manager: Manager) -> tuple[Reason, ...]:
    """Explain how packages are installed; nothing without a manifest."""
    if not has_manifest(app):
        return (Reason(decision="no installation", rationale="there is no package.json"),)
    setup = Reason(decision=manager.setup, rationale=manager.setup_why)
    secrets = (
        Reason(decision=f"build secret {name}", rationale=".npmrc or .yarnrc.yml reads it for a private registry")
        for name, required in registry_secrets(app).items()
        if required
    )
    values = (
        Reason(decision=f"{name} has a placeholder in the build", rationale="the build reads it, but need not connect")
        for name in build_values(app)
    )
    installed = Reason(decision=manager.install, rationale=manager.why)
    return (*((setup,) if manager.setup_why else ()), installed, *secrets, *values)


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
    secrets = registry_secrets(app)
    install = chain(
        *read_commands(secrets),
        "find . -name node_modules -prune -exec rm -rf {} +" if brings_packages(app) else "",
        without_git_hooks(app),
        manager.install,
        *after,
    )
    return (
        *system_packages(base, build_packages(app.packages)),
        *environment(variables),
        "WORKDIR /app",
        *((cached("/root/.npm", manager.setup),) if manager.setup else ()),
        *((app.copy_source(),) if _source_first(app) else (*app.copy_manifests(), *_read_when_installing(app))),
        *(() if app.in_workspace else app.enter()),
        cached(manager.cache, install, *mount_flags(secrets)),
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
    return () if has_manifest(app) and _source_first(app) else lines


def _source_first(app: App) -> bool:
    return reads_source(app) or brings_packages(app)


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
    build = _as_script(app, manager, _build_command(app))
    moved = [_as_script(app, manager, command) for command in (start.builds if start else ())]
    others = [command for command in moved if command != build]
    programs = f"export PATH={_programs(app)}:$PATH" if others else ""
    values = [f"export {name}={shell_word(value)}" for name, value in build_values(app).items()]
    commands = (*generate_client(app), *replace_adapter(app), build, programs, *others)
    if not any(commands):
        return ()
    commands = (*values, *commands)
    return tuple(dict.fromkeys(command for command in commands if command))


def _build_command(app: App) -> str:
    """Return the build command. Nuxt writes the pages of a site without a server only with `generate`."""
    if app.framework == "nuxt" and app.role == "static":
        return "npm run generate" if "generate" in scripts(app) else "npx nuxt generate"
    return app.build or ""


def _as_script(app: App, manager: Manager, command: str) -> str:
    """Return a build command; scripts are run by the package manager."""
    script = _BUILD.match(command)
    known = script and script[1] in scripts(app)
    return f"{manager.run} {script[1]}{script[2]}" if script and known else command


def _lines(app: App, base: Base, manager: Manager, start: Start) -> tuple[str, ...]:
    """Development packages are dropped after the build; with no build, before the source comes, which keeps it cached.

    In a workspace with unknown members they stay, because other members may need them.
    """
    kept = (app.in_workspace and not app.workspace) or _is_standalone(app) or start.needs_tools or _loses_results(app)
    prune = "" if kept or not has_manifest(app) else manager.prune
    builds = _builds(app, manager, start)
    if builds:
        return install_lines(app, base, manager) + source_and_build(app, manager, builds, prune)
    return install_lines(app, base, manager, prune) + source_and_build(app, manager, ())


def _loses_results(app: App) -> bool:
    """Return whether dropping packages would drop what was made in them: Prisma's client, or compiled modules."""
    installs_again = app.manager == "bun" or (app.manager == "pnpm" and app.workspace is not None)
    return (uses_prisma(app) and app.manager != "npm") or (installs_again and "g++" in app.packages)


def _is_standalone(app: App) -> bool:
    """Return whether Next traces the files that its server uses, which leaves nothing to prune."""
    names = ("next.config.js", "next.config.mjs", "next.config.ts")
    text = "".join(app.tree.text(app.inside(name)) or "" for name in names)
    match = re.search(r"^[^/*\n]*\boutput\s*:\s*[\"']standalone[\"']", text, re.MULTILINE)
    return app.framework == "nextjs" and app.module.path == "." and match is not None and "distDir" not in text


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
    if "chromium" in app.packages:
        base["PUPPETEER_EXECUTABLE_PATH"] = "/usr/bin/chromium"  # the browser that Puppeteer brings is not downloaded
    return base | dict(command.environment)
