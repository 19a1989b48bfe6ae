"""How packages are installed follows from manifests and lock files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.ecosystems.javascript.generated import SERVER, generate, package, runs

NUMBER = {"is-number": "^7.0.0"}
STARTED = {"scripts": {"start": "node index.js"}, "dependencies": NUMBER}
APP = {"index.js": SERVER, "package.json": package(**STARTED)}


def pnpm_lock(version: str, requested: str = "^7.0.0") -> str:
    """The head of a lock file as the versions of pnpm write it."""
    if version.startswith("5"):
        tables = f"specifiers:\n  is-number: {requested}\n\ndependencies:\n  is-number: 7.0.0\n"
        return f"lockfileVersion: {version}\n\n{tables}"
    entry = f"dependencies:\n  is-number:\n    specifier: {requested}\n    version: 7.0.0\n"
    if version.startswith("6"):
        return f"lockfileVersion: '{version}'\n\n{entry}"
    indented = "".join(f"    {line}\n" for line in entry.splitlines())
    return f"lockfileVersion: '{version}'\n\nimporters:\n\n  .:\n{indented}\npackages:\n"


def npm_lock(version: str = "7.0.0", **packages: object) -> str:
    installed = {"node_modules/is-number": {"version": version}, **packages}
    return json.dumps({"lockfileVersion": 3, "packages": {"": {"dependencies": NUMBER}, **installed}})


@pytest.mark.parametrize(("lock", "major"), [("5.3", "6"), ("5.4", "7"), ("6.0", "8"), ("6.1", "8"), ("9.0", "9")])
def test_the_version_of_pnpm_that_wrote_the_lock_file_is_installed(lock: str, major: str, tmp_path: Path) -> None:
    made = runs(generate(tmp_path, {**APP, "pnpm-lock.yaml": pnpm_lock(lock)}))
    assert f"npm install --global pnpm@{major}." in made
    assert "pnpm install --frozen-lockfile" in made


@pytest.mark.parametrize(
    ("pinned", "installed"),
    [
        ("pnpm@9.15.0", "pnpm@9.15.0"),
        ("pnpm@8.6.12+sha512.0123abcd", "pnpm@8.6.12"),
        ("pnpm@8", "pnpm@8"),
        ("yarn@1.22.19", "yarn@1.22.22"),
        ("yarn@4.9.1", "@yarnpkg/cli-dist@4.9.1"),
        ("yarn@3.2.0+sha256.00", "@yarnpkg/cli-dist@3.2.0"),
    ],
)
def test_the_version_that_package_manager_pins_is_installed(pinned: str, installed: str, tmp_path: Path) -> None:
    made = runs(generate(tmp_path, {**APP, "package.json": package(**STARTED, packageManager=pinned)}))
    assert f"{installed}\n" in f"{made}\n"


def test_a_member_of_a_workspace_uses_the_version_that_the_root_pins(tmp_path: Path) -> None:
    files = {
        "package.json": package(packageManager="pnpm@8.15.0", private=True),
        "pnpm-workspace.yaml": "packages: ['apps/*']\n",
        "apps/api/package.json": package(name="api", scripts={"start": "node index.js"}),
        "apps/api/index.js": SERVER,
    }
    assert "pnpm@8.15.0\n" in runs(generate(tmp_path, files, "apps/api"))


def test_settings_in_the_workspace_file_ask_for_a_pnpm_that_reads_them(tmp_path: Path) -> None:
    settings = {"pnpm-workspace.yaml": "onlyBuiltDependencies:\n  - esbuild\n", "pnpm-lock.yaml": pnpm_lock("9.0")}
    assert "--global pnpm@10." in runs(generate(tmp_path, {**APP, **settings}))


@pytest.mark.parametrize(("metadata", "major"), [("6", "3"), ("8", "4"), ("10", "4")])
def test_a_lock_file_of_later_yarn_is_recognized_without_its_configuration(
    metadata: str, major: str, tmp_path: Path
) -> None:
    lock = f'__metadata:\n  version: {metadata}\n\n"is-number@npm:^7.0.0":\n  version: 7.0.0\n'
    made = runs(generate(tmp_path, {**APP, "yarn.lock": lock}))
    assert f"@yarnpkg/cli-dist@{major}." in made
    assert "yarn install --immutable" in made


YARN_1 = '# yarn lockfile v1\n\n\nis-number@^{0}:\n  version "7.0.0"\n'
YARN_4 = '__metadata:\n  version: 8\n\n"is-number@npm:^{0}":\n  version: 7.0.0\n'
BUN = '{{"lockfileVersion": 1, "workspaces": {{"": {{"dependencies": {{"is-number": "^{0}"}},}}}}, "packages": {{}},}}'


@pytest.mark.parametrize(
    ("lock", "fitting", "outdated", "exact"),
    [
        ("package-lock.json", npm_lock("7.0.0"), npm_lock("6.0.0"), "npm ci"),
        ("pnpm-lock.yaml", pnpm_lock("9.0"), pnpm_lock("9.0", "^6.0.0"), "pnpm install --frozen-lockfile"),
        ("pnpm-lock.yaml", pnpm_lock("6.0"), pnpm_lock("6.0", "^6.0.0"), "pnpm install --frozen-lockfile"),
        ("pnpm-lock.yaml", pnpm_lock("5.4"), pnpm_lock("5.4", "^6.0.0"), "pnpm install --frozen-lockfile"),
        ("yarn.lock", YARN_1.format("7.0.0"), YARN_1.format("6.0.0"), "yarn install --frozen-lockfile"),
        ("yarn.lock", YARN_4.format("7.0.0"), YARN_4.format("6.0.0"), "yarn install --immutable"),
        ("bun.lock", BUN.format("7.0.0"), BUN.format("6.0.0"), "bun install --frozen-lockfile"),
    ],
)
def test_only_a_lock_file_that_fits_the_manifest_is_installed_as_it_is(
    lock: str, fitting: str, outdated: str, exact: str, tmp_path: Path
) -> None:
    assert exact in runs(generate(tmp_path / "fitting", {**APP, lock: fitting}))
    made = generate(tmp_path / "outdated", {**APP, lock: outdated})
    assert exact not in runs(made)
    assert any(f"{lock} is out of date (is-number" in reason.rationale for reason in made.reasons)


def test_a_dependency_that_the_root_overrides_does_not_make_a_lock_file_outdated(tmp_path: Path) -> None:
    overriding = package(**STARTED, overrides={"is-number": "6.0.0"})
    assert "npm ci" in runs(
        generate(tmp_path, {**APP, "package.json": overriding, "package-lock.json": npm_lock("6.0.0")})
    )


def test_packages_for_linux_that_a_lock_file_leaves_out_are_added_in_the_build(tmp_path: Path) -> None:
    rollup = {
        "version": "4.24.0",
        "optionalDependencies": {"@rollup/rollup-darwin-arm64": "4.24.0", "@rollup/rollup-linux-x64-gnu": "4.24.0"},
    }
    mac = {"node_modules/rollup": rollup, "node_modules/@rollup/rollup-darwin-arm64": {"version": "4.24.0"}}
    made = generate(tmp_path, {**APP, "package-lock.json": npm_lock(**mac)})
    assert "npm install" in runs(made)
    assert "process.arch" in runs(made)
    assert any("@rollup/rollup-linux-x64-gnu" in reason.rationale for reason in made.reasons)


def test_a_lock_file_that_npm_wrote_against_the_peers_is_installed_in_the_same_way(tmp_path: Path) -> None:
    old = {"version": "1.0.0", "peerDependencies": {"is-number": "^5.0.0"}}
    depends = {**STARTED, "dependencies": {**NUMBER, "old-plugin": "1.0.0"}}
    files = {
        **APP,
        "package.json": package(**depends),
        "package-lock.json": npm_lock(**{"node_modules/old-plugin": old}),
    }
    assert "npm ci --legacy-peer-deps" in runs(generate(tmp_path, files))


def test_nothing_is_installed_without_a_manifest(tmp_path: Path) -> None:
    made = generate(tmp_path, {"server.js": SERVER})
    assert "npm" not in runs(made)
    assert 'CMD ["node", "server.js"]' in made.content


@pytest.mark.parametrize("folder", ["web", "services/web"])
def test_a_module_outside_a_workspace_is_installed_in_its_own_folder(folder: str, tmp_path: Path) -> None:
    files = {f"{folder}/{name}": text for name, text in APP.items()}
    made = generate(tmp_path, {**files, f"{folder}/package-lock.json": npm_lock()}, folder).content
    assert made.index(f"WORKDIR /app/{folder}") < made.index("npm ci")


def test_a_module_next_to_a_workspace_is_installed_in_its_own_folder(tmp_path: Path) -> None:
    files = {
        "package.json": package(private=True, workspaces=["packages/*"]),
        "packages/core/package.json": package(name="core", main="index.js"),
        "packages/core/index.js": "exports.x = 1\n",
        "backend/package.json": package(**STARTED),
        "backend/index.js": SERVER,
    }
    made = generate(tmp_path, files, "backend").content
    assert made.index("WORKDIR /app/backend") < made.index("npm install")


@pytest.mark.parametrize(
    "hook", ["npm run build", "node scripts/setup.js", "husky && node scripts/setup.js", "fumadocs-mdx"]
)
def test_an_install_hook_that_may_read_any_file_finds_the_source(hook: str, tmp_path: Path) -> None:
    made = generate(tmp_path, {**APP, "package.json": package(**STARTED | {"scripts": {"postinstall": hook}})}).content
    assert made.index("COPY . .") < made.index("npm install")


@pytest.mark.parametrize("hook", ["husky", "husky install", "patch-package", "nuxt prepare", "is-ci || husky install"])
def test_a_known_install_hook_keeps_the_installation_cached(hook: str, tmp_path: Path) -> None:
    made = generate(tmp_path, {**APP, "package.json": package(**STARTED | {"scripts": {"prepare": hook}})}).content
    assert made.index("npm install") < made.index("COPY . .")


def test_a_hook_that_calls_git_is_removed_from_the_image(tmp_path: Path) -> None:
    scripts = {"start": "node index.js", "prepare": "git config core.hooksPath .githooks"}
    made = runs(generate(tmp_path, {**APP, "package.json": package(scripts=scripts)}))
    assert made.index("npm pkg delete scripts.prepare") < made.index("npm install")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("puppeteer", "PUPPETEER_SKIP_DOWNLOAD=1"),
        ("cypress", "CYPRESS_INSTALL_BINARY=0"),
        ("@playwright/test", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1"),
        ("electron", "ELECTRON_SKIP_BINARY_DOWNLOAD=1"),
    ],
)
def test_browsers_for_tests_are_not_downloaded(name: str, variable: str, tmp_path: Path) -> None:
    made = generate(tmp_path, {**APP, "package.json": package(**STARTED, devDependencies={name: "*"})}).content
    assert variable in made


@pytest.mark.parametrize(("old", "needed"), [("4.44.0", True), ("^5.90.0", False)])
def test_an_old_bundler_gets_its_old_hash_function(old: str, *, needed: bool, tmp_path: Path) -> None:
    made = generate(tmp_path, {**APP, "package.json": package(**STARTED, devDependencies={"webpack": old})}).content
    assert ("--openssl-legacy-provider" in made) is needed


TOKEN = "@acme:registry=https://npm.acme.example/\n//npm.acme.example/:_authToken=${NPM_TOKEN}\n"


def test_a_token_for_a_private_registry_is_a_required_secret_of_the_installation(tmp_path: Path) -> None:
    private = package(scripts={"start": "node index.js"}, dependencies={"@acme/lib": "^1.0.0"})
    made = generate(tmp_path, {**APP, "package.json": private, ".npmrc": TOKEN})
    assert "--mount=type=secret,id=NPM_TOKEN,required=true" in made.content
    assert any(reason.decision == "build secret NPM_TOKEN" for reason in made.reasons)


@pytest.mark.parametrize("text", [TOKEN, "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"])
def test_a_token_that_no_dependency_needs_is_not_required(text: str, tmp_path: Path) -> None:
    made = generate(tmp_path, {**APP, ".npmrc": text}).content
    assert "id=NPM_TOKEN" in made
    assert "required=true" not in made


def test_packages_of_the_host_that_an_ignore_file_lets_through_are_replaced(tmp_path: Path) -> None:
    host = {**APP, ".dockerignore": "*.log\n", "node_modules/is-number/package.json": package(name="is-number")}
    made = runs(generate(tmp_path, host))
    assert made.index("rm -rf") < made.index("npm install")


@pytest.mark.parametrize(
    ("manifest", "lock", "chosen"),
    [
        ({"engines": {"node": "^20"}}, None, "node:20-slim"),
        ({"engines": {"node": "18.x"}}, None, "node:18-slim"),
        ({}, {"engines": {"node": "^18.19.1 || ^20.11.1 || ^22.0.0"}}, "node:22-slim"),
        ({"devDependencies": {"node-sass": "^9.0.0"}}, None, "node:20-slim"),
        ({"devDependencies": {"@angular/cli": "~18.2.0"}}, None, "node:22-slim"),
        ({}, {"engines": {"node": ">=18"}}, "node:24-slim"),
        ({}, {"optional": True, "engines": {"node": "^20"}}, "node:24-slim"),
    ],
)
def test_the_version_of_node_is_one_that_the_project_and_its_packages_accept(
    manifest: dict[str, object], lock: dict[str, object] | None, chosen: str, tmp_path: Path
) -> None:
    locked = {"package-lock.json": npm_lock(**{"node_modules/cli": {"version": "1.0.0", **lock}})} if lock else {}
    made = generate(tmp_path, {**APP, "package.json": package(**STARTED, **manifest), **locked}).content
    assert f"FROM {chosen} AS build" in made


@pytest.mark.parametrize(("declared", "chosen"), [("18", "20"), ("lts/hydrogen", "20"), ("22", "22"), ("26", "24")])
def test_the_next_version_of_node_replaces_one_that_the_host_does_not_have(
    declared: str, chosen: str, tmp_path: Path
) -> None:
    present = ("node:20-slim", "node:22-slim", "node:24-slim")
    made = generate(tmp_path, {**APP, ".nvmrc": f"{declared}\n"}, present=present).content
    assert f"FROM node:{chosen}-slim AS build" in made


def test_the_client_of_prisma_is_generated_before_the_build(tmp_path: Path) -> None:
    schema = 'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n'
    packages = {"dependencies": {"@prisma/client": "5.19.1"}, "devDependencies": {"prisma": "5.19.1"}}
    scripts = {"start": "node index.js", "build": "tsc"}
    files = {**APP, "package.json": package(scripts=scripts, **packages), "prisma/schema.prisma": schema}
    made = runs(generate(tmp_path, files))
    assert "export DATABASE_URL=postgresql://" in made
    assert made.index("prisma generate") < made.index("npm run build")


def test_compiled_modules_of_a_member_are_not_installed_again_without_their_scripts(tmp_path: Path) -> None:
    member = package(name="api", scripts={"start": "node index.js"}, dependencies={"better-sqlite3": "^11.0.0"})
    files = {
        "package.json": package(private=True),
        "pnpm-workspace.yaml": "packages: ['apps/*']\n",
        "apps/api/package.json": member,
        "apps/api/index.js": SERVER,
    }
    assert "--ignore-scripts" not in runs(generate(tmp_path, files, "apps/api"))
