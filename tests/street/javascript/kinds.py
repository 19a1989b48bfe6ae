"""Small trees by hand, each a member of a kind of application that people report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from street.application import Application, Files, run, tree, write

HELLO = "hello from the street"
_SERVE = "require('http').createServer((q, r) => r.end('{text}')).listen(process.env.PORT || 3000, '0.0.0.0')\n"
SERVER = _SERVE.format(text=HELLO)
TYPED = (
    f"import {{ createServer }} from 'node:http'\nconst text: string = '{HELLO}'\n"
    "createServer((q, r) => { r.end(text) }).listen(Number(process.env.PORT ?? 3000), '0.0.0.0')\n"
)


def package(name: str = "app", **fields: Any) -> str:
    """Return a `package.json`."""
    return json.dumps({"name": name, "version": "1.0.0", **fields}, indent=2)


def kind(name: str, files: Files, manager: str = "npm", **more: Any) -> Application:
    """Return an application of JavaScript that is written by hand."""
    return Application(name, "javascript", manager, tree(files), **more)


def _pnpm_lock(version: str, packages: str) -> str:
    return f"lockfileVersion: {version}\n\n{packages}"


_IS_NUMBER = "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
_LOCK_5 = _pnpm_lock(
    "5.4",
    f"""specifiers:
  is-number: ^7.0.0

dependencies:
  is-number: 7.0.0

packages:

  /is-number/7.0.0:
    resolution: {{integrity: {_IS_NUMBER}}}
    engines: {{node: '>=0.12.0'}}
    dev: false
""",
)
_LOCK_6 = _pnpm_lock(
    "'6.0'",
    f"""settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

dependencies:
  is-number:
    specifier: ^7.0.0
    version: 7.0.0

packages:

  /is-number@7.0.0:
    resolution: {{integrity: {_IS_NUMBER}}}
    engines: {{node: '>=0.12.0'}}
    dev: false
""",
)
_LOCK_9 = _pnpm_lock(
    "'9.0'",
    f"""settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      is-number:
        specifier: ^7.0.0
        version: 7.0.0

packages:

  is-number@7.0.0:
    resolution: {{integrity: {_IS_NUMBER}}}
    engines: {{node: '>=0.12.0'}}

snapshots:

  is-number@7.0.0: {{}}
