"""Words of a repository inside a shell command of a Dockerfile."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.questions import NAME_UNUSABLE

_NEVER = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]|<<|\\$")
"""Quotation does not help here: BuildKit splits lines, joins them and finds heredocs before any shell looks."""


def shell_word(name: str) -> str:
    """Return a name as one word of a shell command in RUN.

    Raises:
        StageFailure: `dockerfile.name_unusable`.
    """
    if _NEVER.search(name):
        raise NAME_UNUSABLE(f"{name[:80]!r} cannot be a word of a RUN instruction", what="file, package or program")
    return shlex.quote(name)


def shell_words(names: Iterable[str]) -> str:
    """Return several names, each as one word."""
    return " ".join(map(shell_word, names))
