"""Failures of package managers."""

from __future__ import annotations

from container_kit.stages.build.failures.pattern import Failure, pattern
from container_kit.stages.contract import expressions as re


def _lists_never_fetched(failure: Failure, _match: re.Match[str]) -> bool:
    return failure.instruction is not None and "update" not in failure.instruction.script


_APT = (
    pattern(
        "build.apt_not_updated",
        r"^E: (?:Unable to locate package |Package ')(?P<package>[^\s']+)",
        "apt has no package lists, because this instruction did not fetch them",
        means="apt-get install ran in an instruction that did not fetch the package lists.",
        hint="Write `RUN apt-get update && apt-get install -y {package}` as one instruction in {where}.",
        when=_lists_never_fetched,
    ),
    pattern(
        "build.apt_package_not_found",
        r"^E: (?:Unable to locate package (?P<package>\S+)|Package '(?P<virtual>[^']+)' has no installation candidate)",
        "Debian has no package {package}{virtual}",
        means="apt's lists contain no package with that name.",
        hint="Correct the name {package}{virtual} in {where}. The base image's release may use another name.",
    ),
    pattern(
        "build.apt_version_not_found",
        r"^E: Version '(?P<version>[^']+)' for '(?P<package>[^']+)' was not found",
        "Debian has no version {version} of {package}",
        means="apt's repositories do not have the pinned version, or no longer.",
        hint="Remove the version of {package} in {where}, or pin one that the release has.",
    ),
    pattern(
        "build.apt_source_invalid",
        r"^E: The repository '(?P<repository>[^']+)' does(?: not|n't) have a Release file",
        "the apt repository {repository} does not exist",
        means="A configured apt repository has no such release.",
        hint="Correct the repository that {where} uses: {repository}.",
    ),
    pattern(
        "build.apt_unsigned",
        r"^E: The repository '(?P<repository>[^']+)' is not signed",
        "apt has no key for the repository {repository}",
        means="apt rejects a repository whose key the image does not have.",
        hint="Install the repository's key (debian-archive-keyring for Debian itself) before {where}.",
    ),
)

_PIP = (
    pattern(
        "build.pip_requirements_not_found",
        r"Could not open requirements file: .*?'(?P<file>[^']+)'",
        "the requirements file {file} is not in the image yet",
        means="pip needs a requirements file that no earlier instruction copied.",
        hint="Add `COPY {file} ./` before {where}, or correct the name.",
    ),
    pattern(
        "build.pip_requirement_invalid",
        r"ERROR: Invalid requirement: '?(?P<requirement>[^'\n]+)'?(?: \(from line (?P<line>\d+) of (?P<file>[^)]+)\))?",
        "{requirement} is not a requirement",
        means="A line of the requirements is not in pip's format.",
        hint="Correct {requirement} (line {line} of {file}).",
    ),
    pattern(
        "build.pip_python_unsupported",
        r"requires a different Python: (?P<python>\S+) not in '(?P<wanted>[^']+)'",
        "a package needs Python {wanted}, the image has {python}",
        means="A package does not support the image's Python version.",
        hint="Use a base image with Python {wanted}.",
    ),
    pattern(
        "build.pip_conflict",
        r"Cannot install (?P<packages>.+?) because these package versions|ResolutionImpossible"
        r"|conflicting dependencies",
        "the requirements conflict",
        means="No set of versions satisfies all requirements.",
        hint="Loosen one of the pins that the log names: {packages}.",
    ),
    pattern(
        "build.pip_hash_mismatch",
        r"THESE PACKAGES DO NOT MATCH THE HASHES",
        "the hash of a package differs from the requirements file",
        means="The hash of a downloaded package differs from the one in the requirements file.",
        hint="Find out why it differs before you write the new hash into the requirements file.",
    ),
    pattern(
        "build.pip_version_not_found",
        r"Could not find a version that satisfies the requirement (?P<requirement>[^\s(]+).*\(from versions: (?!none)",
        "there is no version that satisfies {requirement}",
        means="The index has the package, but not that version for this Python.",
        hint="Correct the version in {requirement}; the log lists the existing versions.",
    ),
    pattern(
        "build.pip_package_not_found",
        r"No matching distribution found for (?P<requirement>\S+)",
        "the index has no package {requirement}",
        means="The package index has no package with that name.",
        hint="Correct the name {requirement}. If the package is private, configure its index.",
    ),
)

_NPM = (
    pattern(
        "build.npm_package_not_found",
        r"npm (?:error|ERR!) 404 .*?Not Found - GET (?P<url>\S+)",
        "the registry has no such package {url}",
        means="The npm registry has no package with that name.",
        hint="Correct the name in package.json or in {where}. A private package needs its registry and a token.",
    ),
    pattern(
        "build.npm_version_not_found",
        r"notarget No matching version found for (?P<requirement>\S+?)\.?$",
        "there is no version {requirement}",
        means="The npm registry has the package, but not that version.",
        hint="Correct the version of {requirement}.",
    ),
    pattern(
        "build.npm_lockfile_outdated",
        r"can only install packages when your package\.json and \S+ .*are in sync",
        "the lockfile does not match package.json",
        means="npm ci rejects a lockfile that does not match package.json.",
        hint="Run `npm install` in the module and commit the new lockfile.",
    ),
    pattern(
        "build.npm_lockfile_not_found",
        r"npm ci.* can only install with an existing package-lock\.json",
        "npm ci needs a lockfile",
        means="npm ci found no package-lock.json in the image.",
        hint="COPY package-lock.json before {where}, or create one with `npm install`, or use `npm install` there.",
    ),
    pattern(
        "build.npm_manifest_invalid",
        r"npm (?:error|ERR!) code EJSONPARSE",
        "package.json is not valid JSON",
        means="npm cannot parse package.json.",
        hint="Correct the syntax of package.json at the position in the log.",
    ),
    pattern(
        "build.npm_manifest_not_found",
        r"(?:ENOENT|enoent).*open '(?P<file>[^']*package\.json)'",
        "{file} is not in the image yet",
        means="npm ran in a folder without package.json.",
        hint="COPY package.json there before {where}, or set WORKDIR to the folder that contains it.",
    ),
    pattern(
        "build.npm_script_not_found",
        r"npm (?:error|ERR!) Missing script: \"(?P<script>[^\"]+)\"",
        "package.json has no script {script}",
        means="npm run names a script that package.json does not define.",
        hint="Define the script {script} in package.json, or correct the name in {where}.",
    ),
    pattern(
        "build.npm_peer_conflict",
        r"npm (?:error|ERR!) code ERESOLVE",
        "the peer dependencies conflict",
        means="No set of versions satisfies all peer dependencies.",
        hint="Align the versions that the log names in package.json.",
    ),
    pattern(
        "build.npm_engine_unsupported",
        r"npm (?:error|ERR!) code EBADENGINE",
        "a package does not support the image's Node version",
        means="A package's `engines` excludes the image's Node version.",
        hint="Use a base image with the Node version that the log names.",
    ),
)

PATTERNS = (*_APT, *_PIP, *_NPM)
