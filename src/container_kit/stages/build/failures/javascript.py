"""Failures of npm, pnpm, Yarn, Bun and Deno, and of the bundlers that they start."""

from __future__ import annotations

import json
from collections.abc import Sequence

from container_kit.stages.build.failures import codes
from container_kit.stages.build.failures.pattern import Failure, FailurePattern, edit_and_retry, pattern, sign
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import NextAction

_NAME = r"(?P<package>@?[\w.-]{1,100}(?:/[\w.-]{1,100})?)"
_OTHERWISE = " To build without it for now, write `{loose}` in {{where}}."


def _lock(command: str, file: str, loose: str) -> str:
    return f"Run `{command}` next to package.json and commit {file}.{_OTHERWISE.format(loose=loose)}"


_NPM_LOCK = _lock("npm install --package-lock-only", "package-lock.json", "npm install")
_PNPM_LOCK = _lock("pnpm install --lockfile-only", "pnpm-lock.yaml", "pnpm install --no-frozen-lockfile")
_YARN_LOCK = _lock("yarn install", "yarn.lock", "yarn install")
_BERRY_LOCK = _lock("yarn install --mode=update-lockfile", "yarn.lock", "yarn install --no-immutable")
_BUN_LOCK = _lock("bun install --lockfile-only", "bun.lock", "bun install")


def _is_development_dependency(failure: Failure, match: re.Match[str]) -> bool:
    """Return whether package.json lists the package of a missing command in `devDependencies`."""
    return _providing(failure, match["command"]) is not None


def _providing(failure: Failure, command: str) -> str | None:
    packages = {"tsc": "typescript", "next": "next", "ng": "@angular/cli", "nest": "@nestjs/cli", "vue-cli-service":
                "@vue/cli-service", "webpack": "webpack-cli", "tailwindcss": "@tailwindcss/cli"}  # fmt: skip
    for path in sorted(failure.inputs.context.glob("package.json")) + sorted(
        failure.inputs.context.glob("*/package.json")
    ):
        try:
            manifest = json.loads(path.read_text("utf-8-sig"))
        except (OSError, ValueError):
            continue
        listed = manifest.get("devDependencies") if isinstance(manifest, dict) else None
        for package in (packages.get(command, command), command):
            if isinstance(listed, dict) and package in listed:
                return package
    return None


DEVELOPMENT_DEPENDENCY = pattern(
    "build.development_dependency_missing",
    r"(?:^|: )(?P<command>[\w.@-]{1,80}): (?:command )?not found$",
    "{command} comes from devDependencies, which were not installed",
    means="A script needs a development dependency, and the install left it out.",
    hint="Install with devDependencies before {where} (no --omit=dev, no NODE_ENV=production), and prune them later.",
    when=_is_development_dependency,
)


def _npmrc(_failure: Failure, _match: re.Match[str]) -> Sequence[NextAction]:
    why = "Add the line `legacy-peer-deps=true` to .npmrc next to package.json (the argument --legacy-peer-deps)"
    return [edit_and_retry(f"{why}, or align the versions that the log names.")]


