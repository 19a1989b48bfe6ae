"""npm, Yarn, pnpm and Bun: how each installs what a lockfile says, builds a workspace's member and drops the rest."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.recipe import chain
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word


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
    environment: tuple[tuple[str, str], ...] = ()


_NO_LOCK = "there is no lockfile to keep to"
_ALL_GONE = "find . -name node_modules -prune -exec rm -rf {} +"


def node_manager(app: App) -> Manager:
    """Choose how packages are installed, by the manager and by what lockfile there is."""
    return _MANAGERS.get(app.manager, _npm)(app)


def _npm(app: App) -> Manager:
    locked = app.has("package-lock.json") or app.has("npm-shrinkwrap.json")
    member = f" --workspace {_folder(app)} --include-workspace-root" if app.is_isolated_member else ""
    return Manager(
        f"npm ci{member}" if locked else f"npm install{member}",
        f"npm prune --omit=dev{member}",
        "/root/.npm",
        "npm run",
        "npm run build --workspace {folder}",
        "package-lock.json is installed as it is, or the build fails" if locked else _NO_LOCK,
    )


def _pnpm(app: App) -> Manager:
    locked = app.has("pnpm-lock.yaml")
    frozen = " --frozen-lockfile" if locked else ""
    member = f" --filter {shell_word(f'{_name(app)}...')}" if app.is_isolated_member else ""
    again = f"pnpm install --prod{frozen} --prefer-offline{member}"
    return Manager(
        f"pnpm install{frozen}{member}",
        chain(_ALL_GONE, again) if app.workspace else "pnpm prune --prod",
        "/root/.pnpm-store",
        "pnpm run",
        "pnpm --dir {folder} run build",
        "pnpm-lock.yaml is installed as it is, or the build fails" if locked else _NO_LOCK,
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
        "yarn --cwd {folder} run build",
        "yarn.lock is installed as it is, or the build fails" if locked else _NO_LOCK,
        # The images of Node.js link another Yarn 1 at the same path, which npm only replaces by force.
        setup="npm install --global --force yarn@1.22.22",
        environment=(("YARN_CACHE_FOLDER", "/root/.yarn-cache"),),
    )


def _yarn_berry(app: App) -> Manager:
    locked = app.has("yarn.lock")
    member = f" {shell_word(_name(app))}" if app.is_isolated_member else ""
    return Manager(
        "yarn install --immutable" if locked else "yarn install",
        f"yarn workspaces focus{member} --production",
        "/root/.yarn/berry/cache",
        "yarn run",
        "yarn --cwd {folder} run build",
        "yarn.lock must not change (--immutable)" if locked else _NO_LOCK,
        setup=chain("npm install --global corepack@0.34.0", "corepack enable"),
        environment=(("YARN_NODE_LINKER", "node-modules"), ("YARN_ENABLE_GLOBAL_CACHE", "true")),
    )


def _bun(app: App) -> Manager:
    locked = app.has("bun.lock") or app.has("bun.lockb")
    frozen = " --frozen-lockfile" if locked else ""
    member = f" --filter {shell_word(f'./{app.module.path}')}" if app.is_isolated_member else ""
    return Manager(
        f"bun install{frozen}{member}",
        chain(_ALL_GONE, f"bun install --production{frozen}{member}"),
        "/root/.bun/install/cache",
        "bun run",
        "bun run --cwd {folder} build",
        "the lockfile is installed as it is, or the build fails" if locked else _NO_LOCK,
    )


_MANAGERS = {"bun": _bun, "npm": _npm, "pnpm": _pnpm, "yarn": _yarn}


def _folder(app: App) -> str:
    return shell_word(app.module.path)


def _name(app: App) -> str:
    """Return the member's name in its own manifest."""
    member = app.workspace.member(app.module.path) if app.workspace else None
    return member.name if member else app.module.name
