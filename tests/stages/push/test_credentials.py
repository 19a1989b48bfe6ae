"""Where credentials are found, and the faults of looking."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.credentials import Credentials, find

pytestmark = pytest.mark.anyio

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
async def test_the_entry_of_this_very_registry_is_used(
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
    assert shown(await find(registry, path)) == expected


async def test_nothing_configured_is_anonymous() -> None:
    assert shown(await find(HOST)) == ("", "", "")


async def test_the_environment_speaks_for_its_own_registry_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_KIT_REGISTRY", HOST)
    monkeypatch.setenv("CONTAINER_KIT_REGISTRY_USERNAME", "ann")
    monkeypatch.setenv("CONTAINER_KIT_REGISTRY_PASSWORD", "word")
    assert shown(await find(HOST)) == ("ann", "word", "")
    assert shown(await find("evil.example")) == ("", "", "")


async def test_the_text_of_a_configuration_in_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {HOST: auth("ci", "word")}}))
    assert shown(await find(HOST)) == ("ci", "word", "")


async def test_podmans_file_counts(docker_config: Path) -> None:
    (docker_config / "containers").mkdir()
    (docker_config / "containers" / "auth.json").write_text(json.dumps({"auths": {HOST: auth("pod", "word")}}))
    assert shown(await find(HOST)) == ("pod", "word", "")


ANSWER = 'printf \'{"ServerURL":"%s","Username":"ann","Secret":"word"}\' "$asked"'


@pytest.mark.parametrize("more", [{"credHelpers": {HOST: "own"}}, {"credsStore": "own"}])
async def test_a_helper_is_asked(
    helper: Callable[[str, str], None], log_in: Callable[..., None], more: dict[str, Any]
) -> None:
    helper("own", ANSWER)
    log_in(HOST, "file", "file", **more)
    assert shown(await find(HOST)) == ("ann", "word", "")


async def test_a_helper_may_give_an_identity_token(
    helper: Callable[[str, str], None], log_in: Callable[..., None]
) -> None:
    helper("own", """printf '{"ServerURL":"%s","Username":"<token>","Secret":"refresh"}' "$asked" """)
    log_in(credsStore="own")
    assert shown(await find(HOST)) == ("", "", "refresh")


async def test_docker_hub_is_asked_for_by_its_old_name(
    helper: Callable[[str, str], None], log_in: Callable[..., None]
) -> None:
    helper("own", """[ "$asked" = https://index.docker.io/v1/ ] && """ + ANSWER)
    log_in(credsStore="own")
    assert shown(await find("docker.io", "team/x")) == ("ann", "word", "")


async def test_a_helper_without_an_answer_leaves_it_to_the_file(
    helper: Callable[[str, str], None], log_in: Callable[..., None]
) -> None:
    helper("own", "echo credentials not found in native keychain; exit 1")
    log_in(HOST, "file", "word", credsStore="own")
    assert shown(await find(HOST)) == ("file", "word", "")


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
        await find(HOST)
    assert failed.value.fault.code == code
    assert "word" not in failed.value.fault.model_dump_json()


async def test_a_helper_that_hangs_is_a_fault(
    helper: Callable[[str, str], None], log_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_kit.stages.docker.credentials._HELPER_WITHIN", 0.2)
    helper("own", "exec sleep 60")
    log_in(credsStore="own")
    with pytest.raises(StageFailure, match="gave no answer"):
        await find(HOST)


@pytest.mark.parametrize("name", ["missing", "../../bin/sh", "a b"])
async def test_a_helper_that_is_not_there_is_a_fault(log_in: Callable[..., None], name: str) -> None:
    log_in(credsStore=name)
    with pytest.raises(StageFailure, match="is not installed"):
        await find(HOST)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": {"x": "planted-secret"}}', json.dumps({"auths": {HOST: {"auth": "%%%"}}})]
)
async def test_a_configuration_that_makes_no_sense_is_a_fault_that_quotes_nothing(
    docker_config: Path, text: str
) -> None:
    (docker_config / "config.json").write_text(text)
    with pytest.raises(StageFailure) as failed:
        await find(HOST)
    assert failed.value.fault.code == "registry.credentials_unreadable"
    assert "planted-secret" not in failed.value.fault.model_dump_json()
    assert str(docker_config) in failed.value.fault.hint


def test_secrets_stay_out_of_repr() -> None:
    assert "word" not in repr(Credentials(HOST, "ann", "word", "word"))