_INSTALL = (
    sign(codes.LOCKFILE_NOT_FOUND, r"npm ci.{0,80} can only install with an existing package-lock\.json",
         "npm ci needs a lock file",
         "COPY package-lock.json before {where}, create it with `npm install --package-lock-only`, or use `npm install`."),
    sign(codes.LOCKFILE_OUTDATED, r"can only install packages when your package\.json and \S{1,80} .{0,40}are in sync",
         "the lock file does not match package.json", _NPM_LOCK),
    sign(codes.LOCKFILE_OUTDATED, r"ERR_PNPM_(?:OUTDATED_LOCKFILE|LOCKFILE_CONFIG_MISMATCH|LOCKFILE_MISSING_DEPENDENCY)",
         "the lock file does not match package.json", _PNPM_LOCK),
    sign(codes.LOCKFILE_OUTDATED, r"Your lockfile needs to be updated, but yarn was run with",
         "the lock file does not match package.json", _YARN_LOCK),
    sign(codes.HASH_MISMATCH, r"YN0018|ERR_PNPM_TARBALL_INTEGRITY|npm (?:error|ERR!) code EINTEGRITY|Integrity check failed for"
         r"|IntegrityCheckFailed",
         "the checksum of a package differs from the lock file",
         "Find out why it differs (a changed registry, a damaged cache), then renew the lock file."),
    sign(codes.PACKAGE_MANAGER_VERSION, r"This project's package\.json defines \"packageManager\": \"(?P<wanted>[^\"]{1,80})\""
         r"|This project is configured to use (?P<other>\S{1,60})|ERR_PNPM_(?:BAD_PM_VERSION|OTHER_PM_EXPECTED)"
         r"|Your pnpm version is incompatible|expected version: (?P<pnpm>\S{1,40})|required pnpm version"
         r"|Cannot find matching keyid|The engine \"(?:yarn|pnpm|npm)\" is incompatible",
         "the project requires another package manager: {wanted}{other}{pnpm}",
         "Install the version that package.json names before {where}: `npm install --global pnpm@X` or corepack; or "
         "correct `packageManager` and `engines` in package.json."),
    sign(codes.LOCKFILE_OUTDATED, r"YN0028|The lockfile would have been (?:modified|created) by this install",
         "the lock file does not match package.json", _BERRY_LOCK),
    sign(codes.LOCKFILE_OUTDATED, r"lockfile had changes, but lockfile is frozen", "the lock file does not match package.json",
         _BUN_LOCK),
    sign(codes.LOCKFILE_VERSION, r"ERR_PNPM_LOCKFILE_BREAKING_CHANGE|Ignoring not compatible lockfile|ERR_PNPM_UNSUPPORTED_LOCKFILE",
         "another major version of pnpm wrote pnpm-lock.yaml",
         "Install the pnpm that wrote it before {where}: lockfileVersion 5.4 needs pnpm@7, 6.0 pnpm@8, 9.0 pnpm@9 or 10."),
    sign(codes.LOCKFILE_NOT_FOUND, r"ERR_PNPM_NO_LOCKFILE|Headless installation requires a pnpm-lock",
         "pnpm install --frozen-lockfile needs pnpm-lock.yaml",
         "COPY pnpm-lock.yaml before {where}; if it does not exist, run `pnpm install --lockfile-only` and commit it."),
    sign(codes.LOCKFILE_INVALID, r"ERR_PNPM_BROKEN_LOCKFILE|ERR_PNPM_LOCKFILE_(?:MERGE|PARSE)|npm (?:error|ERR!) .{0,80}package-lock\.json.{0,80}(?:JSON|parse)"
         r"|Unknown token: \{ line:|InvalidLockfile|failed to parse lockfile",
         "the lock file cannot be parsed", "Resolve the merge conflict, or delete the lock file and install again."),
    sign(codes.WORKSPACE_PACKAGE_NOT_FOUND, r"Unsupported URL Type \"workspace:\"",
         "npm does not understand the `workspace:` protocol",
         "Install with the workspace's package manager (pnpm, Yarn or Bun) from the root of the workspace."),
    sign(codes.WORKSPACE_PACKAGE_NOT_FOUND, rf"ERR_PNPM_WORKSPACE_PKG_NOT_FOUND.{{0,60}}\"{_NAME}@|{_NAME.replace('package', 'berry')}@workspace:\S{{0,40}}: Workspace not found"
         rf"|Workspace dependency \"{_NAME.replace('package', 'bun')}\" not found|No workspaces found"
         r"|Workspace not found|ERR_PNPM_NO_MATCHING_VERSION_INSIDE_WORKSPACE",
         "the workspace member {package}{berry}{bun} is not in the image",
         "Build from the root of the workspace (context), and COPY the package.json of each member before {where}."),
    sign(codes.PLATFORM_PACKAGE, r"npm (?:error|ERR!) code EBADPLATFORM|The platform \"linux\" is incompatible with this module"
         r"|ERR_PNPM_UNSUPPORTED_PLATFORM|Unsupported platform for (?P<package>\S{1,100}):",
         "a required dependency exists only for another operating system",
         "Move it to `optionalDependencies` in package.json, and renew the lock file: `npm install --package-lock-only`."),
    sign(codes.RUNTIME_UNSUPPORTED, r"npm (?:error|ERR!) code EBADENGINE[\s\S]{0,900}?Required: (?P<wanted>[^\n]{1,80})\n[^\n]{0,20}Actual: {1,4}(?P<has>[^\n]{1,80})|npm (?:error|ERR!) code EBADENGINE|The engine \"node\" is incompatible with this module\. Expected version \"(?P<wanted>[^\"]{1,60})\"\. Got \"(?P<has>[^\"]{1,30})"
         r"|ERR_PNPM_UNSUPPORTED_ENGINE|(?:requires|require) Node\.js (?:version )?(?P<node>v?[\d.^>=| ]{1,30})|You are using Node\.js [\d.]+\. (?P<vite>.{1,80}requires? .{1,60})"
         r"|Node\.js version \S{1,20} (?:is )?(?:detected|required)|Unsupported engine",
         "a package does not support the image's Node.js {has}; it needs {wanted}{node}{vite}",
         "Use a base image with the Node.js that the log names (write-dockerfile with base_images), or, if `engines` is too "
         "strict, loosen it in package.json (Yarn: --ignore-engines)."),
    sign(codes.DEPENDENCY_CONFLICT, r"npm (?:error|ERR!) code ERESOLVE|ERR_PNPM_PEER_DEP_ISSUES",
         "the peer dependencies conflict",
         "Align the versions that the log names, or add `legacy-peer-deps=true` (pnpm: `strict-peer-dependencies=false`) "
         "to .npmrc next to package.json.", actions=_npmrc),
    sign(codes.PACKAGE_NOT_FOUND, r"npm (?:error|ERR!) 404 .{0,80}Not Found - GET (?P<url>\S{1,300})"
         r"|ERR_PNPM_FETCH_404[^\w\n]{0,10}GET (?P<pnpm>\S{1,300}):|error Couldn't find package \"(?P<yarn>[^\"]{1,200})\""
         r"|YN0035: . (?P<berry>\S{1,200}): Package not found|error: GET (?P<bun>\S{1,300}) - 404|error An unexpected error occurred: \"(?P<y>https?://\S{1,300}): Not found",
         "the registry has no package {url}{pnpm}{yarn}{berry}{bun}{y}",
         "Correct the name in package.json. A private package needs its registry and a token in .npmrc; a member of a "
         "workspace needs the workspace's own package manager."),
    sign(codes.PACKAGE_VERSION_NOT_FOUND, r"notarget No matching version found for (?P<requirement>[^\s]{1,200}?)\.?$"
         r"|ERR_PNPM_NO_(?:MATCHING_VERSION|VERSIONS)[^\w\n]{0,10}No matching version found for (?P<pnpm>\S{1,200})"
         r"|Couldn't find any versions for \"(?P<yarn>[^\"]{1,200})\" that matches \"(?P<range>[^\"]{1,100})\""
         r"|YN0082: . (?P<berry>\S{1,200}): No candidates found|No version matching \"(?P<bun>[^\"]{1,100})\" found for specifier \"(?P<name>[^\"]{1,200})\"",
         "there is no version {requirement}{pnpm}{yarn} {range}{berry}{name} {bun}",
         "Correct the version in package.json, then renew the lock file."),
    sign(codes.FILE_DEPENDENCY_NOT_FOUND, r"npm (?:error|ERR!) .{0,60}Could not install from \"(?P<path>[^\"]{1,200})\"|ERR_PNPM_LINKED_PKG_DIR_NOT_FOUND"
         r"|Package \"[^\"]{0,100}\" refers to a non-existing file '\"?(?P<yarn>[^'\"]{1,200})",
         "the local dependency {path}{yarn} is not in the image",
         "Build with a context that contains the folder, and COPY it before {where}."),
    sign(codes.MANIFEST_INVALID, r"npm (?:error|ERR!) code (?:EJSONPARSE|EINVALIDPACKAGENAME|EINVALIDTAGNAME)|Invalid (?:Version|package name)|ERR_PNPM_JSON_PARSE"
         r"|in JSON at position \d{1,9}|error parsing.{0,60}package\.json|is not valid JSON|Unexpected token .{1,40} in JSON|The .?\"?packageManager\"? field",
         "package.json is not valid JSON, or has an invalid field",
         "Correct package.json at the position in the log."),
    sign(codes.MANIFEST_NOT_FOUND, r"(?:ENOENT|enoent).{0,120}open '(?P<file>[^']{0,300}package\.json)'|ERR_PNPM_NO_(?:PKG|IMPORTER)_MANIFEST.{0,10}|No package\.json (?:was )?found in"
         r"|Bun could not find a package\.json|Couldn't find a package\.json|No project found in|doesn't seem to have a package\.json|The nearest package directory",
         "package.json is not in the image yet {file}",
         "COPY package.json there before {where}, or set WORKDIR to the folder that contains it."),
    sign(codes.SCRIPT_NOT_FOUND, r"npm (?:error|ERR!) Missing script: \"(?P<script>[^\"]{1,80})\"|ERR_PNPM_NO_SCRIPT[^\w\n]{0,10}Missing script: (?P<pnpm>\S{1,80})"
         r"|error Command \"(?P<yarn>[^\"]{1,80})\" not found|Couldn't find a script named \"(?P<berry>[^\"]{1,80})\"|Script not found \"(?P<bun>[^\"]{1,80})\""
         r"|ERR_PNPM_RECURSIVE_EXEC_FIRST_FAIL[^\w\n]{0,10}Command \"(?P<exec>[^\"]{1,80})\" not found|Task not found: (?P<deno>\S{1,80})|No projects matched the filters",
         "package.json has no script {script}{pnpm}{yarn}{berry}{bun}{exec}{deno}",
         "Define the script in package.json, or correct its name in {where}."),
    sign(codes.GIT_NOT_FOUND, r"npm (?:error|ERR!) (?:syscall|path) (?:spawn )?git$|spawn git ENOENT|Couldn't find the binary git",
         "git is required and not in the image",
         "Install git before {where} (`apt-get install -y git`), or depend on a release instead of a repository."),
    sign(codes.COMPILER_NOT_FOUND, r"gyp ERR! find Python|gyp ERR! stack Error: not found: make|gyp ERR! find Python You need",
         "a package must be compiled and the image has no Python or compiler",
         "Install `python3 make g++` before {where} (`apt-get install -y python3 make g++`), or use the full node image."),
)  # fmt: skip

