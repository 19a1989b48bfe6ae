"""The instructions of a Dockerfile, and the arguments without which BuildKit rejects them."""

from __future__ import annotations

import difflib

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.dockerfile.instruction import Instruction

KEYWORDS = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip

_NEEDS_ARGUMENT = frozenset({
    "ARG", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
_NOT_DEFERRED = frozenset({"FROM", "MAINTAINER", "ONBUILD"})
_MAX_WORD = 40
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*", re.IGNORECASE)


def problem(instruction: Instruction, previous: Instruction | None) -> str | None:
    """Return the correction that an instruction needs; None if BuildKit accepts it.

    Flags are not checked, because each version of BuildKit has more of them.

    Args:
        instruction: The instruction.
        previous: The one before it.
    """
    keyword = instruction.keyword
    if keyword not in KEYWORDS:
        return _unknown(instruction, previous)
    if keyword in _NEEDS_ARGUMENT and not instruction.arguments:
        return f"{keyword} needs an argument"
    if keyword in {"COPY", "ADD"} and len(instruction.arguments) < 2:
        return f"{keyword} needs a source and a destination"
    if keyword in {"ENV", "LABEL"} and "" in instruction.arguments[::2]:
        return f"{keyword} needs a name before `=`"
    check = {"FROM": _from, "SHELL": _shell, "HEALTHCHECK": _healthcheck, "ONBUILD": _onbuild}.get(keyword)
    return check(instruction) if check else None


def _unknown(instruction: Instruction, previous: Instruction | None) -> str:
    word = instruction.keyword[:_MAX_WORD]
    near = difflib.get_close_matches(word, KEYWORDS, 1, 0.5)
    if near:
        return f"{word if word.isalpha() else repr(word)} is not an instruction, {near[0]} is"
    repair = f"{word!r} is not an instruction"
    if previous is not None and previous.keyword == "RUN":
        repair += "; end the line before with a backslash if it belongs to that RUN"
    return repair


def _from(instruction: Instruction) -> str | None:
    words = instruction.arguments
    if len(words) != 1 and not (len(words) == 3 and words[1].lower() == "as"):
        return "FROM takes one image, or `IMAGE AS NAME`"
    if len(words) == 3 and not _STAGE_NAME.fullmatch(words[2]):
        return "the name of a stage begins with a letter and holds letters, digits, `-`, `_` and `.`"
    return None


def _shell(instruction: Instruction) -> str | None:
    return None if instruction.is_json and instruction.arguments else 'write SHELL as a JSON array, ["PROGRAM", "FLAG"]'


def _healthcheck(instruction: Instruction) -> str | None:
    kind, command = instruction.arguments[0].upper(), instruction.arguments[1:]
    if kind not in {"NONE", "CMD"}:
        return "write HEALTHCHECK CMD and a command, or HEALTHCHECK NONE"
    if kind == "NONE" and command:
        return "HEALTHCHECK NONE takes no argument"
    return "HEALTHCHECK CMD needs a command" if kind == "CMD" and not command else None


def _onbuild(instruction: Instruction) -> str | None:
    deferred = instruction.arguments[0].upper()
    return f"ONBUILD cannot defer {deferred}" if deferred in _NOT_DEFERRED else None
