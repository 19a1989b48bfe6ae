"""Redaction of secrets in events, logs, faults and results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "[redacted]"

_SECRET_NAME = re.compile(
    r"(?i)(passw(or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credential|auth|dsn|cookie|session_?key)"
)

# Formats of well-known credentials. Only formats that are unlikely to match anything else are listed.
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
    """Return whether a variable with this name usually holds a secret."""
    return _SECRET_NAME.search(name) is not None


class Redactor:
    """Replaces known secret values and well-known credential formats with `[redacted]`.

    Args:
        secrets: Values to redact. Values shorter than four characters are ignored: they occur in ordinary text.
    """

    __slots__ = ("_known", "_pattern")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Redact these values from now on. A stage calls it after reading a secret."""
        self._known.update(secret for secret in secrets if len(secret) >= 4)
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def add_variables(self, variables: Mapping[str, str]) -> None:
        """Redact the values of variables whose names look secret."""
        self.add(value for name, value in variables.items() if looks_secret(name))

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return _SHAPES.sub(MASK, text)