_ROLLUP = r"@(?:rollup/rollup|esbuild|swc/core|img/sharp|tailwindcss/oxide|parcel/watcher|biomejs/cli|next/swc|napi-rs/[\w-]{1,40}|oxc-[\w-]{1,40}/[\w-]{1,40}|unrs/resolver-binding|rolldown/binding|libsql|lmdb/lmdb|node-rs/[\w-]{1,40}|resvg/resvg-js|sentry/cli)-?/?[\w-]{0,40}"
_PLATFORM = (
    sign(codes.PLATFORM_DEPENDENCY_MISSING,
         rf"Cannot find module '?(?P<package>{_ROLLUP}(?:linux|darwin|win32)[\w-]{{0,30}})|The package \"(?P<esbuild>@esbuild/[\w-]{{1,40}})\" could not be found"
         r"|Could not load the \"(?P<sharp>sharp)\" module|Cannot find module '[./\w-]{0,80}?(?P<css>lightningcss|oxide|css-inline|watcher)[.-]linux[\w.-]{1,40}"
         r"|You installed esbuild for another platform|npm/cli/issues/4828|Cannot find module '(?P<package>@swc/core)'|Failed to load (?:native|SWC) binary|Cannot find native binding|Failed to load bindings"
         r"|Unsupported (?:OS|platform).{0,40}(?P<other>swc|turbo|bcrypt)|No prebuild or local build of (?P<watcher>@parcel/watcher)",
         "the Linux binary of {package}{esbuild}{sharp}{css}{other}{watcher} was not installed",
         "The lock file was made on another platform (npm/cli issue 4828). Delete node_modules and package-lock.json, run "
         "`npm install`, and commit the new lock file; or write `npm install --no-package-lock` in {where}. Keep "
         "node_modules in .dockerignore. Do not add the platform's package to the dependencies."),
)  # fmt: skip

