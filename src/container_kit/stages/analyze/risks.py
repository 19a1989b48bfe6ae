"""Risks: secrets in the tree, dependencies that nothing pins, language versions that get no more fixes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from container_kit.stages.analyze.deployment_files import Deployments
from container_kit.stages.analyze.discovery import NEVER_MODULES
from container_kit.stages.analyze.tree import Tree, join
from container_kit.stages.artifacts.analysis import Module, Risk
from container_kit.stages.redaction import Redactor, looks_secret

END_OF_LIFE: dict[str, dict[str, str]] = {
    "python": {
        "2.7": "2020-01-01",
        "3.5": "2020-09-30",
        "3.6": "2021-12-23",
        "3.7": "2023-06-27",
        "3.8": "2024-10-07",
        "3.9": "2025-10-31",
        "3.10": "2026-10-31",
        "3.11": "2027-10-31",
        "3.12": "2028-10-31",
    },
    "node": {
        "8": "2019-12-31",
        "10": "2021-04-30",
        "12": "2022-04-30",
        "14": "2023-04-30",
        "16": "2023-09-11",
        "17": "2022-06-01",
        "18": "2025-04-30",
        "19": "2023-06-01",
        "20": "2026-04-30",
        "21": "2024-06-01",
        "22": "2027-04-30",
        "23": "2025-06-01",
    },
    "go": {
        "1.18": "2023-02-01",
        "1.19": "2023-08-08",
        "1.20": "2024-02-06",
        "1.21": "2024-08-13",
        "1.22": "2025-02-11",
    },
    "php": {
        "5.6": "2018-12-31",
        "7.0": "2019-01-10",
        "7.1": "2019-12-01",
        "7.2": "2020-11-30",
        "7.3": "2021-12-06",
        "7.4": "2022-11-28",
        "8.0": "2023-11-26",
        "8.1": "2025-12-31",
        "8.2": "2026-12-31",
    },
    "ruby": {
        "2.5": "2021-04-05",
        "2.6": "2022-04-12",
        "2.7": "2023-03-31",
        "3.0": "2024-04-23",
        "3.1": "2025-03-26",
        "3.2": "2026-03-31",
    },
    "dotnet": {
        "3.1": "2022-12-13",
        "5.0": "2022-05-10",
        "6.0": "2024-11-12",
        "7.0": "2024-05-14",
        "8.0": "2026-11-10",
        "9.0": "2026-11-10",
    },
    "java": {
        "9": "2018-03-20",
        "10": "2018-09-25",
        "12": "2019-09-17",
        "13": "2020-03-17",
        "14": "2020-09-16",
        "15": "2021-03-16",
        "16": "2021-09-14",
        "18": "2022-09-20",
        "19": "2023-03-21",
        "20": "2023-09-19",
        "22": "2024-09-17",
        "23": "2025-03-18",
    },
}
"""Last day of security fixes, ISO dates, as the languages' projects publish them; only exact series."""

_FAMILY = {"javascript": "node", "typescript": "node", "csharp": "dotnet", "fsharp": "dotnet", "kotlin": "java"}
_SECRET_FILES = re.compile(r"(?:id_(?:rsa|dsa|ecdsa|ed25519)|.*\.(?:pem|p12|pfx|jks|keystore|key))")
_SAMPLES = re.compile(r"example|sample|template|dist$|defaults?$|test|ci$")
_CONFIGURATION = re.compile(
    r"(?:\.env(?:\.\w+)*|\.npmrc|\.pypirc|\.netrc|credentials(?:\.json)?|secrets?\.(?:ya?ml|json|toml)"
    r"|(?:service-?account|firebase-adminsdk)\S*\.json|settings\.py|config\.(?:py|js|ts|json|ya?ml|php)"
    r"|application\S*\.(?:properties|ya?ml)|appsettings\S*\.json|(?:docker-)?compose\S*\.ya?ml|wp-config\.php|database\.yml)"
)
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*['\"]?([^'\"\s#]{6,})", re.MULTILINE)
_PLACEHOLDER = re.compile(
    r"(?i)^(?:change|your|xxx|example|placeholder|dummy|test|secret|password|todo|<|\$|\{|none$|null$|local|dev)|\.\.\.|_here$"
)
MAX_LOOKED_AT = 60
MAX_RISKS = 25


