"""npm, Yarn, pnpm and Bun: how each installs what a lockfile says, builds a workspace's member and drops the rest."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.recipe import chain
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word
from container_kit.stages.ecosystems.javascript.installation.install_root import root_file
from container_kit.stages.ecosystems.javascript.installation.lock_state import (
    conflicting_peer,
    is_for_linux,
    missing_optional,
    outdated,
)
from container_kit.stages.ecosystems.javascript.installation.manager_versions import pnpm_version, yarn_version


@dataclass(frozen=True, slots=True)
class Manager:
    """How a package manager is used inside an image, at the root of what its lockfile covers."""

    install: str
    """Everything that the module needs, as the lockfile says."""
    prune: str
    """Drops what only the build needed."""
    cache: str
    run: str
    """In front of a script's name."""
    run_in: str
    """The same for a member of the workspace: `{folder}` is its folder."""
    why: str
    setup: str = ""
    """Installs the manager itself, if the image does not have it."""
    setup_why: str = ""
    environment: tuple[tuple[str, str], ...] = ()


_NO_LOCK = "there is no lockfile to keep to"
_ALL_GONE = "find . -name node_modules -prune -exec rm -rf {} +"
_ADD_LINUX = (
    "node -e \"const fs=require('fs'),f='{lock}',lock=JSON.parse(fs.readFileSync(f)),all=lock.packages;"
    "for(const[path,entry]of Object.entries(all))"
    "for(const[name,version]of Object.entries(entry.optionalDependencies||{{}}))"
    "if(new RegExp('linux-'+process.arch+'(-gnu|-glibc)?'+String.fromCharCode(36)).test(name)"
    "&&!Object.keys(all).some(other=>other.endsWith('node_modules/'+name)&&all[other].version===version))"
    "all[(path&&path+'/')+'node_modules/'+name]={{version,optional:true,dev:entry.dev}};"
    'fs.writeFileSync(f,JSON.stringify(lock))"'
)
"""Completes a lock file in the image: npm/cli issue 4828."""


@dataclass(frozen=True, slots=True)
class _Lock:
    """The lock file to keep to, and whether it fits the manifests."""

    exists: bool
    why: str
    exact: bool
    """Whether an installation that changes nothing can succeed."""
    name: str = ""


def node_manager(app: App) -> Manager:
    """Choose how packages are installed, by the manager and by what lockfile there is."""
    return _MANAGERS.get(app.manager, _npm)(app)


def _lock(app: App, *names: str, kept: str) -> _Lock:
    """Find the lock file.

    Args:
        app: The application.
        names: The manager's lock files.
        kept: Why it is installed as it is.
    """
    name = next((name for name in names if app.has(name) and app.tree.exists(root_file(app, name))), None)
    if name is None:
        return _Lock(False, _NO_LOCK, False)
    if wrong := outdated(app, name):
        return _Lock(True, f"{name} is out of date ({wrong}), so versions are resolved in the build", False, name)
    return _Lock(True, kept, True, name)


def _npm(app: App) -> Manager:
    lock = _lock(
        app,
        "package-lock.json",
        "npm-shrinkwrap.json",
        kept="package-lock.json is installed as it is, or the build fails",
    )
    member = f" --workspace {_folder(app)} --include-workspace-root" if app.is_isolated_member else ""
    missing, why = (missing_optional(app, lock.name) if lock.exact else ()), lock.why
    if missing:
        why = f"{lock.name} leaves out optional packages, such as {missing[0]}, which npm ci would refuse or miss"
    complete = _ADD_LINUX.format(lock=lock.name) if missing and is_for_linux(missing[0]) else ""
    conflict = conflicting_peer(app, lock.name) if lock.exists else None
    legacy = " --legacy-peer-deps" if conflict else ""
    install = f"npm {'ci' if lock.exact and not missing else 'install'}{member}{legacy}"
    prune = f"npm prune --omit=dev{member}{legacy}"
    if not lock.exists:
        install, prune = (f"{{ {command} || {command} --legacy-peer-deps; }}" for command in (install, prune))
    return Manager(
        chain(complete, install),
        prune,
        "/root/.npm",
        "npm run",
        "npm run build --workspace {folder}",
        f"{why}; {conflict}" if conflict else why,
    )


