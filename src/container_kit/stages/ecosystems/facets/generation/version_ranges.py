"""Which of the versions that exist does a project allow?

Projects declare a version in the words of their ecosystem: `>=3.9,<4` (PEP 440), `^20 || >=22` (npm), `~> 3.2`
(RubyGems), `^3.11` (Poetry), `8.1 - 8.3`, `3.11.4`, `v20`. Only the part that a base image's tag names is compared, so
that one small reader serves them all; an unknown form allows everything.
"""

from __future__ import annotations

from collections.abc import Sequence

from container_kit.stages.contract import expressions as re

_CLAUSE = re.compile(r"(>=|<=|~>|~=|===?|!=|>|<|\^|~)?\s*v?(\d+(?:\.(?:\d+|[xX*]))*)")
_RANGE = re.compile(r"v?(\d[\w.]*)\s+-\s+v?(\d[\w.]*)")


def allows(declared: str, candidate: str) -> bool:
    """Return whether a declared version or range allows a candidate such as `3.12` or `20`."""
    version = _numbers(candidate)
    return any(_all_hold(_RANGE.sub(r">=\1 <=\2", part), version) for part in declared.split("||"))


def preferred(declared: str | None, candidates: Sequence[str]) -> tuple[str, ...]:
    """Return the candidates that a project allows, in their order; all of them if none fits.

    Args:
        declared: As the project says it, or None.
        candidates: Versions that base images exist for, the best first.
    """
    if not declared:
        return tuple(candidates)
    allowed = tuple(candidate for candidate in candidates if allows(declared, candidate))
    return allowed or exact(declared, len(_numbers(candidates[0]))) or tuple(candidates)


def exact(declared: str, parts: int) -> tuple[str, ...]:
    """Return the one version that a declaration names without an operator, cut to so many parts."""
    plain = re.fullmatch(r"\D{0,12}?v?(\d+(?:\.\d+)*)\S*", declared.strip())
    operator = re.match(r"\s*[<>!]", declared)
    return (".".join(plain[1].split(".")[:parts]),) if plain and not operator else ()


def _all_hold(part: str, version: tuple[int, ...]) -> bool:
    return all(_holds(operator, _numbers(bound), version) for operator, bound in _CLAUSE.findall(part))


def _holds(operator: str, bound: tuple[int, ...], version: tuple[int, ...]) -> bool:
    common = min(len(bound), len(version))
    left, right = version[:common], bound[:common]
    match operator:
        case ">=":
            return left >= right
        case ">":
            return left > right or (left == right and len(bound) > common)
        case "<=":
            return left <= right
        case "<":
            return left < right or (left == right and any(bound[common:]))
        case "!=":
            return left != right or len(bound) > common
        case "^":
            return left[0] == right[0] and left >= right
        case "~>" | "~=":
            fixed = max(len(bound) - 1, 1)
            return left[:fixed] == right[:fixed] and left >= right
        case _:
            return left == right


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    return tuple(int(part) for part in match[1].split(".")) if match else (0,)
