"""What engines and registries say, and the fault that it means.

The words were said by Docker Engine 20.10, Podman 4.3 and docker-registry 2.8 where these tests can provoke them
(test_push.py, test_token.py); those of cloud registries are from their documentation, for they cannot be had here.
"""

from __future__ import annotations

import pytest

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.image_reference import Target, tag_of, target
from container_kit.stages.push.refusals import refusal

PLACE = Target("registry.example", "team/shop", "1")


@pytest.mark.parametrize(
    ("said", "code", "retryable"),
    [
        ("unauthorized: authentication required", "push.unauthorized", False),
        ("no basic auth credentials", "push.unauthorized", False),
        ("denied: requested access to the resource is denied", "push.unauthorized", False),  # nobody has logged in
        ("denied: Quota exceeded for project", "push.quota_exceeded", False),
        ("received unexpected HTTP status: 507 Insufficient Storage", "push.quota_exceeded", False),
        ("error parsing HTTP 413 response body", "push.quota_exceeded", False),
        ("toomanyrequests: You have reached your push rate limit", "push.rate_limited", True),
        ("name unknown: The repository with name 'shop' does not exist", "push.repository_not_found", False),
        ("received unexpected HTTP status: 503 Service Unavailable", "push.registry_error", True),
        ("x509: certificate signed by unknown authority", "push.registry_untrusted", False),
        ("http: server gave HTTP response to HTTPS client", "push.registry_insecure", False),
        ("dial tcp: lookup registry.example: no such host", "push.registry_not_found", False),
        ("dial tcp 10.0.0.1:443: connect: connection refused", "push.registry_unreachable", True),
        ("net/http: request canceled (Client.Timeout exceeded)", "push.registry_unreachable", True),
        ("write tcp: connection reset by peer", "push.registry_connection_lost", True),
        ("unexpected EOF", "push.registry_connection_lost", True),
        ("something quite new", "push.refused", False),
    ],
)  # fmt: skip
def test_each_refusal_has_its_code(said: str, code: str, retryable: bool) -> None:
    fault = refusal(said, PLACE, Credentials("registry.example"), "unix:///x").fault
    assert (fault.code, fault.retryable) == (code, retryable)
    assert said in fault.evidence[0].text
    assert "{" not in fault.hint.replace('": ["', "")


@pytest.mark.parametrize("more", ["", "\nunauthorized: authentication required"], ids=["Docker", "Podman"])
def test_a_user_without_the_right_is_denied_and_one_who_showed_nothing_has_to_log_in(more: str) -> None:
    said = f"errors:\ndenied: requested access to the resource is denied{more}"
    shown = Credentials("registry.example", "ann", "hunter2-hunter2")
    assert refusal(said, PLACE, shown, "unix:///x").fault.code == "push.denied"
    assert refusal(said, PLACE, Credentials("registry.example"), "unix:///x").fault.code == "push.unauthorized"


def test_a_refused_connection_after_the_start_is_a_lost_registry() -> None:
    fault = refusal("connection refused", PLACE, Credentials("registry.example"), "unix:///x", started=True).fault
    assert fault.code == "push.registry_connection_lost"


def test_secrets_are_hidden_in_what_was_said() -> None:
    shown = Credentials("registry.example", "ann", "hunter2-hunter2")
    fault = refusal("denied: hunter2-hunter2 is no good", PLACE, shown, "unix:///x").fault
    assert "hunter2" not in fault.model_dump_json()
    assert "ann" in fault.hint


@pytest.mark.parametrize(
    ("repository", "registry", "path", "name"),
    [
        ("shop", "docker.io", "library/shop", "shop"),
        ("team/shop", "docker.io", "team/shop", "team/shop"),
        ("docker.io/team/shop", "docker.io", "team/shop", "team/shop"),
        ("index.docker.io/shop", "docker.io", "library/shop", "shop"),
        ("localhost/shop", "localhost", "shop", "localhost/shop"),
        ("host:5000/a/b_c/d.e", "host:5000", "a/b_c/d.e", "host:5000/a/b_c/d.e"),
        ("r.example/shop", "r.example", "shop", "r.example/shop"),
    ],
)
def test_names_are_read_as_docker_reads_them(repository: str, registry: str, path: str, name: str) -> None:
    place = target(repository, "1")
    assert (place.registry, place.path, place.name, place.reference) == (registry, path, name, f"{name}:1")


@pytest.mark.parametrize(
    ("repository", "tag"),
    [
        ("Shop", "1"),
        ("r.example/shop:1", "1"),
        ("r.example/shop@sha256:1", "1"),
        ("r.example/", "1"),
        ("r.example//x", "1"),
        ("-r.example/x", "1"),
        ("r.example:port/x", "1"),
        ("r.example/x", ""),
        ("r.example/x", "-1"),
        ("r.example/x", "a/b"),
        ("r.example/x", "a" * 129),
        ("r.example/x?y", "1"),
        ("r.example/x\n", "1"),
    ],
)
def test_what_is_no_name_is_a_fault(repository: str, tag: str) -> None:
    with pytest.raises(StageFailure, match=r"push\.reference_invalid"):
        target(repository, tag)


@pytest.mark.parametrize(
    ("reference", "tag"),
    [("a:1", "1"), ("a", "latest"), ("h:5/a", "latest"), ("h:5/a:2", "2"), ("a:1@sha256:x", "1")],
)
def test_the_tag_of_a_reference_is_found(reference: str, tag: str) -> None:
    assert tag_of(reference) == tag
