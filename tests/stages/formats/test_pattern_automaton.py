"""The automaton of patterns, compared with the regular expressions of Python."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_kit.stages.formats import pattern_automaton
from container_kit.stages.formats.pattern_automaton import (
    ANY,
    FOLDERS,
    NOT_SLASH,
    Assertion,
    Automaton,
    CharacterSet,
    Group,
    Piece,
    Repeat,
)

EXPRESSIONS: list[tuple[Piece, str]] = [
    ("a", "a"),
    ("b", "b"),
    ("/", "/"),
    (ANY, "."),
    (NOT_SLASH, "[^/]"),
    (CharacterSet((("a", "b"),)), "[a-b]"),
    (CharacterSet((("a", "a"),), (CharacterSet((("/", "/"),)),), negated=True), "[^a/]"),
    (Repeat(ANY), ".*"),
    (Repeat(NOT_SLASH), "[^/]*"),
    (Repeat("a"), "a*"),
    (Repeat("b", 2), "b{0,2}"),
    (FOLDERS, "(?:.*/)?"),
    (Group((("a", "b"), (), (Repeat("b"), "a"))), "(?:ab||b*a)"),
    (Assertion.START, r"\A"),
    (Assertion.END, r"\Z"),
    (Assertion.WORD_BOUNDARY, r"(?:\b)"),
    (Assertion.NOT_WORD_BOUNDARY, r"(?:(?!\b))"),
]
PATTERNS = st.lists(st.lists(st.sampled_from(EXPRESSIONS), max_size=6), min_size=1, max_size=4)
TEXTS = st.text("ab/-", max_size=8)


def matching(automaton: Automaton, text: str) -> list[int]:
    accepted = automaton.start.advance(text).accepted
    return [number for number in range(accepted.bit_length()) if accepted >> number & 1]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=6))
def test_an_automaton_matches_what_regular_expressions_match(
    patterns: list[list[tuple[Piece, str]]], texts: list[str]
) -> None:
    automaton = Automaton([piece for piece, _ in pattern] for pattern in patterns)
    expressions = [re.compile("".join(text for _, text in pattern), re.DOTALL | re.ASCII) for pattern in patterns]
    for text in texts:
        expected = [number for number, expression in enumerate(expressions) if expression.fullmatch(text)]
        assert matching(automaton, text) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(PATTERNS, TEXTS, TEXTS)
def test_a_text_can_be_read_in_parts(patterns: list[list[tuple[Piece, str]]], first: str, second: str) -> None:
    automaton = Automaton([piece for piece, _ in pattern] for pattern in patterns)
    assert automaton.start.advance(first).advance(second) is automaton.start.advance(first + second)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(PATTERNS, TEXTS, st.lists(TEXTS, min_size=1, max_size=10))
def test_a_pattern_that_cannot_be_reached_never_matches(
    patterns: list[list[tuple[Piece, str]]], start: str, rests: list[str]
) -> None:
    automaton = Automaton([piece for piece, _ in pattern] for pattern in patterns)
    last = automaton.last_reachable(range(len(patterns)))
    bound = max((last.get(node, -1) for node in automaton.start.advance(start).nodes), default=-1)
    for rest in rests:
        assert max(matching(automaton, start + rest), default=-1) <= bound


def test_patterns_that_begin_alike_share_nodes() -> None:
    one = len(Automaton([[FOLDERS, *"node_modules"]]).start.nodes)
    assert len(Automaton([[FOLDERS, *f"node_modules{number}"] for number in range(100)]).start.nodes) == one


def test_the_number_of_cached_states_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_automaton, "_MAX_CACHED", 500)
    automaton = Automaton([[Repeat(ANY), "a", *[ANY] * 12]])  # has 4096 states
    pattern = re.compile(".*a.{12}")
    for number in range(2000):
        text = f"{number:012b}".replace("0", "a") + "aab"
        assert bool(matching(automaton, text)) == bool(pattern.fullmatch(text))
        assert number % 100 or cached_states(automaton) <= 500


def cached_states(automaton: Automaton) -> int:
    seen, pending = {automaton.start}, [automaton.start]
    while pending:
        for state in pending.pop().steps.values():
            if state not in seen:
                seen.add(state)
                pending.append(state)
    return len(seen)


@pytest.mark.parametrize("pieces", [[Repeat(ANY), "a"] * 30, [Repeat(NOT_SLASH)] * 60, [FOLDERS] * 30 + ["b"]])
def test_a_state_has_at_most_the_nodes_of_the_pattern(pieces: Sequence[Piece]) -> None:
    state = Automaton([pieces]).start
    for character in "a/aab" * 40:
        state = state.advance(character)
        assert len(state.nodes) <= 3 * len(pieces) + 1
