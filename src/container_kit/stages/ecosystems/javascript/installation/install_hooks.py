"""Scripts that package managers run while they install, and the variables that keep installations small."""

from __future__ import annotations

from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.javascript.installation.install_root import (
    all_dependencies,
    dependencies,
    manifests,
    root_file,
)

_HOOKS = ("preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare", "prepublish")
_NEEDS_NO_SOURCE = re.compile(
    r"(?:npx\s+|pnpm\s+(?:exec\s+)?|yarn\s+)?(?:husky(?:\s+install)?(?:\s+\S+)?|is-ci|patch-package|only-allow\s+\w+|(?:nuxt|nuxi)\s+prepare|"
    r"prisma\s+generate|svelte-kit\s+sync|lefthook\s+install|simple-git-hooks|ngcc\b.*|"
    r"playwright\s+install\b.*|echo\b.*|exit\s+0|true|electron-builder\s+install-app-deps)"
)
_NEEDS_GIT = re.compile(r"(?:^|&&|;|\|\|)\s*git\s")


def reads_source(app: App) -> bool:
    """Return whether the installation runs a script of the project that may read any of its files."""
    return any(not _NEEDS_GIT.search(command) and not _is_harmless(command) for _, command in _hooks(app))


def _is_harmless(command: str) -> bool:
    parts = [part.strip() for part in re.split(r"&&|\|\||;", command) if part.strip()]
    return all(_NEEDS_NO_SOURCE.fullmatch(part) for part in parts)


def without_git_hooks(app: App) -> str:
    """Return the command that removes scripts which call git, as the image has no git; empty without such scripts."""
    own = dependencies(app.tree.json(root_file(app, "package.json")), "scripts")
    names = [name for name in _HOOKS if _NEEDS_GIT.search(own.get(name, ""))]
    return f"npm pkg delete {' '.join(f'scripts.{name}' for name in names)}" if names else ""


def _hooks(app: App) -> list[tuple[str, str]]:
    return [
        (name, command)
        for manifest in manifests(app).values()
        for name, command in dependencies(manifest, "scripts").items()
        if name in _HOOKS
    ]


_DOWNLOADS: dict[str, dict[str, str]] = {
    "puppeteer": {"PUPPETEER_SKIP_DOWNLOAD": "1", "PUPPETEER_SKIP_CHROMIUM_DOWNLOAD": "1"},
    "cypress": {"CYPRESS_INSTALL_BINARY": "0"},
    "playwright": {"PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"},
    "@playwright/test": {"PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"},
    "electron": {"ELECTRON_SKIP_BINARY_DOWNLOAD": "1"},
    "chromedriver": {"CHROMEDRIVER_SKIP_DOWNLOAD": "true"},
    "geckodriver": {"GECKODRIVER_SKIP_DOWNLOAD": "true"},
    "edgedriver": {"EDGEDRIVER_SKIP_DOWNLOAD": "true"},
    "@sentry/cli": {"SENTRYCLI_SKIP_DOWNLOAD": "1"},
    "mongodb-memory-server": {"MONGOMS_DISABLE_POSTINSTALL": "1"},
    "ngrok": {"NGROK_SKIP_DOWNLOAD": "1"},
    "@t3-oss/env-nextjs": {"SKIP_ENV_VALIDATION": "1"},
    "@t3-oss/env-core": {"SKIP_ENV_VALIDATION": "1"},
    "husky": {"HUSKY": "0"},
    "lefthook": {"LEFTHOOK": "0"},
    "simple-git-hooks": {"SKIP_INSTALL_SIMPLE_GIT_HOOKS": "1"},
    "@angular/cli": {"NG_CLI_ANALYTICS": "false"},
    "next": {"NEXT_TELEMETRY_DISABLED": "1"},
    "nuxt": {"NUXT_TELEMETRY_DISABLED": "1"},
    "astro": {"ASTRO_TELEMETRY_DISABLED": "1"},
    "gatsby": {"GATSBY_TELEMETRY_DISABLED": "1"},
}
"""Variables that keep a package from downloading a program that tests use, from Git hooks and from questions."""
_OLD_BUNDLERS = {"webpack": 5, "react-scripts": 5, "@vue/cli-service": 5, "next": 12, "nuxt": 3, "gatsby": 3,
    "laravel-mix": 6, "@angular-devkit/build-angular": 12}  # fmt: skip
"""The first major that does without a hash function that OpenSSL 3, and so Node.js since 17, refuses."""


def build_variables(app: App) -> dict[str, str]:
    """Return the variables of the build stage. A browser of Playwright is downloaded if the application starts it."""
    packages = all_dependencies(app)
    started = {"playwright"} & dependencies(app.tree.json(app.inside("package.json")), "dependencies").keys()
    variables: dict[str, str] = {}
    for name, settings in _DOWNLOADS.items():
        if name in packages and not started & {name, name.partition("@")[2].partition("/")[0]}:
            variables |= settings
    if any(_major(packages.get(name)) < first for name, first in _OLD_BUNDLERS.items() if name in packages):
        variables["NODE_OPTIONS"] = "--openssl-legacy-provider"
    if "engine-strict" in (app.tree.text(root_file(app, ".npmrc")) or ""):
        variables["npm_config_engine_strict"] = "false"
    return variables


def _major(requested: Any) -> int:
    """Return the major of a version or range; a very high one if it names none."""
    match = re.match(r"[\^~>=v\s]*(\d+)", str(requested or ""))
    return int(match[1]) if match else 1000
