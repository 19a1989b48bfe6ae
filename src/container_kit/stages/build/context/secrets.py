"""Credentials in files of the build context that would become part of the image."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from container_kit.stages.build.context.build_context import walk
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.credential_formats import begins_private_key, looks_secret
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.formats.dockerfile import BuildStage, ParsedDockerfile

if TYPE_CHECKING:
    from container_kit.stages.build.inputs import Inputs

SECRETS_IN_CONTEXT = FaultCode(
    "secrets.in_context",
    means="A file with a credential would become part of the image.",
    hint="Exclude {files} in .dockerignore; give the value when the container starts (env_file), or as a build secret.",
)

_CANDIDATE = re.compile(
    r"(?:^|/)(?:\.env(?:\.[\w-]{1,40}){0,3}|[\w-]{1,40}\.env|\.envrc|\.netrc|\.npmrc|\.yarnrc\.yml|\.pypirc|\.pgpass"
    r"|\.git-credentials|\.dockercfg|\.dockerconfigjson|\.s3cfg|\.boto|\.my\.cnf|\.terraformrc|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|[^/]{1,100}\.(?:pem|key|ppk|p8)|credentials(?:\.json|\.ya?ml)?|kubeconfig|auth\.json|secrets?\.(?:json|ya?ml|toml|env)"
    r"|service[-_]?account[^/]{0,40}\.json|[^/]{0,60}-firebase-adminsdk-[^/]{0,40}\.json|terraform\.tfvars|[^/]{1,60}\.tfstate)$"
)
_EXAMPLE = re.compile(
    r"(?:^|[./_-])(?:example|sample|template|dist|tests?|__tests__|spec|fixtures?|testdata|mocks?|docs?|node_modules|vendor|\.git)(?:[./_-]|$)"
)
_PLACEHOLDER = re.compile(
    r"(?i)^(?:|<[^>]{0,80}>|\$\{?\w{1,80}\}?|x{3,80}|\*{3,80}|\.{3,80}|change[-_ ]?me\S{0,20}"
    r"|(?:your|my|some|the|insert|add|replace)[-_ ]?\S{0,60}|todo|none|null|true|false|dev|test|secret|password"
    r"|postgres|root|admin|(?:example|dummy|placeholder|insecure)\S{0,60}|\S{0,40}localhost\S{0,80})$"
)
_ASSIGNMENT = re.compile(
    r"^\s{0,20}(?:export )?[\"']?(?P<name>[A-Za-z][\w.-]{0,80})[\"']?\s{0,4}[=:]\s{0,4}(?P<value>[^\n]{0,500})$"
)
_TOKEN = re.compile(r"_(?:authToken|auth|password)\s{0,4}=\s{0,4}(?P<value>\S{4,500})|\bpassword (?P<netrc>\S{4,200})")
_MAX_FILES, _MAX_SIZE, _SHOWN = 50_000, 262_144, 5


def refuse_secrets(inputs: Inputs, target: str | None) -> None:
    """Refuse a build whose image would contain a credential of the context. It reads small files, and blocks.

    Raises:
        StageFailure: `secrets.in_context`.
    """
    copied = tuple(_copied(inputs.parsed, inputs.parsed.stage(target)))
    if not copied:
        return
    found = list(islice(_find(inputs, copied), _SHOWN))
    if found:
        raise _fault(inputs, found)


def _find(inputs: Inputs, copied: tuple[str, ...]) -> Iterator[tuple[str, int, str]]:
    for entry in islice(walk(inputs.context, inputs.ignore), _MAX_FILES):
        if not _CANDIDATE.search(entry.path) or _EXAMPLE.search(entry.path) or entry.link:
            continue
        if not any(_includes(source, entry.path) for source in copied) or entry.stat.st_size > _MAX_SIZE:
            continue
        line = _credential(Path(entry.full))
        if line is not None:
            yield entry.path, *line


def _includes(source: str, path: str) -> bool:
    if source in ("", "."):
        return True
    if any(character in source for character in "*?["):
        from fnmatch import fnmatchcase

        return fnmatchcase(path.split("/", 1)[0] if "/" not in source else path, source)
    return path == source or path.startswith(f"{source}/")


def _copied(parsed: ParsedDockerfile, last: BuildStage | None) -> Iterator[str]:
    """Yield the paths of the context that become part of the image, directly or from a folder of another stage."""
    for stage in parsed.chain(last) if last is not None else ():
        for copy in stage.of("COPY", "ADD"):
            yield from map(_cleaned, copy.context_sources)
            origin = parsed.source_stage(copy.flag("from") or "") if copy.flag("from") else None
            if origin is not None:
                folders = tuple(source.rstrip("/") or "/" for source in copy.sources)
                yield from _below(parsed, origin, folders)


def _below(parsed: ParsedDockerfile, origin: BuildStage, folders: tuple[str, ...]) -> Iterator[str]:
    """Yield what another stage copies from the context to one of the folders, or above them."""
    folder = "/"
    for stage in parsed.chain(origin):
        for instruction in stage.of("WORKDIR", "COPY", "ADD"):
            if instruction.keyword == "WORKDIR":
                folder = posixpath.join(folder, instruction.text.strip())
                continue
            place = posixpath.normpath(posixpath.join(folder, instruction.arguments[-1]))
            if any(place == other or place.startswith(f"{other}/") for other in folders):
                yield from map(_cleaned, instruction.context_sources)


def _cleaned(source: str) -> str:
    return posixpath.normpath("/" + source.strip("\"'")).strip("/")


def _credential(path: Path) -> tuple[int, str] | None:
    """Return the line and the kind of the first credential in a file; None if it has none."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    redact = Redactor()
    for number, line in enumerate(lines[:4000], 1):
        text = line[:2000]
        if text.lstrip().startswith(("#", ";")):
            continue
        if begins_private_key(text) or "PRIVATE KEY-----" in text:
            return number, "a private key"
        assignment, token = _ASSIGNMENT.match(text), _TOKEN.search(text)
        if assignment and looks_secret(assignment["name"]) and _is_literal(assignment["value"]):
            return number, f"a value of {assignment['name']}"
        if token and _is_literal(token["value"] or token["netrc"]):
            return number, "a token"
        if (
            redact(text) != text
            and "localhost" not in text
            and not (assignment and not _is_literal(assignment["value"]))
        ):
            return number, "a credential"
    return None


def _is_literal(value: str) -> bool:
    text = value.strip().rstrip(",").strip("\"'").strip()
    return len(text) >= 8 and not _PLACEHOLDER.match(text) and "${" not in text and "://localhost" not in text


def _fault(inputs: Inputs, found: list[tuple[str, int, str]]) -> StageFailure:
    files = ", ".join(path for path, _, _ in found)
    evidence = [
        Evidence(kind="file", text=f"{kind} would be in the image", where=f"{path}:{line}")
        for path, line, kind in found
    ]
    lines = "; ".join(f"`{path}`" for path, _, _ in found)
    edit = f"Add the lines {lines} to {inputs.ignore_path} (create it if it does not exist). Then retry the run."
    allow = NextAction(
        why="Let the files into the image, if they hold no real credential.", arguments={"allow_secrets": True}
    )
    message = f"the image would contain {found[0][2]} ({found[0][0]}:{found[0][1]})"
    return SECRETS_IN_CONTEXT(message, evidence=evidence, next_actions=[NextAction(why=edit), allow], files=files)