_BUNDLERS = (
    pattern(
        "build.openssl_legacy",
        r"ERR_OSSL_EVP_UNSUPPORTED|digital envelope routines::unsupported",
        "webpack 4 needs the hash functions of OpenSSL 1",
        means="An old webpack uses a hash that OpenSSL 3 (Node.js 17 and newer) does not allow.",
        hint="Set `ENV NODE_OPTIONS=--openssl-legacy-provider` before {where}, or update webpack to 5.",
    ),
    sign(codes.IMPORT_NOT_FOUND,
         r"Could not resolve entry module \"?(?P<entry>[^\"\s]{1,200})", "the entry {entry} does not exist",
         "Create {entry}, or correct the entry in the bundler's configuration and the COPY lines before {where}."),
    sign(codes.IMPORT_NOT_FOUND,
         r"failed to resolve import \"(?P<vite>[^\"]{1,200})\" from \"(?P<from>[^\"]{1,300})\"|Could not resolve \"(?P<rollup>[^\"]{1,200})\"(?: from \"(?P<in>[^\"]{1,300})\")?"
         r"|Module not found: (?:Error: )?Can't resolve '(?P<webpack>[^']{1,200})'(?: in '(?P<folder>[^']{1,300})')?|Could not resolve '(?P<parcel>[^']{1,200})'|Module not found: (?P<next>[^\n]{1,120})",
         "the import {vite}{rollup}{webpack}{parcel}{next} cannot be resolved {from}{in}{folder}",
         "Add the package to the dependencies, or correct the path: upper and lower case count on Linux, and .dockerignore "
         "must not exclude the file."),
    sign(codes.SOURCE_SYNTAX, r"\((?P<line>\d{1,6}:\d{1,6})\): (?P<problem>(?:Unexpected token|Expected|Unterminated|Expression expected)[^\n]{1,120})|Module parse failed: (?P<webpack>[^\n]{1,120})"
         r"|(?P<esbuild>\[ERROR\] (?:Expected|Unexpected|Unterminated|Syntax error)[^\n]{1,120})|error: The module's source code could not be parsed: (?P<deno>[^\n]{1,160})",
         "the source code cannot be parsed: {problem}{webpack}{esbuild}{deno} {line}",
         "Correct the source at the line in the log."),
    sign(codes.MODULE_FORMAT, r"Cannot use import statement outside a module|require is not defined in ES module scope|(?:exports|module|__dirname) is not defined in ES module scope"
         r"|ERR_REQUIRE_ESM|require\(\) of ES Module|does not provide an export named|Unknown file extension \"\.ts\"|ERR_UNSUPPORTED_DIR_IMPORT|ERR_REQUIRE_ASYNC_MODULE",
         "ES module syntax and CommonJS are mixed",
         "Set `\"type\": \"module\"` in package.json (or remove it), or rename the file to .mjs or .cjs, as the log says."),
)  # fmt: skip

