"""The origin of each layer of an image: the instruction that created it, or the base image."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.dockerfile import Instruction
from container_kit.stages.scan.remediation.lineage import Lineage

# Instructions that may leave no trace in the history, by builder and version.
_TRACELESS = frozenset({"ARG", "ONBUILD", "MAINTAINER", "STOPSIGNAL", "SHELL", "LABEL", "WORKDIR"})
_KEYWORDS = _TRACELESS | {"ADD", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "RUN", "USER", "VOLUME"}
_CLASSIC = re.compile(r"^/bin/sh -c #\(nop\)\s+")
_SHELL_CALL = r"/\S+ (?:-\S+ (?:\w+ )?)*?-c "
_SHELL = re.compile(f"^{_SHELL_CALL}")
_ARGUMENTS = re.compile(rf"^\|\d+ .*?(?={_SHELL_CALL})", re.DOTALL)
_MARKED = re.compile(r"^\|(\d+) ")


class _Step(BaseModel):
    created_by: str = ""
    empty_layer: bool = False


class _RootFs(BaseModel):
    diff_ids: list[str] = []


class Configuration(BaseModel):
    """The part of an image's configuration (OCI image specification) that concerns layers."""

    history: list[_Step] = []
    rootfs: _RootFs = Field(default_factory=_RootFs)


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a layer."""

    instruction: str
    """As in a Dockerfile, without the values of build arguments."""
    line: int | None = None
    """Its line in the Dockerfile; None if the layer belongs to the base image or the Dockerfile is unknown."""
    from_base: bool | None = None
    """Whether the layer belongs to the base image; None if that is unknown."""


def read_configuration(archive: Path) -> Configuration | None:
    """Read the configuration from an image's archive; None if it cannot be read."""
    try:
        with tarfile.open(archive) as tar:
            manifest = json.load(_member(tar, "manifest.json"))
            return Configuration.model_validate_json(_member(tar, manifest[0]["Config"]).read())
    except (OSError, tarfile.TarError, ValueError, KeyError, IndexError, TypeError, ValidationError):
        return None


def _member(tar: tarfile.TarFile, name: str) -> tarfile.ExFileObject:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file  # type: ignore[return-value] # typeshed declares IO[bytes]


def find_origins(image: Configuration, lineage: Lineage | None) -> dict[str, Origin]:
    """Find the origin of each layer, by its `diff_id`.

    Args:
        image: The image's configuration.
        lineage: The lineage of its Dockerfile. It is ignored if the image's history does not match it.
    """
    lines = _align(image.history, lineage.instructions) if lineage else None
    with_layer = [number for number, step in enumerate(image.history) if not step.empty_layer]
    if len(with_layer) != len(image.rootfs.diff_ids):
        return {}
    return dict(zip(image.rootfs.diff_ids, (_origin(image.history[n], n, lines) for n in with_layer), strict=True))


def _origin(step: _Step, number: int, lines: dict[int, int] | None) -> Origin:
    keyword, text = _parse_step(step.created_by)
    instruction = f"{keyword} {text}".strip() or "imported"
    if lines is None:
        return Origin(instruction)
    return Origin(instruction, lines.get(number), from_base=number not in lines)


def _align(history: list[_Step], instructions: tuple[Instruction, ...]) -> dict[int, int] | None:
    """Match the end of the history with the instructions, starting at the last one.

    Returns:
        The number of each matched step mapped to its line; None if the two do not match.
    """
    lines: dict[int, int] = {}
    remaining = list(instructions)
    for number, step in reversed(list(enumerate(history))):
        keyword, text = _parse_step(step.created_by)
        while remaining and remaining[-1].keyword in _TRACELESS and remaining[-1].keyword != keyword:
            remaining.pop()
        if not remaining:
            break
        if _matches(remaining[-1], keyword, text):
            lines[number] = remaining.pop().line
        elif keyword != "LABEL":  # the builder adds labels
            return None
    unmatched = [instruction for instruction in remaining if instruction.keyword not in _TRACELESS]
    return None if unmatched else lines


def _matches(instruction: Instruction, keyword: str, text: str) -> bool:
    if instruction.keyword != keyword:
        return False
    if keyword != "RUN" or instruction.heredocs:
        return True
    return _letters(instruction.text) in _letters(text)


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text)


def _parse_step(created_by: str) -> tuple[str, str]:
    """Parse a history entry to a keyword and its text, without the values of build arguments."""
    text = created_by.strip().removesuffix("# buildkit").strip()
    if _CLASSIC.match(text):
        text = _CLASSIC.sub("", text)
    elif text.partition(" ")[0] not in _KEYWORDS and text:
        text = f"RUN {text}"
    keyword, _, rest = text.partition(" ")
    if keyword.upper() != "RUN":
        return keyword.upper(), rest.strip()
    return "RUN", " ".join(_SHELL.sub("", _without_arguments(rest.strip())).split())


def _without_arguments(text: str) -> str:
    """Remove the build arguments at the start of a history entry, because their values may be secret."""
    shortened = _ARGUMENTS.sub("", text)
    if marked := _MARKED.match(shortened):  # without a shell after them, each counts as one word
        return " ".join(shortened.split()[1 + int(marked.group(1)) :])
    return shortened
