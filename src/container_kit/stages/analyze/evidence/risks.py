"""Risks: secrets in the tree, unpinned dependencies, and language versions without support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from container_kit.stages.analyze.deployment_files.index import Deployments
from container_kit.stages.analyze.discovery import NEVER_MODULES
from container_kit.stages.artifacts.analysis import Module, Risk
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.redaction import Redactor, looks_secret
from container_kit.stages.data.end_of_life import LAST_FIXES
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.detection.module_tree import ModuleTree, join

_SAMPLES = re.compile(r"example|sample|template|dist$|defaults?$|test|ci$")
_RELEVANT = re.compile(
    r"^(?:id_(?:rsa|dsa|ecdsa|ed25519)|.*\.(?:pem|p12|pfx|jks|keystore|key)"
    r"|\.env(?:\.\w+)*|\.npmrc|\.pypirc|\.netrc|credentials(?:\.json)?|secrets?\.(?:ya?ml|json|toml)"
    r"|(?:service-?account|firebase-adminsdk)\S*\.json|settings\.py|config\.(?:py|js|ts|json|ya?ml|php)"
    r"|application\S*\.(?:properties|ya?ml)|appsettings\S*\.json|(?:docker-)?compose\S*\.ya?ml|wp-config\.php|database\.yml)$",
    re.MULTILINE,
)
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*['\"]?([^'\"\s#]{6,})", re.MULTILINE)
_PLACEHOLDER = re.compile(
    r"(?i)^(?:change|your|xxx|example|placeholder|dummy|test|secret|password|todo|<|\$|\{|none$|null$|local|dev)|\.\.\.|_here$"
)
MAX_FILES_INSPECTED = 60
MAX_RISKS = 25


def risks(
    tree: ModuleTree,
    modules: tuple[Module, ...],
    deployments: Deployments,
    unlocked: frozenset[str],
    broken: Mapping[str, str],
    today: date,
) -> tuple[Risk, ...]:
    """Return all risks: first malformed and unreadable files, then missing files that manifests name."""
    found = [
        Risk(
            kind="malformed" if problem.malformed else "unreadable",
            message=f"{problem.path} could not be read: {problem.reason}"[:300],
            place=f"{problem.path}:{problem.line}" if problem.line else problem.path,
        )
        for problem in tree.problems.values()
    ]
    found.extend(Risk(kind="missing", message=message[:300], place=place) for message, place in broken.items())
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


def _secrets(tree: ModuleTree) -> Iterator[Risk]:
    """Yield the secrets in files with suspicious names, at most `MAX_FILES_INSPECTED` files."""
    inspected = 0
    for folder, listing in tree.folders.items():
        if not _RELEVANT.search(listing.text) or any(part.lower() in NEVER_MODULES for part in folder.split("/")):
            continue
        for name in listing.files:
            if inspected >= MAX_FILES_INSPECTED:
                return
            if not _RELEVANT.fullmatch(name):
                continue
            path = join(folder, name)
            if not _SAMPLES.search(name) and not tree.ignored(path):
                inspected += 1
                yield from _secrets_of(tree, path, name)


def _secrets_of(tree: ModuleTree, path: str, name: str) -> Iterator[Risk]:
    text = tree.source(path)
    hidden = Redactor()
    if hidden(text) == text and not name.startswith(".env"):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) < 2000 and hidden(line) != line and not _PLACEHOLDER.search(line.partition("=")[2].strip("\"' ")):
            yield Risk(kind="secret", message=f"{path} contains a likely credential", place=f"{path}:{number}")
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
    name = module.language.value or ""
    language = catalog().languages.get(name)
    family = (language.end_of_life if language else None) or name
    version = re.sub(r"^(?:[\^~=v]+|net(?:coreapp)?)", "", module.language_version.value or "")
    if not re.match(r"\d", version):
        return
    for series, last in LAST_FIXES.get(family, {}).items():
        if (version == series or version.startswith(f"{series}.")) and date.fromisoformat(last) < today:
            place = next(iter(module.language_version.locations), None)
            message = f"{family} {series} of {module.name} has had no security fixes since {last}"
            yield Risk(kind="end_of_life", message=message, place=place)
            return
