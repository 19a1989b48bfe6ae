"""Redaction of secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_kit.stages.contract.redaction import MASK, Redactor, looks_secret


@pytest.mark.parametrize(
    "secret",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "glpat-abcdefghij0123456789",
        "npm_" + "x" * 36,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_well_known_credentials_are_hidden_wherever_they_stand(secret: str) -> None:
    assert secret not in Redactor()(f"before {secret} after")


def test_a_password_in_an_address_is_hidden_and_the_host_stays() -> None:
    assert Redactor()("postgres://app:s3cret@db:5432/x") == f"postgres://{MASK}@db:5432/x"


def test_a_bearer_token_is_hidden() -> None:
    assert Redactor()("Authorization: Bearer abcdefghijklmnop123") == f"Authorization: Bearer {MASK}"


def test_values_of_secret_variables_are_hidden_and_others_stay() -> None:
    redact = Redactor()
    redact.add_variables({"DB_PASSWORD": "tiger-lily", "GREETING": "hello"})
    assert redact("hello tiger-lily") == f"hello {MASK}"


def test_a_longer_secret_is_hidden_before_one_that_it_contains() -> None:
    assert Redactor(["abcd", "abcdefgh"])("abcdefgh") == MASK


@pytest.mark.parametrize(
    "text", ["step 3/7: RUN pip install", "sha256:" + "ab" * 32, "http://127.0.0.1:8000/", "a@b.c"]
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor()(text) == text


@pytest.mark.parametrize(
    ("name", "secret"), [("API_KEY", True), ("MONGO_PASSWD", True), ("PORT", False), ("HOME", False)]
)
def test_a_name_tells_whether_a_variable_is_secret(name: str, secret: bool) -> None:
    assert looks_secret(name) is secret


@given(st.text(min_size=4, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_known_secret_never_survives(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after).replace(MASK, "")
