"""Redaction of secrets in events, logs, faults and results."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.credential_formats import (
    begins_private_key,
    end_of_private_key,
    looks_secret,
    mask_formats,
    password_in,
)

__all__ = ["MASK", "PrivateKeyFilter", "Redactor", "looks_secret"]

MASK = "[redacted]"
_SHORTEST = 4
_SHORTEST_ENCODED = 8
_LONGEST_KEY = 400
"""Lines of a private key without an end marker; an RSA key of 16,384 bits has about 200."""


class Redactor:
    """Replaces known secret values, their encoded forms and well-known credential formats with `[redacted]`.

    Args:
        secrets: Values to redact. Values shorter than four characters are ignored: they occur in ordinary text.
    """

    __slots__ = ("_forms", "_pattern")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Redact these values from now on. A stage calls it after reading a secret."""
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms_of(secret)}
        if forms <= self._forms:
            return
        self._forms |= forms
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def add_variables(self, variables: Mapping[str, str]) -> None:
        """Redact the values of variables whose names look secret, and the passwords of URLs in all variables."""
        self.add(value for name, value in variables.items() if looks_secret(name))
        self.add(password for value in variables.values() if (password := password_in(value)))

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return mask_formats(text, MASK)


class PrivateKeyFilter:
    """Hides the lines of private keys in a stream of lines. A `Redactor` hides secrets on a single line."""

    __slots__ = ("_key_lines",)

    def __init__(self) -> None:
        self._key_lines = 0

    def __call__(self, line: str) -> str:
        """Return the next line of the stream, masked if it belongs to a key that began on an earlier line."""
        if self._key_lines:
            end = end_of_private_key(line)
            if end is None:
                self._key_lines = (self._key_lines + 1) % _LONGEST_KEY
                return MASK
            self._key_lines = 0
            line = MASK + line[end:]
        if begins_private_key(line):
            self._key_lines = 1
        return line


def _forms_of(secret: str) -> Iterator[str]:
    """Yield a secret, the lines of a longer one, and the forms in which programs usually print it."""
    yield secret
    yield from (line for line in map(str.strip, secret.splitlines()) if len(line) >= _SHORTEST_ENCODED)
    escaped = (quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1])
    yield from (form for form in escaped if len(form) >= _SHORTEST)
    if len(secret) >= _SHORTEST_ENCODED:
        yield from _base64_forms(secret.encode(errors="replace"))


def _base64_forms(secret: bytes) -> Iterator[str]:
    """Yield what the base64 encoding of any text with the secret contains, for each of the three alignments."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
        # The first characters depend on the bytes before the secret, the last one on those after it.
        first = (0, 2, 3)[before]
        last = len(encoded) - (1 if (before + len(secret)) % 3 else 0)
        form = encoded[first:last]
        yield form
        yield form.replace("+", "-").replace("/", "_")
