"""Applications by the generators of JavaScript's frameworks, in their current versions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from street.application import Application, Maker, edit, edit_json, run

_LOCK_WITHOUT_INSTALLING = {
    "npm": ("npm", "install", "--package-lock-only", "--ignore-scripts"),
    "pnpm": ("npx", "pnpm@10", "install", "--lockfile-only", "--ignore-scripts"),
    "pnpm8": ("npx", "pnpm@8", "install", "--lockfile-only", "--ignore-scripts"),
    "pnpm7": ("npx", "pnpm@7", "install", "--lockfile-only", "--ignore-scripts"),
    "yarn4": ("npx", "@yarnpkg/cli-dist@4.18.1", "install", "--mode=update-lockfile"),
    "bun": ("npx", "bun@1", "install", "--lockfile-only"),
}
_MANAGERS = {"pnpm8": "pnpm", "pnpm7": "pnpm", "yarn4": "yarn", "yarn1": "yarn"}


def lock(folder: Path, manager: str) -> None:
    """Write the lock file of a package manager, and leave nothing installed."""
    if manager == "yarn1":
        run(folder, "npx", "yarn@1.22.22", "install", "--ignore-scripts", "--ignore-engines", "--no-progress")
    elif manager == "yarn4":
        run(
            folder,
            *_LOCK_WITHOUT_INSTALLING[manager],
            YARN_NODE_LINKER="node-modules",
            YARN_ENABLE_IMMUTABLE_INSTALLS="0",
        )
        _declare(folder, packageManager="yarn@4.18.1")
    elif manager != "none":
        run(folder, *_LOCK_WITHOUT_INSTALLING[manager])
    shutil.rmtree(folder / "node_modules", ignore_errors=True)
    shutil.rmtree(folder / ".yarn", ignore_errors=True)


def _declare(folder: Path, **fields: str) -> None:
    path = folder / "package.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields, indent=2))


def generate(*command: str, manager: str = "none", change: Callable[[Path], None] | None = None) -> Maker:
    """Return a maker that runs a generator, which makes the folder `app`, changes its files and locks them."""

    def make(folder: Path) -> None:
        run(folder, *command, HOME=str(Path.home()))
        generated = (folder / "app").rename(folder / ".generated")  # it may contain a folder `app` itself
        shutil.copytree(generated, folder, dirs_exist_ok=True, symlinks=True)
        shutil.rmtree(generated)
        for name in ("node_modules", ".git"):
            shutil.rmtree(folder / name, ignore_errors=True)
        if change:
            change(folder)
        lock(folder, manager)

    return make


def _vite_7(folder: Path) -> None:
    """Ask for the last version that has no optional package which the registry may not have: Yarn refuses that."""
    edit_json(folder / "package.json", devDependencies={"vite": "^7.1.0"})


def _vite(template: str, manager: str, text: str) -> Application:
    command = ("npx", "create-vite@latest", "app", "--template", template, "--no-interactive")
    name = f"vite-{template}" + (f"-{manager}" if manager != "none" else "")
    known = _MANAGERS.get(manager, "npm" if manager == "none" else manager)
    return Application(
        name,
        "javascript",
        known,
        generate(*command, manager=manager, change=_vite_7 if known == "yarn" else None),
        text,
        browser=True,
    )


VITE = (
    _vite("react-ts", "npm", "Get started"),
    _vite("react", "pnpm", "Get started"),
    _vite("vue-ts", "yarn1", "Get started"),
    _vite("vue", "pnpm8", "Get started"),
    _vite("svelte-ts", "pnpm7", "Get started"),
    _vite("vanilla-ts", "yarn4", "Get started"),
    _vite("solid-ts", "bun", "Get started"),
    _vite("preact-ts", "none", "Get started"),
    _vite("lit-ts", "npm", "Get started"),
    _vite("svelte", "none", "Get started"),
    _vite("vanilla", "bun", "Get started"),
)


def _next(name: str, *options: str, change: Callable[[Path], None] | None = None, manager: str = "npm") -> Application:
    command = (
        "npx",
        "create-next-app@latest",
        "app",
        "--yes",
        "--skip-install",
        "--disable-git",
        "--empty",
        "--no-tailwind",
        *options,
    )
    maker = generate(*command, manager=manager, change=change)
    return Application(name, "javascript", _MANAGERS.get(manager, manager), maker, "Hello world!")


def _next_setting(setting: str, folder: Path) -> None:
    config = next(folder.glob("next.config.*"))
    edit(config, "/* config options here */", setting)


NEXT = (
    _next("next-app", "--ts", "--app"),
    _next("next-pages", "--js", "--no-app", "--src-dir", manager="pnpm"),
    _next("next-standalone", "--ts", "--app", change=partial(_next_setting, 'output: "standalone",')),
    _next("next-export", "--ts", "--app", change=partial(_next_setting, 'output: "export", distDir: "site",')),
)


def _other(
    name: str, text: str, *command: str, manager: str = "npm", browser: bool = False, **more: Any
) -> Application:
    maker = generate(*command, manager=manager, change=more.pop("change", None))
    return Application(name, "javascript", _MANAGERS.get(manager, manager), maker, text, browser=browser, **more)


_SVELTE = (
    "npx",
    "sv@latest",
    "create",
    "app",
    "--no-add-ons",
    "--no-install",
    "--types",
    "ts",
    "--template",
    "minimal",
)


_SVELTE_ADAPTERS = {"node": "^5.0.0", "static": "^3.0.0"}


def _svelte_adapter(adapter: str, folder: Path) -> None:
    package = folder / "package.json"
    document = json.loads(package.read_text())
    document["devDependencies"].pop("@sveltejs/adapter-auto")
    document["devDependencies"][f"@sveltejs/adapter-{adapter}"] = _SVELTE_ADAPTERS[adapter]
    package.write_text(json.dumps(document))
    for config in (*folder.glob("svelte.config.*"), *folder.glob("vite.config.*")):
        config.write_text(config.read_text().replace("adapter-auto", f"adapter-{adapter}"))
    if adapter == "static":
        (folder / "src/routes/+layout.ts").write_text("export const prerender = true;\n")


_ANGULAR = (
    "npx",
    "-p",
    "node@24",
    "-p",
    "@angular/cli@latest",
    "ng",
    "new",
    "app",
    "--defaults",
    "--skip-install",
    "--skip-git",
    "--style=css",
)
FRAMEWORKS = (
    _other("sveltekit-auto", "Welcome to SvelteKit", *_SVELTE, manager="npm"),
    _other("sveltekit-node", "Welcome to SvelteKit", *_SVELTE, manager="pnpm",
        change=partial(_svelte_adapter, "node")),
    _other("sveltekit-static", "Welcome to SvelteKit", *_SVELTE, change=partial(_svelte_adapter, "static")),
    _other("angular", "Hello, app", *_ANGULAR, "--ssr=false", browser=True),
    _other("angular-ssr", "Hello, app", *_ANGULAR, "--ssr=true"),
    _other("express-generator", "Welcome to Express", "npx", "express-generator@latest", "--view=pug", "app"),
    _other("nest", "Hello World!", "npx", "@nestjs/cli@latest", "new", "app", "--skip-install", "--skip-git",
        "--package-manager", "npm"),
    _other("fastify-cli", "root", "npx", "fastify-cli@latest", "generate", "app", "--lang=js"),
    _other("docusaurus", "Docusaurus", "npx", "create-docusaurus@latest", "app", "classic", "--javascript",
        "--skip-install"),
    _other("tanstack-start", "TanStack", "npx", "@tanstack/cli@latest", "create", "app", "--no-install",
        "--no-git", "-y"),
    _other("solid-start", "Hello world", "npx", "create-solid@latest", "app", "--solidstart", "--ts", "-t", "basic"),
    _other("qwik", "Qwik", "npx", "create-qwik@latest", "empty", "app"),
)  # fmt: skip

APPLICATIONS = (*VITE, *NEXT, *FRAMEWORKS)
