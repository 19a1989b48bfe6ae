"""JavaScript and TypeScript on Node.js and Bun: the declaration."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, PackageManager, RootBuild, SiteBuild
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockFile,
    LockRequirement,
    PackageRegistry,
)
from container_kit.stages.ecosystems.javascript import detect, lockfiles, nest, nx, pnpm_lock, workspace
from container_kit.stages.ecosystems.javascript.recipe import build_site, node
from container_kit.stages.ecosystems.javascript.site_settings import base_path, output_folders

_LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock")


def _command(run: str, force: str) -> LockCommand:
    return LockCommand(("package.json",), run, force=force)


_NPM = PackageRegistry(
    purl_type="npm",
    osv="npm",
    version_scheme="SemverVersion",
    manifests=("package.json",),
    requirement=(
        r"\"{name}\"\s*:\s*\"(?:[\^~<>=*\dv]|npm:|workspace:|file:|link:|git|https?:|latest|next)|npm:{name}@"
    ),
    lock_files=(
        LockFile("package-lock.json", lockfiles.npm, _command("npm install", "`overrides`")),
        LockFile("npm-shrinkwrap.json", lockfiles.npm, _command("npm install", "`overrides`")),
        LockFile("yarn.lock", lockfiles.yarn, _command("yarn install", "`resolutions`")),
        LockFile("pnpm-lock.yaml", pnpm_lock.pnpm, _command("pnpm install", "`pnpm.overrides`")),
        LockFile("bun.lock", lockfiles.bun, _command("bun install", "`overrides`")),
    ),
    lock_requirements=(
        LockRequirement(
            "package.json",
            re.compile(r'"(?:dev|optional)?[dD]ependencies"\s*:\s*\{\s*"'),
            _LOCKS,
            re.compile(r'"workspaces"\s*:'),
            always_shared=("pnpm-lock.yaml",),
        ),
    ),
    name_separator="/",
    several_versions=True,
)
_SITE = SiteBuild(build_site, configured_output=output_folders, base_path=base_path)

ECOSYSTEM = Ecosystem(
    "javascript",
    detectors=(*detect.DETECTORS, *nest.DETECTORS, *nx.DETECTORS),
    languages=(
        Language("javascript", node, _SITE, end_of_life="node", images=("node",)),
        Language("typescript", node, _SITE, end_of_life="node", images=("node", "deno", "bun")),
    ),
    managers=tuple(PackageManager(name, workspace.read) for name in ("npm", "yarn", "pnpm", "bun")),
    packages=_NPM,
    unread_lock_files=("bun.lockb",),
    tool_folders=(
        "node_modules",
        "bower_components",
        "jspm_packages",
        ".next",
        ".nuxt",
        ".output",
        ".svelte-kit",
        ".angular",
        ".turbo",
        ".parcel-cache",
        ".serverless",
        ".yarn",
        ".pnpm-store",
        "elm-stuff",
    ),
    dependency_folders=(".yarn", "bower_components", "node_modules"),
    root_build=RootBuild(
        "package.json",
        module_manifests=("package.json", "deno.json", "deno.jsonc"),
        files=(
            "package.json",
            "package-lock.json",
            "npm-shrinkwrap.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "pnpm-workspace.yaml",
            ".yarnrc.yml",
            "bun.lock",
            "bun.lockb",
        ),
        languages=frozenset(["javascript", "typescript"]),
    ),
)
