"""Matching of many patterns at the same time, without backtracking.

All patterns form one nondeterministic automaton; patterns that begin alike share nodes. The deterministic automaton is
built while texts are read: a state is the set of nodes that the text so far leads to, and each step of a state is
computed once. A step inspects each node of a state at most once, and a pattern has a number of nodes proportional to
its length. The work is therefore at most the length of the pattern times the length of the text, for any pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

_MAX_CACHED = 50_000
"""Nodes and steps of the cached states of one automaton; above it they are computed again."""


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """A set of characters.

    Args:
        ranges: Pairs of the first and the last character of a range.
        sets: Sets that belong to this set.
        negated: Whether the set has the characters that are in neither of them.
        excluded: Characters that are never in the set.
    """

    ranges: tuple[tuple[str, str], ...] = ()
    sets: tuple[CharacterSet, ...] = ()
    negated: bool = False
    excluded: str = ""

    def __contains__(self, character: str) -> bool:
        """Return whether a character is in the set."""
        if character in self.excluded:
            return False
        listed = any(low <= character <= high for low, high in self.ranges) or any(character in s for s in self.sets)
        return listed != self.negated


ANY = CharacterSet(negated=True)
NOT_SLASH = CharacterSet(negated=True, excluded="/")


class Assertion(Enum):
    """A condition on the place between two characters."""

    START = auto()
    END = auto()
    WORD_BOUNDARY = auto()
    NOT_WORD_BOUNDARY = auto()


class Repeat(NamedTuple):
    """A piece that may occur several times, or not at all."""

    piece: str | CharacterSet
    maximum: int | None = None


class Group(NamedTuple):
    """Alternatives."""

    alternatives: tuple[tuple[Piece, ...], ...]


Piece = str | CharacterSet | Assertion | Repeat | Group
"""A part of a pattern; a `str` is one character."""

FOLDERS = Group(((), (Repeat(ANY), "/")))
"""Any number of folders, each with its slash."""


class _Context(Enum):
    """What is at one side of a place in the text."""

    EDGE = auto()
    WORD = auto()
    OTHER = auto()


class Node:
    """A place in patterns, with the pieces that continue from there."""

    __slots__ = ("_successors", "accepts", "checks", "jumps", "literals", "sets")

    def __init__(self) -> None:
        self.literals: dict[str, Node] = {}
        self.sets: tuple[tuple[CharacterSet, Node], ...] = ()
        self.jumps: tuple[Node, ...] = ()
        self.checks: tuple[tuple[Assertion, Node], ...] = ()
        self.accepts: tuple[int, ...] = ()
        """The numbers of the patterns that end here."""
        self._successors: dict[Piece, Node] | None = None

    def then(self, piece: Piece) -> Node:
        """Return the node after a piece, the same one for the same piece."""
        if isinstance(piece, str):
            node = self.literals.get(piece)
            if node is None:
                node = self.literals[piece] = Node()
            return node
        if self._successors is None:
            self._successors = {}
        node = self._successors.get(piece)
        if node is None:
            node = self._successors[piece] = self._append(piece)
        return node

    def neighbours(self) -> Iterable[Node]:
        """Return all nodes that one step leads to."""
        yield from self.literals.values()
        yield from (node for _, node in self.sets)
        yield from (node for _, node in self.checks)
        yield from self.jumps

    def _append(self, piece: CharacterSet | Assertion | Repeat | Group) -> Node:
        node = Node()
        if isinstance(piece, CharacterSet):
            self.sets += ((piece, node),)
        elif isinstance(piece, Assertion):
            self.checks += ((piece, node),)
        elif isinstance(piece, Repeat):
            self._repeat(piece, node)
        else:
            for alternative in piece.alternatives:
                self.extend(alternative).jumps += (node,)
        return node

    def _repeat(self, repeat: Repeat, after: Node) -> None:
        self.jumps += (after,)
        if repeat.maximum is None:
            piece = repeat.piece
            after.sets = ((piece if isinstance(piece, CharacterSet) else CharacterSet(((piece, piece),)), after),)
            return
        node = self
        for _ in range(repeat.maximum):
            node = node.then(repeat.piece)
            node.jumps += (after,)

    def extend(self, pieces: Iterable[Piece]) -> Node:
        """Return the node after several pieces."""
        node = self
        for piece in pieces:
            node = node.then(piece)
        return node


class State:
    """The nodes that a text leads to."""

    __slots__ = ("_automaton", "_before", "accepted", "nodes", "steps")

    def __init__(self, automaton: Automaton, nodes: frozenset[Node], before: _Context) -> None:
        self._automaton = automaton
        self._before = before
        self.nodes = nodes
        self.steps: dict[str, State] = {}
        self.accepted = 0
        """The patterns that match the text so far, a bit for each."""
        for node in self._open(_Context.EDGE):
            for pattern in node.accepts:
                self.accepted |= 1 << pattern

    def advance(self, text: str) -> State:
        """Return the state after more text."""
        state = self
        for character in text:
            state = state.steps.get(character) or state._step(character)
        return state

    def _step(self, character: str) -> State:
        automaton = self._automaton
        after = automaton.context(character)
        nodes = set()
        for node in self._open(after):
            if character in node.literals:
                nodes.add(node.literals[character])
            nodes.update(target for characters, target in node.sets if character in characters)
        state = automaton.state(_closure(nodes, None), after)
        self.steps[character] = state
        return state

    def _open(self, after: _Context) -> Iterable[Node]:
        """Return the nodes with those behind the assertions that hold here."""
        if not any(node.checks for node in self.nodes):
            return self.nodes
        return _closure(self.nodes, (self._before, after))


class Automaton:
    """An automaton for several patterns.

    Args:
        patterns: The pieces of each pattern. A pattern matches a text as a whole.
    """

    def __init__(self, patterns: Iterable[Sequence[Piece]]) -> None:
        self._root = Node()
        self._states: dict[tuple[frozenset[Node], _Context], State] = {}
        self._cached = 0
        for number, pieces in enumerate(patterns):
            self._root.extend(pieces).accepts += (number,)
        self._nodes = _reachable(self._root)
        self._has_checks = any(node.checks for node in self._nodes)
        self.start = State(self, _closure({self._root}, None), _Context.EDGE)

    def context(self, character: str) -> _Context:
        """Return what assertions can know of a character."""
        if not self._has_checks:
            return _Context.EDGE
        return _Context.WORD if character.isascii() and (character.isalnum() or character == "_") else _Context.OTHER

    def state(self, nodes: frozenset[Node], before: _Context) -> State:
        """Return the state of a set of nodes. The number of states in memory is bounded."""
        state = self._states.get((nodes, before))
        if state is None:
            state = self._states[nodes, before] = State(self, nodes, before)
            self._cached += len(nodes)
        self._cached += 1
        if self._cached > _MAX_CACHED:
            states, self._states, self._cached = self._states, {}, 0
            for cached in (self.start, *states.values()):
                cached.steps = {}
        return state

    def last_reachable(self, patterns: Iterable[int]) -> dict[Node, int]:
        """Return for each node the last of some patterns that can still match; nodes of none are left out."""
        sources: dict[Node, list[Node]] = {}
        ends: dict[int, list[Node]] = {}
        for node in self._nodes:
            for target in node.neighbours():
                sources.setdefault(target, []).append(node)
            for pattern in node.accepts:
                ends.setdefault(pattern, []).append(node)
        last: dict[Node, int] = {}
        for pattern in sorted(patterns, reverse=True):
            pending = ends[pattern]
            while pending:
                node = pending.pop()
                if node not in last:
                    last[node] = pattern
                    pending.extend(sources.get(node, ()))
        return last


def _closure(nodes: Iterable[Node], around: tuple[_Context, _Context] | None) -> frozenset[Node]:
    """Add the nodes that are reached without a character, and leave out those that only lead to others."""
    seen = set(nodes)
    pending = list(seen)
    while pending:
        node = pending.pop()
        targets = node.jumps
        if around is not None and node.checks:
            targets += tuple(target for assertion, target in node.checks if _holds(assertion, *around))
        for target in targets:
            if target not in seen:
                seen.add(target)
                pending.append(target)
    return frozenset(node for node in seen if node.literals or node.sets or node.checks or node.accepts)


def _holds(assertion: Assertion, before: _Context, after: _Context) -> bool:
    if assertion is Assertion.START:
        return before is _Context.EDGE
    if assertion is Assertion.END:
        return after is _Context.EDGE
    boundary = (before is _Context.WORD) != (after is _Context.WORD)
    return boundary if assertion is Assertion.WORD_BOUNDARY else not boundary


def _reachable(root: Node) -> list[Node]:
    seen, pending = {root}, [root]
    for node in pending:
        for target in node.neighbours():
            if target not in seen:
                seen.add(target)
                pending.append(target)
    return pending