""",
)
_NUMBER = {"package.json": package(scripts={"start": "node index.js"}, dependencies={"is-number": "^7.0.0"}),
    "index.js": f"require('is-number')\n{SERVER}"}  # fmt: skip
LOCKS = (
    kind("pnpm-lock-5", {**_NUMBER, "pnpm-lock.yaml": _LOCK_5}, "pnpm"),
    kind("pnpm-lock-6", {**_NUMBER, "pnpm-lock.yaml": _LOCK_6}, "pnpm", in_ci=True),
    kind("pnpm-lock-9", {**_NUMBER, "pnpm-lock.yaml": _LOCK_9}, "pnpm"),
    kind(
        "pnpm-pinned",
        {
            **_NUMBER,
            "package.json": package(
                scripts={"start": "node index.js"}, dependencies={"is-number": "^7.0.0"}, packageManager="pnpm@9.15.0"
            ),
            "pnpm-lock.yaml": _LOCK_9,
        },
        "pnpm",
    ),
)

_TOOLS = {"typescript": "5.6.2", "@types/node": "20.16.5"}
_TSCONFIG = json.dumps({"compilerOptions": {"module": "commonjs", "target": "es2022", "outDir": "dist", "strict": True,
    "esModuleInterop": True, "skipLibCheck": True}, "include": ["src"]})  # fmt: skip


def _started(name: str, start: str, *, tools: dict[str, str], files: Files | None = None, **more: Any) -> Application:
    scripts = {"start": start, **more.pop("scripts", {})}
    manifest = package(scripts=scripts, devDependencies={**_TOOLS, **tools}, **more.pop("fields", {}))
    return kind(name, {"package.json": manifest, "src/index.ts": TYPED, **(files or {})}, **more)


STARTS = (
    _started("tsx-start", "tsx src/index.ts", tools={"tsx": "4.19.1"}, in_ci=True),
    _started("tsx-watch", "tsx watch src/index.ts", tools={"tsx": "4.19.1"}),
    _started("ts-node-start", "ts-node src/index.ts", tools={"ts-node": "10.9.2"},
        files={"tsconfig.json": _TSCONFIG}),
    _started("nodemon-start", "nodemon", tools={"nodemon": "3.1.7", "tsx": "4.19.1"},
        files={"nodemon.json": json.dumps({"watch": ["src"], "exec": "tsx src/index.ts"})}),
    _started("nodemon-exec", "nodemon --exec tsx src/index.ts", tools={"nodemon": "3.1.7", "tsx": "4.19.1"}),
    _started("node-loader", "node --import tsx src/index.ts", tools={"tsx": "4.19.1"}),
    _started("dev-only", "", tools={"tsx": "4.19.1"}, scripts={"dev": "tsx watch src/index.ts", "build": "tsc"},
        files={"tsconfig.json": _TSCONFIG}, fields={"main": "dist/index.js"}),
    _started("prestart-builds", "node dist/index.js", tools={}, scripts={"prestart": "tsc"},
        files={"tsconfig.json": _TSCONFIG}),
    _started("concurrently-start", "concurrently \"node dist/index.js\"", tools={"concurrently": "9.0.1"},
        scripts={"build": "tsc"}, files={"tsconfig.json": _TSCONFIG}),
    _started("cross-env-start", "cross-env NODE_ENV=production node dist/index.js", tools={"cross-env": "7.0.3"},
        scripts={"build": "tsc"}, files={"tsconfig.json": _TSCONFIG}),
    _started("build-in-start", "npm run build && node dist/index.js", tools={},
        scripts={"build": "tsc"}, files={"tsconfig.json": _TSCONFIG}),
)  # fmt: skip
_PAGE = f"<!doctype html><title>street</title><h1>{HELLO}</h1><script type=module src=/main.js></script>"
SITES = (
    kind("serve-start", {"package.json": package(scripts={"start": "serve -s dist", "build": "vite build"},
        devDependencies={"vite": "5.4.8", "serve": "14.2.3"}), "index.html": _PAGE, "main.js": "export {}"}),
    kind("vite-preview", {"package.json": package(scripts={"start": "vite preview", "build": "vite build"},
        devDependencies={"vite": "5.4.8"}), "index.html": _PAGE, "main.js": "export {}"}),
    kind("vite-out-dir", {"package.json": package(scripts={"build": "vite build"}, devDependencies={"vite": "5.4.8"}),
        "vite.config.js": "export default { build: { outDir: 'www/out' } }\n", "index.html": _PAGE,
        "main.js": "export {}"}, in_ci=True),
    kind("vite-root-elsewhere", {"package.json": package(scripts={"build": "vite build"},
        devDependencies={"vite": "5.4.8"}),
        "vite.config.js": "export default { root: 'client', build: { outDir: '../public_dist', emptyOutDir: true } }\n",
        "client/index.html": _PAGE, "client/main.js": "export {}"}),
    kind("vite-out-dir-option", {"package.json": package(scripts={"build": "vite build --outDir site"},
        devDependencies={"vite": "5.4.8"}), "index.html": _PAGE, "main.js": "export {}"}),
    *(kind(f"static-{folder}", {f"{folder}/index.html": _PAGE, f"{folder}/main.js": "export {}",
        "README.md": "a site"}, "none") for folder in ("htdocs", "public_html", "www", "site", "docs", "web")),
)  # fmt: skip
_SERVICE = package("web", scripts={"start": "node index.js"})
PLACES = (
    kind("node-without-manifest", {"server.js": SERVER}, "none", in_ci=True),
    kind("node-without-manifest-module", {"index.mjs": TYPED.replace(": string", "")}, "none"),
    kind("node-without-manifest-app", {"app.js": SERVER}, "none"),
    kind("module-in-a-folder", {"services/web/package.json": _SERVICE, "services/web/index.js": SERVER},
        arguments={"module": "services/web"}),
    kind("module-in-a-folder-only", {"services/web/package.json": _SERVICE, "services/web/index.js": SERVER}),
)  # fmt: skip
_MEMBERS = {
    "packages/logger/package.json": package("@repo/logger", main="dist/index.js", scripts={"build": "node build.js"}),
    "packages/logger/build.js": "require('fs').mkdirSync('dist',{recursive:true});"
    "require('fs').writeFileSync('dist/index.js','exports.log = console.log\\n')\n",
    "apps/api/build.js": "require('fs').mkdirSync('dist',{recursive:true});"
    "require('fs').copyFileSync('index.js','dist/index.js')\n",
    "apps/api/index.js": f"const {{ log }} = require('@repo/logger'); log('up');\n{SERVER}",
}


def _api(version: str) -> str:
    scripts = {"build": "node build.js", "start": "node dist/index.js"}
    return package("api", scripts=scripts, dependencies={"@repo/logger": version})


_PNPM_ROOT = package("root", private=True, scripts={"build": "pnpm -r build"}, packageManager="pnpm@9.15.0")
_PNPM_MEMBERS = {"pnpm-workspace.yaml": "packages: ['packages/*', 'apps/*']\n", "package.json": _PNPM_ROOT}
_ROOT = {"private": True, "workspaces": ["packages/*", "apps/*"]}
WORKSPACES = (
    kind("workspace-pnpm", {**_MEMBERS, **_PNPM_MEMBERS, "apps/api/package.json": _api("workspace:*")}, "pnpm"),
    kind("workspace-npm", {**_MEMBERS, "package.json": package("root", **_ROOT, scripts={"build": "npm run build -ws"}),
        "apps/api/package.json": _api("*")}, in_ci=True),
    kind("workspace-yarn1", {**_MEMBERS, "package.json": package("root", **_ROOT, packageManager="yarn@1.22.22"),
        "apps/api/package.json": _api("*")}, "yarn"),
    kind("workspace-yarn4", {**_MEMBERS, "package.json": package("root", **_ROOT, packageManager="yarn@4.9.1"),
        "apps/api/package.json": _api("workspace:*")}, "yarn"),
    kind("workspace-bun", {**_MEMBERS, "package.json": package("root", **_ROOT, packageManager="bun@1.2.0"),
        "apps/api/package.json": _api("workspace:*")}, "bun"),
    kind("workspace-turbo", {**_MEMBERS, "turbo.json": json.dumps({"tasks": {"build": {"dependsOn": ["^build"],
        "outputs": ["dist/**"]}}}), "package.json": package("root", **_ROOT, packageManager="npm@10.8.2",
        scripts={"build": "turbo run build"}, devDependencies={"turbo": "2.1.3"}), "apps/api/package.json": _api("*")}),
    kind("workspace-lerna", {**_MEMBERS, "lerna.json": json.dumps({"version": "1.0.0", "packages": ["packages/*",
        "apps/*"]}), "package.json": package("root", **_ROOT, scripts={"build": "lerna run build"},
        devDependencies={"lerna": "8.1.8"}), "apps/api/package.json": _api("*")}),
)  # fmt: skip

_UI = {
    "packages/ui/package.json": package("@repo/ui", main="dist/index.js", scripts={"build": "node build.js"}),
    "packages/ui/build.js": "require('fs').mkdirSync('dist',{recursive:true});"
    f"require('fs').writeFileSync('dist/index.js','export const text = \"{HELLO}\"\\n')\n",
    "apps/web/index.html": "<!doctype html><div id=root></div><script type=module src=/main.js></script>",
    "apps/web/main.js": "import { text } from '@repo/ui'; document.getElementById('root').textContent = text\n",
}


def _web(version: str) -> str:
    return package(
        "web",
        scripts={"build": "vite build", "dev": "vite"},
        dependencies={"@repo/ui": version},
        devDependencies={"vite": "5.4.8"},
    )


WORKSPACE_SITES = (
    kind("workspace-site-pnpm", {**_UI, **_PNPM_MEMBERS, "apps/web/package.json": _web("workspace:*")}, "pnpm",
        browser=True),
    kind("workspace-site-npm", {**_UI, "package.json": package("root", **_ROOT), "apps/web/package.json": _web("*")},
        browser=True, arguments={"module": "apps/web"}),
    kind("front-end-and-back-end", {"frontend/package.json": package("front", scripts={"build": "vite build"},
        devDependencies={"vite": "5.4.8"}), "frontend/index.html": _PAGE, "frontend/main.js": "export {}",
        "backend/package.json": package("back", scripts={"start": "node index.js"}), "backend/index.js": SERVER},
        arguments={"module": "frontend"}),
    kind("module-next-to-a-workspace", {"package.json": package("root", private=True, workspaces=["packages/*"]),
        "packages/core/package.json": package("core", main="index.js"), "packages/core/index.js": "exports.x = 1\n",
        "server/package.json": _NUMBER["package.json"], "server/index.js": _NUMBER["index.js"]},
        arguments={"module": "server"}),
)  # fmt: skip
_PRIVATE = package(scripts={"start": "node index.js"}, dependencies={"@acme/lib": "^1.0.0"})
_PUBLIC_TOKEN = "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"
REGISTRIES = (
    kind("npmrc-token", {"package.json": _PRIVATE, "index.js": SERVER,
        ".npmrc": "@acme:registry=https://npm.acme.invalid/\n//npm.acme.invalid/:_authToken=${NPM_TOKEN}\n"},
        fault="build.secret_not_found"),
    kind("npmrc-token-of-another-name", {"package.json": _PRIVATE, "index.js": SERVER,
        ".npmrc": "registry=https://npm.acme.invalid/\n//npm.acme.invalid/:_password=${ACME_PASSWORD}\n"},
        fault="build.secret_not_found"),
    kind("npmrc-token-for-publishing", {**_NUMBER, ".npmrc": _PUBLIC_TOKEN}),
    kind("npmrc-token-for-publishing-pnpm", {**_NUMBER, ".npmrc": _PUBLIC_TOKEN, "pnpm-lock.yaml": _LOCK_9}, "pnpm"),
)  # fmt: skip
_OLD_LOCK_9 = _LOCK_9.replace("^7.0.0", "^6.0.0")
_NPM_LOCK = {"lockfileVersion": 3, "packages": {"": {"dependencies": {}}}}
_HOST_MODULES = {
    "node_modules/is-number/package.json": package("is-number", main="gone.js"),
    ".dockerignore": "*.log\n",
}
_ESBUILD = {"package.json": package(scripts={"start": "node index.js"}, dependencies={"esbuild": "0.24.0"}),
    "index.js": f"require('esbuild').transformSync('1')\n{SERVER}"}  # fmt: skip


def _lock_of_a_mac(folder: Path) -> None:
    """Lock esbuild, and leave out what npm/cli issue 4828 leaves out on macOS."""
    write(folder, _ESBUILD)
    run(folder, "npm", "install", "--package-lock-only", "--ignore-scripts")
    path = folder / "package-lock.json"
    lock = json.loads(path.read_text())
    lock["packages"] = {key: entry for key, entry in lock["packages"].items()
        if "@esbuild/" not in key or "darwin-arm64" in key}  # fmt: skip
    path.write_text(json.dumps(lock, indent=2))


STALE = (
    kind("pnpm-outdated-lock", {**_NUMBER, "pnpm-lock.yaml": _OLD_LOCK_9}, "pnpm"),
    kind("npm-outdated-lock", {**_NUMBER, "package-lock.json": json.dumps(_NPM_LOCK)}),
    kind("yarn-outdated-lock", {**_NUMBER, "yarn.lock": "# yarn lockfile v1\n"}, "yarn"),
    kind("host-modules", {**_NUMBER, **_HOST_MODULES}),
    Application("npm-lock-of-a-mac", "javascript", "npm", _lock_of_a_mac, HELLO),
)

APPLICATIONS = (*WORKSPACE_SITES, *REGISTRIES, *STALE, *LOCKS, *STARTS, *SITES, *PLACES, *WORKSPACES)
