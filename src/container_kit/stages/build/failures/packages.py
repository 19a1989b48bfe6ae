"""Failures of apt."""

from __future__ import annotations

from container_kit.stages.build.failures.pattern import Failure, pattern
from container_kit.stages.contract import expressions as re


def _lists_never_fetched(failure: Failure, _match: re.Match[str]) -> bool:
    return failure.instruction is not None and "update" not in failure.instruction.script


PATTERNS = (
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
    pattern(
        "build.apt_dependency_conflict",
        r"The following packages have unmet dependencies|unable to correct problems, you have held broken packages",
        "apt cannot install the packages together",
        means="A package needs another one, or another version, that the release does not have.",
        hint="Install the packages of the release of the image in {where}, without pins and foreign repositories.",
    ),
)
