"""Failures of package managers."""

from __future__ import annotations

import re

from container_kit.stages.build.failures.pattern import Failure, sign


def _lists_never_fetched(failure: Failure, _match: re.Match[str]) -> bool:
    return failure.instruction is not None and "update" not in failure.instruction.text


_APT = (
    sign(
        "build.apt_not_updated",
        r"^E: (?:Unable to locate package |Package ')(?P<package>[^\s']+)",
        "apt knows no packages, for its lists were not fetched in this instruction",
        means="apt-get install ran in an instruction that did not fetch the package lists.",
        hint="Write `RUN apt-get update && apt-get install -y {package}` as one instruction in {where}.",
        when=_lists_never_fetched,
    ),
    sign(
        "build.apt_package_not_found",
        r"^E: (?:Unable to locate package (?P<package>\S+)|Package '(?P<virtual>[^']+)' has no installation candidate)",
        "Debian has no package {package}{virtual}",
        means="apt's lists are there, but hold no package of that name.",
        hint="Correct the name {package}{virtual} in {where}; it may be called otherwise in the base image's release.",
    ),
    sign(
        "build.apt_version_not_found",
        r"^E: Version '(?P<version>[^']+)' for '(?P<package>[^']+)' was not found",
        "Debian has no version {version} of {package}",
        means="apt's repositories do not hold the pinned version, any more or at all.",
        hint="Leave out the version of {package} in {where}, or pin one that the release holds.",
    ),
    sign(
        "build.apt_source_invalid",
        r"^E: The repository '(?P<repository>[^']+)' does(?: not|n't) have a Release file",
        "the apt repository {repository} does not exist",
        means="A configured apt repository has no such release.",
        hint="Correct the repository that {where} uses: {repository}.",
    ),
    sign(
        "build.apt_unsigned",
        r"^E: The repository '(?P<repository>[^']+)' is not signed",
        "apt has no key for the repository {repository}",
        means="apt refuses a repository whose key the image does not hold.",
        hint="Install the repository's key (debian-archive-keyring for Debian itself) before {where}.",
    ),
)

_PIP = (
    sign(
        "build.pip_requirements_not_found",
        r"Could not open requirements file: .*?'(?P<file>[^']+)'",
        "the requirements file {file} is not in the image yet",
        means="pip was given a requirements file that no earlier instruction copied.",
        hint="Add `COPY {file} ./` before {where}, or correct the name.",
    ),
    sign(
        "build.pip_requirement_invalid",
        r"ERROR: Invalid requirement: '?(?P<requirement>[^'\n]+)'?(?: \(from line (?P<line>\d+) of (?P<file>[^)]+)\))?",
        "{requirement} is not a requirement",
        means="A line of the requirements is not in pip's format.",
        hint="Correct {requirement} (line {line} of {file}).",
    ),
    sign(
        "build.pip_python_unsupported",
        r"requires a different Python: (?P<python>\S+) not in '(?P<wanted>[^']+)'",
        "a package needs Python {wanted}, the image has {python}",
        means="A package refuses the image's Python version.",
        hint="Use a base image with Python {wanted}.",
    ),
    sign(
        "build.pip_conflict",
        r"Cannot install (?P<packages>.+?) because these package versions|ResolutionImpossible"
        r"|conflicting dependencies",
        "the requirements contradict each other",
        means="No set of versions satisfies all the requirements.",
        hint="Loosen one of the pins that the log names: {packages}.",
    ),
    sign(
        "build.pip_hash_mismatch",
        r"THESE PACKAGES DO NOT MATCH THE HASHES",
        "a package does not have the hash that the requirements give",
        means="A downloaded package has another hash than the requirements file says.",
        hint="Find out why it differs before you write the new hash into the requirements file.",
    ),
    sign(
        "build.pip_version_not_found",
        r"Could not find a version that satisfies the requirement (?P<requirement>[^\s(]+).*\(from versions: (?!none)",
        "there is no version that satisfies {requirement}",
        means="The index knows the package, but not that version for this Python.",
        hint="Correct the version in {requirement}; the log lists those that exist.",
    ),
    sign(
        "build.pip_package_not_found",
        r"No matching distribution found for (?P<requirement>\S+)",
        "the index has no package {requirement}",
        means="The package index knows no package of that name.",
        hint="Correct the name {requirement}; if it is a private package, give its index.",
    ),
)

_NPM = (
    sign(
        "build.npm_package_not_found",
        r"npm (?:error|ERR!) 404 .*?Not Found - GET (?P<url>\S+)",
        "the registry has no such package {url}",
        means="The npm registry knows no package of that name.",
        hint="Correct the package's name in package.json or in {where}; a private one needs its registry and a token.",
    ),
    sign(
        "build.npm_version_not_found",
        r"notarget No matching version found for (?P<requirement>\S+?)\.?$",
        "there is no version {requirement}",
        means="The npm registry knows the package, but not that version.",
        hint="Correct the version of {requirement}.",
    ),
    sign(
        "build.npm_lockfile_outdated",
        r"can only install packages when your package\.json and \S+ .*are in sync",
        "the lockfile does not match package.json",
        means="npm ci refuses a lockfile that was not made for this package.json.",
        hint="Run `npm install` in the module and commit the new lockfile.",
    ),
    sign(
        "build.npm_lockfile_not_found",
        r"npm ci.* can only install with an existing package-lock\.json",
        "npm ci needs a lockfile",
        means="npm ci found no package-lock.json in the image.",
        hint="COPY package-lock.json before {where}, or make one with `npm install`, or use `npm install` there.",
    ),
    sign(
        "build.npm_manifest_invalid",
        r"npm (?:error|ERR!) code EJSONPARSE",
        "package.json is not valid JSON",
        means="npm cannot parse package.json.",
        hint="Correct the syntax of package.json where the log points.",
    ),
    sign(
        "build.npm_manifest_not_found",
        r"(?:ENOENT|enoent).*open '(?P<file>[^']*package\.json)'",
        "{file} is not in the image yet",
        means="npm ran in a folder without package.json.",
        hint="COPY package.json there before {where}, or set WORKDIR to the folder that holds it.",
    ),
    sign(
        "build.npm_script_not_found",
        r"npm (?:error|ERR!) Missing script: \"(?P<script>[^\"]+)\"",
        "package.json has no script {script}",
        means="npm run was asked for a script that package.json does not define.",
        hint="Define the script {script} in package.json, or correct the name in {where}.",
    ),
    sign(
        "build.npm_peer_conflict",
        r"npm (?:error|ERR!) code ERESOLVE",
        "the peer dependencies contradict each other",
        means="npm finds no versions that satisfy all peer dependencies.",
        hint="Align the versions that the log names in package.json.",
    ),
    sign(
        "build.npm_engine_unsupported",
        r"npm (?:error|ERR!) code EBADENGINE",
        "a package refuses the image's Node version",
        means="A package's `engines` excludes the image's Node version.",
        hint="Use a base image with the Node version that the log names.",
    ),
)

SIGNS = (*_APT, *_PIP, *_NPM)
