"""Builds that fail, by the program that fails: how each failure is provoked, and the class that it belongs to.

`record_builds.py` provokes them with the real programs and keeps what they print in `tests/stages/build/recordings`.
`$REG` is a server of the recorder that answers `/STATUS/…` with that status and is an index without packages else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

GO, RUBY, RUST, DENO = "golang:1.24-bookworm", "ruby:3.3-slim", "rust:1-slim-bookworm", "denoland/deno:2"
DEBIAN = "debian:bookworm-slim"
NO_TOOLS: Final = "mkdir -p bin; for p in node npm npx sh env sed dirname uname cat; do ln -sf $(command -v $p) bin; done; PATH=$PWD/bin "
"""A prefix that leaves only Node on the search path."""


@dataclass(frozen=True)
class Provoked:
    """One failure: `command` runs in a folder with `files`, after `prepare`, whose output is not kept."""

    name: str
    code: str
    command: str
    files: dict[str, str] = field(default_factory=dict)
    prepare: str = ""
    image: str | None = None
    """Run in a container of this image; else on this machine."""


def js(**fields: str) -> str:
    """Return a `package.json`."""
    extra = "".join(f', "{name}": {value}' for name, value in fields.items())
    return f'{{"name": "shop", "version": "1.0.0"{extra}}}'


def deps(text: str) -> str:
    """Return a `package.json` with dependencies."""
    return js(dependencies=f"{{{text}}}")


OLD, NEW = deps('"is-odd": "3.0.0"'), deps('"is-odd": "3.0.1"')
SWAP = "cp new.json package.json"
STALE = {"package.json": OLD, "new.json": NEW}
MISSING = deps('"ck-no-such-package-zz": "1.0.0"')
NO_VERSION = deps('"is-odd": "99.0.0"')
ENGINE = js(engines='{"node": ">=99"}')
WORKSPACE = deps('"@shop/prices": "workspace:*"')
PEERS = deps('"react": "17.0.2", "react-dom": "18.2.0"')
MAC_ONLY = deps('"fsevents": "2.3.3"')
GIT = deps('"x": "git+https://github.invalid/x/x.git"')

NPM = (
    Provoked("npm-lock-outdated", "build.lockfile_outdated", "npm ci", STALE, f"npm i --package-lock-only; {SWAP}"),
    Provoked("npm-lock-missing", "build.lockfile_not_found", "npm ci", {"package.json": NEW}),
    Provoked(
        "npm-lock-broken",
        "build.lockfile_not_found",
        "npm ci",
        {"package.json": NEW, "package-lock.json": "<<<<<<< HEAD\n{\n=======\n"},
    ),
    Provoked("npm-package-missing", "build.package_not_found", "npm i", {"package.json": MISSING}),
    Provoked("npm-version-missing", "build.package_version_not_found", "npm i", {"package.json": NO_VERSION}),
    Provoked(
        "npm-refused",
        "build.index_unreachable",
        "npm i --registry http://127.0.0.1:9 --fetch-retries 0",
        {"package.json": NEW},
    ),
    Provoked(
        "npm-no-host",
        "build.index_unreachable",
        "npm i --registry http://npm.shop.invalid --fetch-retries 0",
        {"package.json": NEW},
    ),
    Provoked(
        "npm-503", "build.index_unreachable", "npm i --registry $REG/503 --fetch-retries 0", {"package.json": NEW}
    ),
    Provoked(
        "npm-401", "build.index_unauthorized", "npm i --registry $REG/401 --fetch-retries 0", {"package.json": NEW}
    ),
    Provoked(
        "npm-403", "build.index_unauthorized", "npm i --registry $REG/403 --fetch-retries 0", {"package.json": NEW}
    ),
    Provoked("npm-peers", "build.dependency_conflict", "npm i", {"package.json": PEERS}),
    Provoked("npm-engine", "build.runtime_unsupported", "npm i --engine-strict", {"package.json": ENGINE}),
    Provoked("npm-manifest-broken", "build.manifest_invalid", "npm i", {"package.json": '{"name": "x",}'}),
    Provoked("npm-manifest-missing", "build.manifest_not_found", "npm run build"),
    Provoked("npm-script-missing", "build.script_not_found", "npm run build", {"package.json": js()}),
    Provoked("npm-platform", "build.platform_package", "npm i", {"package.json": MAC_ONLY}),
    Provoked("npm-git-missing", "build.git_not_found", f"{NO_TOOLS} npm i", {"package.json": GIT}),
    Provoked("npm-workspace-protocol", "build.workspace_package_not_found", "npm i", {"package.json": WORKSPACE}),
    Provoked(
        "npm-integrity",
        "build.hash_mismatch",
        "npm ci --cache $PWD/cache",
        {"package.json": NEW},
        "npm i --package-lock-only; sed -i 's#sha512-[^\"]*#sha512-" + "A" * 86 + "==#' package-lock.json",
    ),
    Provoked(
        "npm-postinstall",
        "build.install_script_failed",
        "npm i",
        {
            "package.json": js(scripts='{"postinstall": "node missing-step.js"}'),
            "missing-step.js": "console.error('no licence key'); process.exit(3)",
        },
    ),
    Provoked(
        "npm-tool-missing",
        "build.command_not_found",
        "npm run build",
        {"package.json": js(scripts='{"build": "shopc --all"}')},
    ),
    Provoked(
        "npm-dev-tool-missing",
        "build.command_not_found",
        "npm run build",
        {"package.json": js(scripts='{"build": "tsc -p ."}', devDependencies='{"typescript": "5"}')},
    ),
    Provoked(
        "npm-heap",
        "build.out_of_memory",
        "npm run build",
        {
            "package.json": js(scripts='{"build": "node --max-old-space-size=24 hog.js"}'),
            "hog.js": "const a = []; for (;;) a.push(new Array(1000).fill({}))",
        },
    ),
    Provoked(
        "npm-gyp-no-python",
        "build.compiler_not_found",
        f"{NO_TOOLS} npm i --build-from-source",
        {"package.json": deps('"bufferutil": "4.0.7"')},
    ),
)
WEB_BUILDS = (
    Provoked(
        "rollup-native",
        "build.platform_dependency_missing",
        "npx rollup -c /dev/null",
        {"package.json": deps('"rollup": "4.40.0"')},
        "npm i; rm -rf node_modules/@rollup",
    ),
    Provoked(
        "esbuild-native",
        "build.platform_dependency_missing",
        "node -e \"require('esbuild').transformSync('1')\"",
        {"package.json": deps('"esbuild": "0.25.0"')},
        "npm i --ignore-scripts; rm -rf node_modules/@esbuild",
    ),
    Provoked(
        "sharp-native",
        "build.platform_dependency_missing",
        "node -e \"require('sharp')\"",
        {"package.json": deps('"sharp": "0.33.5"')},
        "npm i; rm -rf node_modules/@img",
    ),
    Provoked(
        "lightningcss-native",
        "build.platform_dependency_missing",
        "node -e \"require('lightningcss')\"",
        {"package.json": deps('"lightningcss": "1.29.1"')},
        "npm i; rm -rf node_modules/lightningcss-*",
    ),
    Provoked(
        "swc-native",
        "build.platform_dependency_missing",
        "node -e \"require('@swc/core').transformSync('1')\"",
        {"package.json": deps('"@swc/core": "1.11.0"')},
        "npm i; rm -rf node_modules/@swc/core-*",
    ),
    Provoked(
        "tailwind-native",
        "build.platform_dependency_missing",
        "node -e \"require('@tailwindcss/oxide')\"",
        {"package.json": deps('"@tailwindcss/oxide": "4.1.0"')},
        "npm i; rm -rf node_modules/@tailwindcss/oxide-*",
    ),
    Provoked(
        "tsc-error",
        "build.compile_error",
        "npx tsc -p .",
        {
            "package.json": deps('"typescript": "5.8.2"'),
            "tsconfig.json": '{"files": ["a.ts"]}',
            "a.ts": 'const n: number = "x"\n',
        },
        "npm i",
    ),
    Provoked(
        "tsc-types-missing",
        "build.compile_error",
        "npx tsc -p .",
        {
            "package.json": deps('"typescript": "5.8.2"'),
            "tsconfig.json": '{"files": ["a.ts"]}',
            "a.ts": 'import fs from "express"\n',
        },
        "npm i",
    ),
    Provoked(
        "vite-import",
        "build.import_not_found",
        "npx vite build",
        {
            "package.json": deps('"vite": "6.2.0"'),
            "index.html": '<script type="module" src="/main.js"></script>',
            "main.js": 'import "./Missing.js"\n',
        },
        "npm i",
    ),
    Provoked(
        "vite-package",
        "build.import_not_found",
        "npx vite build",
        {
            "package.json": deps('"vite": "6.2.0"'),
            "index.html": '<script type="module" src="/main.js"></script>',
            "main.js": 'import x from "axios-zz"\n',
        },
        "npm i",
    ),
    Provoked(
        "vite-no-index", "build.import_not_found", "npx vite build", {"package.json": deps('"vite": "6.2.0"')}, "npm i"
    ),
    Provoked(
        "vite-syntax",
        "build.source_syntax",
        "npx vite build",
        {
            "package.json": deps('"vite": "6.2.0"'),
            "index.html": '<script type="module" src="/main.js"></script>',
            "main.js": "const = 1\n",
        },
        "npm i",
    ),
    Provoked(
        "webpack-import",
        "build.import_not_found",
        "npx webpack --mode production",
        {"package.json": deps('"webpack": "5.98.0", "webpack-cli": "6.0.1"'), "src/index.js": 'import "./nope"'},
        "npm i",
    ),
    Provoked(
        "webpack-openssl",
        "build.openssl_legacy",
        "npx webpack --mode production",
        {"package.json": deps('"webpack": "4.46.0", "webpack-cli": "4.10.0"'), "src/index.js": "1"},
        "npm i",
    ),
    Provoked(
        "esbuild-import",
        "build.import_not_found",
        "npx esbuild --bundle a.js",
        {"package.json": deps('"esbuild": "0.25.0"'), "a.js": 'import "left-zz"'},
        "npm i",
    ),
    Provoked(
        "node-esm",
        "build.module_format",
        "node build.js",
        {"package.json": js(type='"commonjs"'), "build.js": "import fs from 'fs'\n"},
    ),
    Provoked(
        "node-cjs",
        "build.module_format",
        "node build.js",
        {"package.json": js(type='"module"'), "build.js": "const fs = require('fs')\n"},
    ),
    Provoked("node-module-missing", "build.module_not_found", "node build.js", {"build.js": "require('chalk-zz')\n"}),
    Provoked("node-file-missing", "build.module_not_found", "node scripts/build.js"),
    Provoked(
        "node-test",
        "build.tests_failed",
        "node --test",
        {"a.test.js": "require('node:test')('adds', () => { throw new Error('two') })\n"},
    ),
    Provoked(
        "jest-test",
        "build.tests_failed",
        "npx jest",
        {"package.json": deps('"jest": "29.7.0"'), "a.test.js": "test('adds', () => expect(1).toBe(2))\n"},
        "npm i",
    ),
    Provoked(
        "vitest-test",
        "build.tests_failed",
        "npx vitest run",
        {
            "package.json": deps('"vitest": "3.0.0"'),
            "a.test.js": "import {test, expect} from 'vitest'\ntest('adds', () => expect(1).toBe(2))\n",
        },
        "npm i",
    ),
    Provoked(
        "mocha-test",
        "build.tests_failed",
        "npx mocha a.test.js",
        {"package.json": deps('"mocha": "11.0.0"'), "a.test.js": "it('adds', () => { throw new Error('x') })\n"},
        "npm i",
    ),
    Provoked(
        "eslint",
        "build.lint_failed",
        "npx eslint a.js",
        {
            "package.json": deps('"eslint": "9.20.0"'),
            "a.js": "undefinedName()\n",
            "eslint.config.js": 'module.exports = [{rules: {"no-undef": "error"}}]\n',
        },
        "npm i",
    ),
    Provoked(
        "node-env",
        "build.variable_not_found",
        "node build.js",
        {"build.js": "if (!process.env.API_URL) throw new Error('Missing environment variable API_URL')\n"},
    ),
    Provoked(
        "node-exception",
        "build.program_failed",
        "node build.js",
        {"build.js": "const c = undefined\nconsole.log(c.items.length)\n"},
    ),
)
P7, P8, P9, P10, Y1, Y4, BUN = "$PNPM7", "$PNPM8", "$PNPM9", "$PNPM10", "$YARN1", "$YARN4", "$BUN"
PNPM = (
    *(
        Provoked(
            f"pnpm{major}-lock-outdated",
            "build.lockfile_outdated",
            f"{program} i --frozen-lockfile",
            STALE,
            f"{program} i --lockfile-only; {SWAP}",
        )
        for major, program in ((7, P7), (8, P8), (9, P9), (10, P10))
    ),
    Provoked("pnpm-lock-missing", "build.lockfile_not_found", f"{P10} i --frozen-lockfile", {"package.json": NEW}),
    Provoked(
        "pnpm-lock-newer",
        "build.lockfile_version",
        f"{P7} i --frozen-lockfile",
        {"package.json": NEW},
        f"{P10} i --lockfile-only",
    ),
    Provoked(
        "pnpm-lock-older",
        "build.lockfile_version",
        f"{P10} i --frozen-lockfile",
        {"package.json": NEW},
        f"{P7} i --lockfile-only",
    ),
    Provoked(
        "pnpm-lock-broken",
        "build.lockfile_invalid",
        f"{P10} i --frozen-lockfile",
        {"package.json": NEW, "pnpm-lock.yaml": "<<<<<<< HEAD\na: b: c\n"},
    ),
    Provoked("pnpm-package-missing", "build.package_not_found", f"{P10} i", {"package.json": MISSING}),
    Provoked("pnpm-version-missing", "build.package_version_not_found", f"{P10} i", {"package.json": NO_VERSION}),
    Provoked(
        "pnpm-refused",
        "build.index_unreachable",
        f"{P10} i --registry http://127.0.0.1:9 --fetch-retries 0 --store-dir store",
        {"package.json": NEW},
    ),
    Provoked(
        "pnpm-no-host",
        "build.index_unreachable",
        f"{P9} i --registry http://npm.shop.invalid --fetch-retries 0 --store-dir store",
        {"package.json": NEW},
    ),
    Provoked(
        "pnpm-401", "build.index_unauthorized", f"{P10} i --registry $REG/401 --fetch-retries 0", {"package.json": NEW}
    ),
    Provoked(
        "pnpm-403", "build.index_unauthorized", f"{P10} i --registry $REG/403 --fetch-retries 0", {"package.json": NEW}
    ),
    Provoked("pnpm-peers", "build.dependency_conflict", f"{P9} i --strict-peer-dependencies", {"package.json": PEERS}),
    Provoked("pnpm-workspace", "build.workspace_package_not_found", f"{P10} i", {"package.json": WORKSPACE}),
    Provoked("pnpm-manifest-missing", "build.manifest_not_found", f"{P10} i"),
    Provoked("pnpm-manifest-broken", "build.manifest_invalid", f"{P10} i", {"package.json": '{"name": "x",}'}),
    Provoked("pnpm-script-missing", "build.script_not_found", f"{P10} run build", {"package.json": js()}),
    Provoked(
        "pnpm-engine-pnpm", "build.package_manager_version", f"{P8} i", {"package.json": js(engines='{"pnpm": ">=99"}')}
    ),
    Provoked(
        "pnpm-script-fails",
        "build.script_failed",
        f"{P10} run build",
        {"package.json": js(scripts='{"build": "exit 3"}')},
    ),
)
YARN = (
    Provoked(
        "yarn1-lock-outdated",
        "build.lockfile_outdated",
        f"{Y1} install --frozen-lockfile",
        STALE,
        f"{Y1} install; {SWAP}",
    ),
    Provoked("yarn1-package-missing", "build.package_not_found", f"{Y1} install", {"package.json": MISSING}),
    Provoked("yarn1-version-missing", "build.package_version_not_found", f"{Y1} install", {"package.json": NO_VERSION}),
    Provoked(
        "yarn1-refused",
        "build.index_unreachable",
        f"{Y1} install --registry http://127.0.0.1:9 --network-timeout 1000 --cache-folder c",
        {"package.json": NEW},
    ),
    Provoked(
        "yarn1-401",
        "build.package_not_found",
        f"{Y1} install --registry $REG/401 --cache-folder c",
        {"package.json": NEW},
    ),
    Provoked("yarn1-engine", "build.runtime_unsupported", f"{Y1} install", {"package.json": ENGINE}),
    Provoked("yarn1-platform", "build.platform_package", f"{Y1} install", {"package.json": MAC_ONLY}),
    Provoked("yarn1-script-missing", "build.script_not_found", f"{Y1} build", {"package.json": js()}),
    Provoked("yarn1-manifest-broken", "build.manifest_invalid", f"{Y1} install", {"package.json": '{"name": "x",}'}),
    Provoked("yarn1-workspace", "build.package_not_found", f"{Y1} install", {"package.json": WORKSPACE}),
    Provoked(
        "yarn1-script-fails", "build.script_failed", f"{Y1} build", {"package.json": js(scripts='{"build": "exit 3"}')}
    ),
    Provoked(
        "yarn4-lock-outdated",
        "build.lockfile_outdated",
        f"{Y4} install --immutable",
        {**STALE, "yarn.lock": ""},
        f"{Y4} install --no-immutable; {SWAP}",
    ),
    Provoked(
        "yarn4-package-missing",
        "build.package_not_found",
        f"{Y4} install --no-immutable",
        {"package.json": MISSING, "yarn.lock": ""},
    ),
    Provoked(
        "yarn4-version-missing",
        "build.package_version_not_found",
        f"{Y4} install --no-immutable",
        {"package.json": NO_VERSION, "yarn.lock": ""},
    ),
    Provoked(
        "yarn4-refused",
        "build.index_unreachable",
        f"YARN_NPM_REGISTRY_SERVER=http://127.0.0.1:9 YARN_UNSAFE_HTTP_WHITELIST=127.0.0.1 YARN_HTTP_RETRY=0 {Y4} install --no-immutable",
        {"package.json": NEW, "yarn.lock": ""},
    ),
    Provoked(
        "yarn4-401",
        "build.index_unauthorized",
        f"YARN_NPM_REGISTRY_SERVER=$REG/401 YARN_UNSAFE_HTTP_WHITELIST=127.0.0.1 {Y4} install --no-immutable",
        {"package.json": NEW, "yarn.lock": ""},
    ),
    Provoked(
        "yarn4-workspace",
        "build.workspace_package_not_found",
        f"{Y4} install --no-immutable",
        {"package.json": WORKSPACE, "yarn.lock": ""},
    ),
    Provoked(
        "yarn4-script-missing",
        "build.script_not_found",
        f"{Y4} run build",
        {"package.json": js(), "yarn.lock": ""},
        f"{Y4} install --no-immutable",
    ),
    Provoked(
        "yarn4-lock-absent",
        "build.lockfile_outdated",
        f"YARN_IGNORE_PATH=1 {Y4} install",
        {"package.json": js(packageManager='"npm@10.0.0"'), "yarn.lock": ""},
    ),
    Provoked(
        "yarn4-checksum",
        "build.hash_mismatch",
        f"YARN_ENABLE_GLOBAL_CACHE=false {Y4} install --immutable",
        {"package.json": NEW, "yarn.lock": ""},
        f"{Y4} install --no-immutable; sed -i 's#checksum: 10c0/....#checksum: 10c0/0000#' yarn.lock",
    ),
    Provoked(
        "bun-lock-outdated",
        "build.lockfile_outdated",
        f"{BUN} install --frozen-lockfile",
        STALE,
        f"{BUN} install; {SWAP}",
    ),
    Provoked("bun-package-missing", "build.package_not_found", f"{BUN} install", {"package.json": MISSING}),
    Provoked("bun-version-missing", "build.package_version_not_found", f"{BUN} install", {"package.json": NO_VERSION}),
    Provoked(
        "bun-refused",
        "build.index_unreachable",
        f"BUN_CONFIG_REGISTRY=http://127.0.0.1:9 {BUN} install --no-cache",
        {"package.json": NEW},
    ),
    Provoked(
        "bun-401",
        "build.index_unauthorized",
        f"BUN_CONFIG_REGISTRY=$REG/401 {BUN} install --no-cache",
        {"package.json": NEW},
    ),
    Provoked("bun-script-missing", "build.script_not_found", f"{BUN} run build", {"package.json": js()}),
    Provoked("bun-workspace", "build.workspace_package_not_found", f"{BUN} install", {"package.json": WORKSPACE}),
    Provoked("bun-manifest-missing", "build.manifest_not_found", f"{BUN} install"),
)
