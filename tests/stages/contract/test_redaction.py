"""Redaction of secrets."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_kit.stages.contract.redaction import MASK, LineRedactor, Redactor, looks_secret


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
def test_well_known_credentials_are_hidden_wherever_they_are(secret: str) -> None:
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
def test_ordinary_text_is_left_only(text: str) -> None:
    assert Redactor()(text) == text


PLANTED = "PLANTED7731xyz"


@pytest.mark.parametrize(
    "text",
    [
        "redis://:{}@h:1/0",
        "postgres://app:pl/{}@ex@db/x",
        "mysql://root:12/{}@db/x",
        "amqp://guest:{}@mq",
        "https://{}@github.com/a/b",
        "http://h/x?password={}&y=1",
        "http://h/x?y=1&access_token={}#z",
        "Authorization: token {}",
        "authorization: Bearer {}",
        "X-Api-Key: {}",
        "DB_PASSWORD={}",
        "PGPASS = '{}'",
        '{{"password": "{}"}}',
        '{{\\"clientSecret\\": \\"{}\\"}}',
        "//registry.npmjs.org/:_authToken={}",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};EndpointSuffix=y",
        "curl -u user:{} http://x",
        "curl --user 'user:{}' http://x",
        "  password: {}",
        "export TOKEN='{}'",
    ],
)
def test_a_secret_is_hidden_wherever_its_surroundings_give_it_away(text: str) -> None:
    assert PLANTED not in Redactor()(text.format(PLANTED))


@pytest.mark.parametrize(
    "secret",
    [
        "sk_live_" + "a" * 24,
        "https://hooks.slack.com/services/T000/B000/" + "X" * 24,
        "hf_" + "a" * 30,
        "dop_v1_" + "a" * 40,
        "AGE-SECRET-KEY-1" + "A" * 30,
        "ya29." + "a" * 30,
        "123456789:" + "A" * 35,
        "hvs." + "a" * 24,
        "SG." + "a" * 22 + "." + "b" * 43,
        "Basic dXNlcjpwYXNzd29yZA==",
    ],
)
def test_formats_of_providers_are_hidden(secret: str) -> None:
    assert secret not in Redactor()(f"the value {secret} was used")


@pytest.mark.parametrize(
    "text",
    [
        "https://registry.npmjs.org/@babel/core",
        "SyntaxError: Unexpected token: x",
        "token: ${TOKEN}",
        "password: ${{ secrets.PASSWORD }}",
        "git clone ssh://git@github.com/a/b",
        "postgres://db:5432/x",
        "TOKEN_TTL=3600",
        "PUBLIC_KEY=abc123",
        "password = os.environ['X']",
        "pip install token-bucket==1.0",
        "npm warn EBADENGINE package: 'a@1.0'",
        "max_tokens=4096",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_text_about_secrets_is_left_only(text: str) -> None:
    assert Redactor()(text) == text


SECRET_NAMES = [
    "API_KEY",
    "MONGO_PASSWD",
    "DB_PASS",
    "PGPASS",
    "PGPASSWORD",
    "MYSQL_PWD",
    "SMTP_PASS",
    "SIGNING_KEY",
    "ENCRYPTION_KEY",
    "MASTER_KEY",
    "RAILS_MASTER_KEY",
    "CONNECTION_STRING",
    "SECRET_KEY_BASE",
    "JWT_SECRET",
    "AUTH_SALT",
    "PIN",
    "clientSecret",
    "APP_KEY",
    "SENTRY_DSN",
]
OTHER_NAMES = [
    "PORT",
    "HOME",
    "PUBLIC_KEY",
    "TOKEN_TTL",
    "AUTHOR",
    "KEYBOARD",
    "MONKEY",
    "PASSENGER_COUNT",
    "CACHE_KEY",
    "PASS_THROUGH",
    "COMPASS",
    "HOST",
    "PASSWORD_FILE",
    "AUTH_URL",
    "NODE_ENV",
    "PRIMARY_KEY",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_with_the_word_of_a_secret_looks_secret(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_name_without_one_does_not(name: str) -> None:
    assert not looks_secret(name)


@given(
    st.binary(min_size=0, max_size=5), st.text("abcdefgHIJKL0123!-/+?", min_size=8, max_size=40), st.binary(max_size=5)
)
def test_a_known_secret_is_hidden_in_base64_at_every_alignment(before: bytes, secret: str, after: bytes) -> None:
    """Only the characters that also depend on the neighbouring bytes may stay."""
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    hidden = Redactor([secret])(encoded)
    assert MASK in hidden
    assert len(hidden.replace(MASK, "")) <= len(base64.b64encode(before)) + len(base64.b64encode(after)) + 4


@pytest.mark.parametrize("encode", [quote, quote_plus, lambda text: json.dumps(text)[1:-1]])
def test_a_known_secret_is_hidden_in_its_escaped_forms(encode: Callable[[str], str]) -> None:
    secret = 'p@ss "word"/#1 and more'
    assert Redactor([secret])(f"x={encode(secret)}&y") == f"x={MASK}&y"


def test_each_line_of_a_secret_of_several_lines_is_hidden() -> None:
    redact = Redactor(["first-line-of-it\nsecond-line-of-it"])
    assert "line-of-it" not in redact("a second-line-of-it b")


def test_the_password_of_a_url_is_hidden_elsewhere_too() -> None:
    redact = Redactor()
    redact.add_variables({"ADDRESS": f"postgres://app:{PLANTED}@db/x"})
    assert redact(f"connecting with {PLANTED}") == f"connecting with {MASK}"


def test_every_line_of_a_private_key_in_a_stream_is_hidden() -> None:
    body = [base64.b64encode(bytes([number]) * 48).decode() for number in range(25)]
    stream = [
        "before",
        "#7 0.1 -----BEGIN OPENSSH PRIVATE KEY-----",
        *body,
        "-----END OPENSSH PRIVATE KEY----- after",
        "end",
    ]
    redact = LineRedactor(Redactor())
    hidden = [redact(line) for line in stream]
    assert (hidden[0], hidden[-1]) == ("before", "end")
    assert not any(line in "\n".join(hidden) for line in body)


@pytest.mark.parametrize(
    "piece", ["a", "=", "://", "password=", "a:b@", '"', "x.", "Bearer ", "://a:", "-u a:", "key: "]
)
def test_work_grows_no_faster_than_the_text(piece: str) -> None:
    """Four times the text takes about four times the work; a quadratic expression takes sixteen."""

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        started = time.process_time()
        Redactor()(text)
        return time.process_time() - started

    short, long = (min(seconds(length) for _ in range(3)) for length in (20_000, 80_000))
    assert long <= 10 * max(short, 0.002)


@given(st.text(min_size=4, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_known_secret_never_survives(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after).replace(MASK, "")
