"""Messages of engines and registries, and their faults.

Docker Engine 20.10, Podman 4.3 and docker-registry 2.8 sent the messages that test_push.py and test_token.py provoke.
The messages of cloud registries come from their documentation, because tests cannot reach them.
"""

from __future__ import annotations

import pytest

from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.image_reference import ImageReference
from container_kit.stages.push.failures import explain

REFERENCE = ImageReference("registry.example", "team/shop", "1")


@pytest.mark.parametrize(
    ("message", "code", "retryable"),
    [
        ("unauthorized: authentication required", "push.unauthorized", False),
        ("no basic auth credentials", "push.unauthorized", False),
        ("denied: requested access to the resource is denied", "push.unauthorized", False),  # without a login
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
        ("something new", "push.refused", False),
    ],
)  # fmt: skip
def test_each_message_has_its_code(message: str, code: str, retryable: bool) -> None:
    fault = explain(message, REFERENCE, Credentials("registry.example"), "unix:///x").fault
    assert (fault.code, fault.retryable) == (code, retryable)
    assert message in fault.evidence[0].text
    assert "{" not in fault.hint.replace('": ["', "")


@pytest.mark.parametrize("more", ["", "\nunauthorized: authentication required"], ids=["Docker", "Podman"])
def test_a_user_without_permission_is_denied_and_an_anonymous_user_has_to_log_in(more: str) -> None:
    said = f"errors:\ndenied: requested access to the resource is denied{more}"
    shown = Credentials("registry.example", "ann", "hunter2-hunter2")
    assert explain(said, REFERENCE, shown, "unix:///x").fault.code == "push.denied"
    assert explain(said, REFERENCE, Credentials("registry.example"), "unix:///x").fault.code == "push.unauthorized"


def test_a_refused_connection_during_the_push_is_a_lost_connection() -> None:
    fault = explain("connection refused", REFERENCE, Credentials("registry.example"), "unix:///x", started=True).fault
    assert fault.code == "push.registry_connection_lost"


def test_secrets_are_redacted_in_the_message() -> None:
    shown = Credentials("registry.example", "ann", "hunter2-hunter2")
    fault = explain("denied: hunter2-hunter2 is no good", REFERENCE, shown, "unix:///x").fault
    assert "hunter2" not in fault.model_dump_json()
    assert "ann" in fault.hint