def risks(
    tree: Tree, modules: tuple[Module, ...], deployments: Deployments, unlocked: frozenset[str], today: date
) -> tuple[Risk, ...]:
    """All risks, malformed and unreadable files first."""
    found = [
        Risk(
            kind="malformed" if problem.malformed else "unreadable",
            message=f"{problem.path} could not be read: {problem.reason}"[:300],
            place=f"{problem.path}:{problem.line}" if problem.line else problem.path,
        )
        for problem in tree.problems.values()
    ]
    found.extend(_secrets(tree))
    for module in modules:
        found.extend(_end_of_life(module, today))
        if module.path in unlocked:
            found.append(
                Risk(kind="unpinned", message=f"nothing pins the dependencies of {module.name}", place=_first(module))
            )
    for facts in deployments.dockerfiles.values():
        found.extend(
            Risk(kind="unpinned", message=f"{facts.path}: {problem}", place=f"{facts.path}:{problem.split(':')[0][5:]}")
            for problem in facts.problems
            if "not pinned" in problem
        )
    return tuple(found[:MAX_RISKS])


def _first(module: Module) -> str | None:
    return f"{module.manifests[0]}:1" if module.manifests else None


def _secrets(tree: Tree) -> Iterator[Risk]:
    """Look at files whose names tell that they may hold secrets, at most `MAX_LOOKED_AT`."""
    looked_at = 0
    for folder, listing in tree.folders.items():
        if folder and any(part.lower() in NEVER_MODULES for part in folder.split("/")):
            continue
        for name in listing.files:
            if looked_at >= MAX_LOOKED_AT:
                return
            if not _CONFIGURATION.fullmatch(name) and not (
                ("." in name or "_" in name) and _SECRET_FILES.fullmatch(name)
            ):
                continue
            path = join(folder, name)
            if not _SAMPLES.search(name) and not tree.ignored(path):
                looked_at += 1
                yield from _secrets_of(tree, path, name)


def _secrets_of(tree: Tree, path: str, name: str) -> Iterator[Risk]:
    text = tree.source(path)
    hidden = Redactor()
    if hidden(text) == text and not name.startswith(".env"):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) < 2000 and hidden(line) != line and not _PLACEHOLDER.search(line.partition("=")[2].strip("\"' ")):
            yield Risk(kind="secret", message=f"{path} holds what looks like a credential", place=f"{path}:{number}")
            return
    if name.startswith(".env"):
        for found in _ASSIGNMENT.finditer(text):
            if looks_secret(found[1]) and not _PLACEHOLDER.search(found[2]):
                line_number = text.count("\n", 0, found.start(1)) + 1
                yield Risk(
                    kind="secret",
                    message=f"{path} sets {found[1]}, which looks like a secret",
                    place=f"{path}:{line_number}",
                )
                return


def _end_of_life(module: Module, today: date) -> Iterator[Risk]:
    family = _FAMILY.get(module.language.value or "", module.language.value or "")
    version = re.sub(r"^(?:[\^~=v]+|net(?:coreapp)?)", "", module.language_version.value or "")
    if not re.match(r"\d", version):
        return
    for series, last in END_OF_LIFE.get(family, {}).items():
        if (version == series or version.startswith(f"{series}.")) and date.fromisoformat(last) < today:
            place = next(iter(module.language_version.places), None)
            message = f"{family} {series} of {module.name} has had no security fixes since {last}"
            yield Risk(kind="end_of_life", message=message, place=place)
            return
