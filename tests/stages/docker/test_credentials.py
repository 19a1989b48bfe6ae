"""Registry credentials: where they are found, and the faults of a lookup."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.credentials import Credentials, find_credentials

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("docker_config")]

HOST = "registry.example:5000"


def auth(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def shown(found: Credentials) -> tuple[str, str, str]:
    return found.username, found.password, found.identity_token


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Installs a credential helper with a script of the test's own."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    def install(name: str, script: str) -> None:
        program = tmp_path / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\nread asked\n{script}\n")
        program.chmod(0o755)

    return install


@pytest.mark.parametrize(
    ("registry", "path", "expected"),
    [
        (HOST, "", ("ann", "pass:word", "")),
        ("plain.example", "", ("bob", "secret", "")),
        ("docker.io", "library/x", ("hub", "hubword", "")),
        ("token.example", "", ("", "", "refresh")),
        ("podman.example", "team/shop", ("team", "teamword", "")),
        ("podman.example", "other/shop", ("all", "allword", "")),
        ("stored.example", "", ("", "", "")),
        ("elsewhere.example", "", ("", "", "")),
        ("registry.example", "", ("", "", "")),
    ],
)
async def test_the_most_specific_entry_of_the_registry_is_used(
    log_in: Callable[..., None], registry: str, path: str, expected: tuple[str, str, str]
) -> None:
    log_in(
        auths={
            HOST: auth("ann", "pass:word"),
            "https://plain.example/v2/": {"username": "bob", "password": "secret"},
            "https://index.docker.io/v1/": auth("hub", "hubword"),
            "token.example": {"identitytoken": "refresh"},
            "podman.example": auth("all", "allword"),
            "podman.example/team": auth("team", "teamword"),
            "stored.example": {},
        }
    )
    assert shown(await find_credentials(registry, path)) == expected


async def test_credentials_are_empty_without_a_configuration() -> None:
    assert shown(await find_credentials(HOST)) == ("", "", "")


async def test_credentials_in_the_environment_are_used_only_for_their_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_KIT_REGISTRY", HOST)
    monkeypatch.setenv("CONTAINER_KIT_REGISTRY_USERNAME", "ann")
    monkeypatch.setenv("CONTAINER_KIT_REGISTRY_PASSWORD", "word")
    assert shown(await find_credentials(HOST)) == ("ann", "word", "")
    assert shown(await find_credentials("evil.example")) == ("", "", "")


async def test_a_configuration_in_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {HOST: auth("ci", "word")}}))
    assert shown(await find_credentials(HOST)) == ("ci", "word", "")


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"])
async def test_logins_of_podman_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "auth.json").write_text(json.dumps({"auths": {HOST: auth("pod", "word")}}))
    assert shown(await find_credentials(HOST)) == ("pod", "word", "")


ANSWER = 'printf \'{"ServerURL":"%s","Username":"ann","Secret":"word"}\' "$asked"'


@pytest.mark.parametrize("more", [{"credHelpers": {HOST: "own"}}, {"credsStore": "own"}])
async def test_a_configured_helper_takes_precedence_over_the_file(
    helper: Callable[[str, str], None], log_in: Callable[..., None], more: dict[str, Any]
) -> None:
    helper("own", ANSWER)
    log_in(HOST, "file", "file", **more)
    assert shown(await find_credentials(HOST)) == ("ann", "word", "")


async def test_a_helper_can_return_an_identity_token(
    helper: Callable[[str, str], None], log_in: Callable[..., None]
) -> None:
    helper("own", """printf '{"ServerURL":"%s","Username":"<token>","Secret":"refresh"}' "$asked" """)
    log_in(credsStore="own")
    assert shown(await find_credentials(HOST)) == ("", "", "refresh")


async def test_a_helper_receives_the_old_address_of_docker_hub(
    helper: Callable[[str, str], None], log_in: Callable[..., None]
) -> None:
    helper("own", """[ "$asked" = https://index.docker.io/v1/ ] && """ + ANSWER)
    log_in(credsStore="own")
    assert shown(await find_credentials("docker.io", "team/x")) == ("ann", "word", "")


async def test_the_file_is_read_if_the_helper_has_no_credentials(
    helper: Callable[[str, str], None], log_in: Callable[..., None]
) -> None:
    helper("own", "echo credentials not found in native keychain; exit 1")
    log_in(HOST, "file", "word", credsStore="own")
    assert shown(await find_credentials(HOST)) == ("file", "word", "")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("echo locked >&2; exit 1", "registry.credential_helper_failed"),
        ("echo junk", "registry.credential_helper_failed"),
        (ANSWER.replace("%s", "evil.example"), "registry.credentials_mismatch"),
    ],
)
async def test_a_helper_that_cannot_be_trusted_is_a_fault(
    helper: Callable[[str, str], None], log_in: Callable[..., None], script: str, code: str
) -> None:
    helper("own", script)
    log_in(credHelpers={HOST: "own"})
    with pytest.raises(StageFailure) as failed:
        await find_credentials(HOST)
    assert failed.value.fault.code == code
    assert "word" not in failed.value.fault.model_dump_json()


async def test_a_helper_that_hangs_is_a_fault(
    helper: Callable[[str, str], None], log_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_kit.stages.docker.credentials._HELPER_TIMEOUT", 0.2)
    helper("own", "exec sleep 60")
    log_in(credsStore="own")
    with pytest.raises(StageFailure, match="did not answer"):
        await find_credentials(HOST)


@pytest.mark.parametrize("name", ["missing", "../../bin/sh", "a b"])
async def test_a_helper_that_is_not_installed_is_a_fault(log_in: Callable[..., None], name: str) -> None:
    log_in(credsStore=name)
    with pytest.raises(StageFailure, match="is not installed"):
        await find_credentials(HOST)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": {"x": "planted-secret"}}', json.dumps({"auths": {HOST: {"auth": "%%%"}}})]
)
async def test_an_invalid_configuration_is_a_fault_that_does_not_quote_it(docker_config: Path, text: str) -> None:
    (docker_config / "config.json").write_text(text)
    with pytest.raises(StageFailure) as failed:
        await find_credentials(HOST)
    assert failed.value.fault.code == "registry.credentials_unreadable"
    assert "planted-secret" not in failed.value.fault.model_dump_json()
    assert str(docker_config) in failed.value.fault.hint


def test_secrets_stay_out_of_repr() -> None:
    assert "word" not in repr(Credentials(HOST, "ann", "word", "word"))
