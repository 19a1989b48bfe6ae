"""Documents that are made to take a parser forever: each is refused, or read, in about the time of reading it once."""

from __future__ import annotations

import pytest

from container_kit.stages.formats.documents import Malformed, parse_json, parse_toml

# Work that grows with the square of the size would take hours with these, and ends in the time limit.
pytestmark = pytest.mark.timeout(120)
MANY = 500_000


@pytest.mark.parametrize(
    "text",
    ['{"a": "' + '\\"' * MANY, "{" + "/*" * MANY, "{" + '"' * (MANY + 1), "[" * MANY, "{," + " ," * MANY],
    ids=["escaped quotes", "open comments", "quotes", "brackets", "commas"],
)
def test_json_without_an_end_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_json(text)


def test_json_with_comments_and_trailing_commas_is_read() -> None:
    assert parse_json('{"a": "b // c", /* d */ "e": [1, 2,],} // f') == {"a": "b // c", "e": [1, 2]}


@pytest.mark.parametrize("text", ["a." * MANY + "a = 1", "[" + "a." * MANY + "a]", "x = {" + "a." * MANY + "a = 1}"])
def test_a_toml_key_of_endless_parts_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="too many parts"):
        parse_toml(text)


def test_toml_with_many_addresses_in_a_line_is_read() -> None:
    wheels = ", ".join('{url = "https://files.example.org/a-1.0.0.whl"}' for _ in range(2000))
    assert len(parse_toml(f"wheels = [{wheels}]")["wheels"]) == 2000