def _pnpm(app: App) -> Manager:
    lock = _lock(app, "pnpm-lock.yaml", kept="pnpm-lock.yaml is installed as it is, or the build fails")
    version, why = pnpm_version(app)
    mode = " --frozen-lockfile" if lock.exact else " --no-frozen-lockfile"
    member = f" --filter {shell_word(f'{_name(app)}...')}" if app.is_isolated_member else ""
    again = f"pnpm install --prod{mode} --prefer-offline --ignore-scripts{member}"
    return Manager(
        f"pnpm install{mode}{member}",
        chain(_ALL_GONE, again) if app.workspace else "npm_config_ignore_scripts=true pnpm prune --prod",
        "/root/.pnpm-store",
        "pnpm run",
        "pnpm --dir {folder} run build",
        lock.why,
        setup=f"npm install --global pnpm@{version}",
        setup_why=why,
        environment=(("CI", "true"), ("npm_config_store_dir", "/root/.pnpm-store")),
    )


def _yarn(app: App) -> Manager:
    modern = yarn_version(app)
    return _yarn_berry(app, *modern) if modern else _yarn_classic(app)


def _yarn_classic(app: App) -> Manager:
    lock = _lock(app, "yarn.lock", kept="yarn.lock is installed as it is, or the build fails")
    frozen = " --frozen-lockfile" if lock.exact else ""
    return Manager(
        # A package that names other versions of Node.js than the one that was chosen would end the installation.
        f"yarn install{frozen} --ignore-engines",
        "yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline --ignore-engines"
        if lock.exact
        else "yarn install --production --ignore-scripts --prefer-offline --ignore-engines",
        "/root/.yarn-cache",
        "yarn run",
        "yarn --cwd {folder} run build",
        lock.why,
        # The images of Node.js link another Yarn 1 at the same path, which npm only replaces by force.
        setup="npm install --global --force yarn@1.22.22",
        environment=(("YARN_CACHE_FOLDER", "/root/.yarn-cache"),),
    )


def _yarn_berry(app: App, version: str, why: str) -> Manager:
    lock = _lock(app, "yarn.lock", kept="yarn.lock must not change (--immutable)")
    member = f" {shell_word(_name(app))}" if app.is_isolated_member else ""
    return Manager(
        f"yarn install {'--immutable' if lock.exact else '--no-immutable'}",
        f"yarn workspaces focus{member} --production",
        "/root/.yarn/berry/cache",
        "yarn run",
        "yarn --cwd {folder} run build",
        lock.why,
        # The package on npm is the release itself; Corepack would download it from another host.
        setup=f"npm install --global --force @yarnpkg/cli-dist@{version}",
        setup_why=why,
        environment=(
            ("YARN_NODE_LINKER", "node-modules"),
            ("YARN_ENABLE_GLOBAL_CACHE", "true"),
            ("YARN_ENABLE_TELEMETRY", "false"),
        ),
    )


def _bun(app: App) -> Manager:
    lock = _lock(app, "bun.lock", "bun.lockb", kept="the lockfile is installed as it is, or the build fails")
    frozen = " --frozen-lockfile" if lock.exact else ""
    member = f" --filter {shell_word(f'./{app.module.path}')}" if app.is_isolated_member else ""
    return Manager(
        f"bun install{frozen}{member}",
        chain(_ALL_GONE, f"bun install --production{frozen}{member}"),
        "/root/.bun/install/cache",
        "bun run",
        "bun run --cwd {folder} build",
        lock.why,
    )


_MANAGERS = {"bun": _bun, "npm": _npm, "pnpm": _pnpm, "yarn": _yarn}


def _folder(app: App) -> str:
    return shell_word(app.module.path)


def _name(app: App) -> str:
    """Return the member's name in its own manifest."""
    member = app.workspace.member(app.module.path) if app.workspace else None
    return member.name if member else app.module.name
