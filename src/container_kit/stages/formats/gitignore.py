"""Ignore rules as gitignore(5) defines them: fast for the plain names and suffixes that most rules are."""

from __future__ import annotations

import re
from functools import lru_cache

_CLASS = re.compile(r"\[[!^]?\]?[^\]/]*\]")


class IgnoreRules:
    """The rules of one `.gitignore`, with those of the folders above it.

    Args:
        base: The folder of the file relative to the root, with a trailing `/`, or empty for the root.
        text: The content of the file.
        above: The rules of the nearest folder above that has any.
    """

    __slots__ = ("_above", "_any", "_base", "_names", "_patterns", "_suffixes")

    def __init__(self, base: str, text: str, above: IgnoreRules | None = None) -> None:
        self._base = base
        self._above = above
        self._names, self._suffixes, self._patterns, self._any = _parsed(text)

    def ignores(self, path: str, name: str, *, folder: bool) -> bool:
        """Tell whether a path (relative to the root, its last part being `name`) is ignored; the last rule decides."""
        mine = self._verdict(path, name, folder)
        if mine is not None:
            return mine
        return self._above is not None and self._above.ignores(path, name, folder=folder)

    def _verdict(self, path: str, name: str, folder: bool) -> bool | None:
        relative = path[len(self._base) :]
        if self._any is not None and (self._any.fullmatch(name) or self._any.fullmatch(relative)):
            for pattern, anchored, only_folders, ignored in reversed(self._patterns):
                if (folder or not only_folders) and pattern.fullmatch(relative if anchored else name):
                    return ignored
        if name in self._names or (folder and name + "/" in self._names):
            return True
        if self._suffixes and "." in name and name[name.rindex(".") :] in self._suffixes:
            return True
        return None


_Pattern = tuple[re.Pattern[str], bool, bool, bool]
"""The expression; whether it is anchored, for folders only, and whether it ignores or re-includes."""


@lru_cache(maxsize=512)
def _parsed(
    text: str,
) -> tuple[frozenset[str], frozenset[str], tuple[_Pattern, ...], re.Pattern[str] | None]:
    """Split rules into plain names (`name`, `name/`), suffixes (`.log`), patterns in order, and one for any of these.

    Once a file re-includes anything, order matters, so all its rules become patterns.
    """
    lines = [line.rstrip() for line in text.splitlines()[:2000]]
    rules = [line for line in lines if line and not line.startswith("#") and len(line) < 300]
    ordered = any(rule.startswith("!") for rule in rules)
    names: set[str] = set()
    suffixes: set[str] = set()
    patterns: list[_Pattern] = []
    for rule in rules:
        if not ordered and re.fullmatch(r"[\w.@ -]+/?", rule):
            names.add(rule)
        elif not ordered and re.fullmatch(r"\*\.\w+", rule):
            suffixes.add(rule[1:])
        elif (pattern := _pattern(rule)) is not None:
            patterns.append(pattern)
    whole = re.compile("|".join(pattern[0].pattern for pattern in patterns), re.DOTALL) if patterns else None
    return frozenset(names), frozenset(suffixes), tuple(patterns), whole


def _pattern(rule: str) -> _Pattern | None:
    ignored = not rule.startswith("!")
    rule = rule[0 if ignored else 1 :].removeprefix("\\")
    only_folders = rule.endswith("/")
    rule = rule.rstrip("/")
    anchored = "/" in rule
    rule = rule.lstrip("/")
    try:
        return re.compile(_expression(rule), re.DOTALL), anchored, only_folders, ignored
    except re.error:
        return None  # a rule that git would not understand either


def _expression(rule: str) -> str:
    parts: list[str] = []
    at = 0
    while at < len(rule):
        if rule.startswith("**/", at):
            parts.append("(?:[^/]+/)*")
            at += 3
        elif rule.startswith("**", at):
            parts.append(".*")
            at += 2
        elif rule[at] == "*":
            parts.append("[^/]*")
            at += 1
        elif rule[at] == "?":
            parts.append("[^/]")
            at += 1
        elif found := _CLASS.match(rule, at):
            parts.append(found[0].replace("[!", "[^", 1).replace("\\", "\\\\"))
            at = found.end()
        else:
            parts.append(re.escape(rule[at]))
            at += 1
    return "".join(parts)
