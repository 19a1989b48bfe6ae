"""Redaction: secrets never appear in events, logs, faults or results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "[redacted]"

_SECRET_NAME = re.compile(
    r"(?i)(passw(or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credential|auth|dsn|cookie|session_?key)"
)

# Anchored shapes of well-known credentials; a shape is here only if it is unlikely to be anything else.
_SHAPES = re.compile(
    r"""
    (?P<pem>-----BEGIN\ [A-Z ]*PRIVATE\ KEY-----[\s\S]*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z))
    | (?<=://)(?P<userinfo>[^/\s:@]+:[^/\s@]+)(?=@)
    | \b(?P<aws>(?:AKIA|ASIA)[0-9A-Z]{16})\b
    | \b(?P<github>gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})\b
    | \b(?P<gitlab>glpat-[A-Za-z0-9_-]{20,})\b
    | \b(?P<slack>xox[abprs]-[A-Za-z0-9-]{10,})\b
    | \b(?P<openai>sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,})\b
    | \b(?P<npm>npm_[A-Za-z0-9]{36})\b
    | \b(?P<pypi>pypi-[A-Za-z0-9_-]{50,})\b
    | \b(?P<google>AIza[0-9A-Za-z_-]{35})\b
    | \b(?P<jwt>eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})
    | (?i:(?<=bearer\ ))(?P<bearer>[A-Za-z0-9._~+/-]{16,}=*)
    """,
    re.VERBOSE,
)


def looks_secret(name: str) -> bool:
    """Tell whether a variable of this name usually holds a secret."""
    return _SECRET_NAME.search(name) is not None


class Redactor:
    """Replaces known secret values and the shapes of well-known credentials by `[redacted]`.

    Args:
        secrets: Values to hide; those under four characters are left alone, for they would blank ordinary text.
    """

    __slots__ = ("_known", "_pattern")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Hide these values from now on; a stage calls it when it has read a secret."""
        self._known.update(secret for secret in secrets if len(secret) >= 4)
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def learn_variables(self, variables: Mapping[str, str]) -> None:
        """Hide the values of those variables whose names look secret."""
        self.learn(value for name, value in variables.items() if looks_secret(name))

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return _SHAPES.sub(MASK, text)
