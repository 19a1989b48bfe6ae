"""Which instruction made each layer of an image, and which layers came with the base image."""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from container_kit.stages.scan.remediation.lineage import Instruction, Lineage

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
    """An image's configuration (OCI image specification), as far as it tells of layers."""

    history: list[_Step] = []
    rootfs: _RootFs = Field(default_factory=_RootFs)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a layer comes from."""

    instruction: str
    """As in a Dockerfile, without the values of build arguments."""
    line: int | None = None
    """Its line in the Dockerfile; None where it came with the base image or the Dockerfile is not known."""
    from_base: bool | None = None
    """Whether it came with the base image; None where that is not known."""


def configuration(archive: Path) -> Configuration | None:
    """Read the configuration from an image's archive; None where there is none that can be read."""
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
    return file  # type: ignore[return-value] # typeshed says IO[bytes], which it is


def origins(image: Configuration, lineage: Lineage | None) -> dict[str, Origin]:
    """Say for each layer's `diff_id` where it comes from.

    Args:
        image: The image's configuration.
        lineage: Its Dockerfile's; it is not believed where the history does not follow it.
    """
    lines = _aligned(image.history, lineage.instructions) if lineage else None
    with_layer = [number for number, step in enumerate(image.history) if not step.empty_layer]
    if len(with_layer) != len(image.rootfs.diff_ids):
        return {}
    return dict(zip(image.rootfs.diff_ids, (_origin(image.history[n], n, lines) for n in with_layer), strict=True))


def _origin(step: _Step, number: int, lines: dict[int, int] | None) -> Origin:
    keyword, text = _spoken(step.created_by)
    said = f"{keyword} {text}".strip() or "imported"
    if lines is None:
        return Origin(said)
    return Origin(said, lines.get(number), from_base=number not in lines)


def _aligned(history: list[_Step], instructions: tuple[Instruction, ...]) -> dict[int, int] | None:
    """Match the history's end with the instructions, from the last backwards.

    Returns:
        From the number of a step in the history to a line; None where the two do not fit together.
    """
    lines: dict[int, int] = {}
    waiting = list(instructions)
    for number, step in reversed(list(enumerate(history))):
        keyword, text = _spoken(step.created_by)
        while waiting and waiting[-1].keyword in _TRACELESS and waiting[-1].keyword != keyword:
            waiting.pop()
        if not waiting:
            break
        if _made(waiting[-1], keyword, text):
            lines[number] = waiting.pop().line
        elif keyword != "LABEL":  # the builder adds labels of its own
            return None
    left = [instruction for instruction in waiting if instruction.keyword not in _TRACELESS]
    return None if left else lines


def _made(instruction: Instruction, keyword: str, text: str) -> bool:
    if instruction.keyword != keyword:
        return False
    if keyword != "RUN" or instruction.heredoc:
        return True
    words = " ".join(instruction.text.split())
    while words.startswith("--"):
        words = words.partition(" ")[2]
    return _letters(words) in _letters(text)


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text)


def _spoken(created_by: str) -> tuple[str, str]:
    """Turn a history entry into a keyword and its text; build arguments' values are left out."""
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
    """Leave out the build arguments that a history entry starts with: their values may be secret."""
    shortened = _ARGUMENTS.sub("", text)
    if marked := _MARKED.match(shortened):  # no shell follows them, so each is taken for one word
        return " ".join(shortened.split()[1 + int(marked.group(1)) :])
    return shortened
