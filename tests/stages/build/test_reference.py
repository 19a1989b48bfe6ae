"""Image references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_kit.stages.build.reference import complete, from_folder


@pytest.mark.parametrize(
    ("given_", "completed"),
    [
        ("app", "app:latest"),
        ("app:1.0-rc_1", "app:1.0-rc_1"),
        ("127.0.0.1:5000/team/app", "127.0.0.1:5000/team/app:latest"),
        ("Registry.Example.com/a/b__c:T", "Registry.Example.com/a/b__c:T"),
        ("[::1]:5000/a", "[::1]:5000/a:latest"),
    ],
)
def test_a_reference_gets_its_tag(given_: str, completed: str) -> None:
    assert complete(given_) == completed


@pytest.mark.parametrize(
    "text",
    ["", "App", "a b", "a:", ":1", "a:b:c", "a//b", "-a", "a:" + "t" * 129, "a" * 256, "a" * 64, "../a", "a\n", "é"],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid image name"):
        complete(text)


@given(st.text())
def test_any_folder_name_gives_a_valid_reference(name: str) -> None:
    assert complete(from_folder(name)) == from_folder(name)


def test_a_folder_name_stays_recognisable() -> None:
    assert from_folder("My Café App!") == "my-caf-app:latest"
    assert from_folder("日本") == "app:latest"