_RUNS = (
    sign(codes.TESTS_FAILED, r"^# fail [1-9]|^not ok \d|^Tests:[^\w\n]{1,10}\d{1,6} failed|Failed Tests [1-9]|Test Files[^\w\n]{1,10}[1-9]\d{0,5} failed|^\s{1,8}[1-9]\d{0,5} failing$",
         "tests failed in the build", "Correct the tests that the log names, or leave the tests out of {where}."),
    sign(codes.LINT_FAILED, r"[✖] \d{1,6} problems? \([1-9]|Failed to compile\.[^\w\n]{1,4}.{0,200}ESLint|prettier.{0,60}Code style issues",
         "the linter found problems", "Correct the lines in the log, or leave the linter out of {where}."),
    sign(codes.INSTALL_SCRIPT_FAILED, r"npm (?:error|ERR!) command sh -c (?P<script>[^\n]{1,120})|ELIFECYCLE.{0,60}(?:post|pre)?install|error (?P<yarn>\S{1,200}): Command failed"
         r"|YN0009: . (?P<berry>\S{1,100}) couldn't be built|ERR_PNPM_IGNORED_BUILDS|(?:post|pre)?install script from \"(?P<bun>[^\"]{1,100})\" exited",
         "a script that the install runs failed: {script}{yarn}{berry}{bun}",
         "Read its output in the evidence. If the build does not need the script, install with --ignore-scripts in {where}."),
    sign(codes.SCRIPT_FAILED, r"ELIFECYCLE[^\w\n]{1,4}Command failed with exit code|^error Command failed with exit code|^error: script \"(?P<bun>[^\"]{1,80})\" exited with code",
         "a script of package.json failed",
         "Correct the script that the log shows; run it outside of the build to see more."),
)  # fmt: skip

PATTERNS: tuple[FailurePattern, ...] = (*_INSTALL, *_PLATFORM, *_BUNDLERS)
LATE: tuple[FailurePattern, ...] = _RUNS
"""Texts that also end other failures, so they are looked for last."""
