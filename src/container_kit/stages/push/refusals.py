"""What an engine or a registry says when a push fails, and the fault that it means."""

from __future__ import annotations

import re

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.image_reference import Target

UNAUTHORIZED = FaultCode(
    "push.unauthorized",
    means="The registry wants credentials, and got none or wrong ones.",
    hint="Run `docker login {registry}` on this machine (found: {found}), or set CONTAINER_KIT_REGISTRY, "
    "CONTAINER_KIT_REGISTRY_USERNAME and CONTAINER_KIT_REGISTRY_PASSWORD in the server's environment.",
)
DENIED = FaultCode(
    "push.denied",
    means="The registry knows the user, who may not push to this repository.",
    hint="Have {user} be given the right to push to {repository}, or push below a path of their own.",
)
QUOTA_EXCEEDED = FaultCode(
    "push.quota_exceeded",
    means="The registry has no room: a quota, its disk or its limit for one layer is used up.",
    hint="Delete old tags of {repository}, raise the quota at {registry}, or push a smaller image.",
)
RATE_LIMITED = FaultCode(
    "push.rate_limited",
    means="The registry answers no more for now, for there were too many requests.",
    hint="Wait, then push again; what {registry} already has is not sent again.",
    retryable=True,
)
REGISTRY_NOT_FOUND = FaultCode(
    "push.registry_not_found",
    means="The registry's name leads to no address.",
    hint="Correct the registry's name {registry!r} in the repository, or the name server that the engine uses.",
)
REGISTRY_UNREACHABLE = FaultCode(
    "push.registry_unreachable",
    means="Nobody answers at the registry's address.",
    hint="Start the registry at {registry}, or look at the network and proxy between it and the engine at {host}.",
    retryable=True,
)
REGISTRY_INSECURE = FaultCode(
    "push.registry_insecure",
    means="The registry speaks plain HTTP, and the engine wants HTTPS.",
    hint='Give the registry a certificate, or add "insecure-registries": ["{registry}"] to the engine\'s daemon.json '
    "and restart it; with Podman, a [[registry]] with insecure = true in registries.conf.",
)
REGISTRY_UNTRUSTED = FaultCode(
    "push.registry_untrusted",
    means="The registry's certificate is not one that the engine trusts.",
    hint="Put the certificate of its authority into /etc/docker/certs.d/{registry}/ca.crt on the engine's machine.",
)
REGISTRY_CONNECTION_LOST = FaultCode(
    "push.registry_connection_lost",
    means="The registry stopped answering in the middle of the push.",
    hint="Push again when {registry} answers; the layers that it already has are not sent again.",
    retryable=True,
)
REPOSITORY_NOT_FOUND = FaultCode(
    "push.repository_not_found",
    means="The registry makes no repositories by itself, and this one is not there.",
    hint="Create the repository {repository} at {registry} first.",
)
REGISTRY_ERROR = FaultCode(
    "push.registry_error",
    means="The registry failed (a status of 500 or above).",
    hint="Push again; if it keeps failing, the log of {registry} says why.",
    retryable=True,
)
REFUSED = FaultCode(
    "push.refused",
    means="The registry or the engine refused the push for a reason that has no code of its own.",
    hint="The words of {registry} are in the evidence.",
)
IMAGE_NOT_FOUND = FaultCode(
    "image.not_found",
    means="The image to push is not in the engine.",
    hint="Build {image} first, or load it into the engine at {host}.",
)
FAULTS = (
    UNAUTHORIZED,
    DENIED,
    QUOTA_EXCEEDED,
    RATE_LIMITED,
    REGISTRY_NOT_FOUND,
    REGISTRY_UNREACHABLE,
    REGISTRY_INSECURE,
    REGISTRY_UNTRUSTED,
    REGISTRY_CONNECTION_LOST,
    REPOSITORY_NOT_FOUND,
    REGISTRY_ERROR,
    REFUSED,
    IMAGE_NOT_FOUND,
)

# The first that matches counts: a quota, for example, is often told as a denial.
_SIGNS: tuple[tuple[str, FaultCode], ...] = (
    (r"quota|insufficient.storage|no space left|\b507\b|\b413\b|too large|limit exceeded", QUOTA_EXCEEDED),
    (r"toomanyrequests|too many requests|\b429\b|rate limit", RATE_LIMITED),
    (r"http response to https client|first record does not look like a tls", REGISTRY_INSECURE),
    (r"x509:|certificate|tls: ", REGISTRY_UNTRUSTED),
    (r"name_unknown|name unknown|repository .*(?:not found|does not exist)", REPOSITORY_NOT_FOUND),
    (r"denied: requested access[^:]*unauthorized: authentication required", DENIED),  # both, of who lacks the right
    (r"no basic auth credentials|unauthorized|authentication required|\b401\b|incorrect username", UNAUTHORIZED),
    (r"denied|insufficient_scope|forbidden|\b403\b", DENIED),
    (r"no such host|name resolution|server misbehaving|name or service not known", REGISTRY_NOT_FOUND),
    (
        r"connection refused|i/o timeout|no route to host|network is unreachable|deadline exceeded|client\.timeout",
        REGISTRY_UNREACHABLE,
    ),
    (r"connection reset|broken pipe|\beof\b|blob upload (?:unknown|invalid)|use of closed network", REGISTRY_CONNECTION_LOST),
    (r"\b5\d\d\b|internal server error|bad gateway|service unavailable|unknown: unknown error", REGISTRY_ERROR),
)


def refusal(
    said: str, target: Target, credentials: Credentials, engine_host: str, *, started: bool = False
) -> StageFailure:
    """Make a fault of what was said.

    Args:
        said: The engine's or the registry's words; secrets in them are hidden.
        target: Where the push went.
        credentials: What was shown.
        engine_host: The engine's address.
        started: Whether layers were on their way already: then an address that does not answer is one that was lost.
    """
    said = Redactor(credentials.secrets)(said)
    code = next((code for sign, code in _SIGNS if re.search(sign, said, re.IGNORECASE)), REFUSED)
    if code is REGISTRY_UNREACHABLE and started:
        code = REGISTRY_CONNECTION_LOST
    elif code is DENIED and not credentials.secrets:
        code = UNAUTHORIZED  # who showed nothing has not been judged
    return code(
        f"{target.reference}: {' '.join(said.split())[:300]}",
        evidence=[Evidence(kind="value", text=said[:2000], where=target.registry)],
        next_actions=_actions(code, target),
        registry=target.registry,
        repository=target.name,
        user=credentials.username or "the anonymous user",
        found=f"credentials from {credentials.source}" if credentials.secrets else "no credentials",
        host=engine_host,
        image=target.reference,
    )


def _actions(code: FaultCode, target: Target) -> list[NextAction]:
    if code is UNAUTHORIZED:
        return [NextAction(why=f"Run `docker login {target.registry}` on this machine first; then push again.")]
    if code.retryable:
        return [NextAction(why="Push again: the same call may succeed, and layers that arrived are not sent again.")]
    return []
