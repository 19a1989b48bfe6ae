"""Failures of a push: from the message of the engine or the registry to a fault."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.image_reference import ImageReference

UNAUTHORIZED = FaultCode(
    "push.unauthorized",
    means="The registry requires credentials, and received none or wrong ones.",
    hint="Run `docker login {registry}` on this machine (found: {found}), or set CONTAINER_KIT_REGISTRY, "
    "CONTAINER_KIT_REGISTRY_USERNAME and CONTAINER_KIT_REGISTRY_PASSWORD in the server's environment.",
)
DENIED = FaultCode(
    "push.denied",
    means="The user has no permission to push to the repository.",
    hint="Give {user} the permission to push to {repository}, or push to a repository of that user.",
)
QUOTA_EXCEEDED = FaultCode(
    "push.quota_exceeded",
    means="The registry has no space: a quota, its disk or its limit for one layer is exceeded.",
    hint="Delete old tags of {repository}, raise the quota at {registry}, or push a smaller image.",
)
RATE_LIMITED = FaultCode(
    "push.rate_limited",
    means="The registry rejects requests for now, because there were too many.",
    hint="Wait, then push again. Layers that {registry} has are not sent again.",
    retryable=True,
)
REGISTRY_NOT_FOUND = FaultCode(
    "push.registry_not_found",
    means="The registry's host name does not resolve.",
    hint="Correct the registry {registry!r} in the repository, or the engine's name server.",
)
REGISTRY_UNREACHABLE = FaultCode(
    "push.registry_unreachable",
    means="Nothing answers at the registry's address.",
    hint="Start the registry at {registry}, or check the network and the proxy between it and the engine at {host}.",
    retryable=True,
)
REGISTRY_INSECURE = FaultCode(
    "push.registry_insecure",
    means="The registry uses plain HTTP, and the engine requires HTTPS.",
    hint='Give the registry a certificate, or add "insecure-registries": ["{registry}"] to the engine\'s daemon.json '
    "and restart it; with Podman, a [[registry]] with insecure = true in registries.conf.",
)
REGISTRY_UNTRUSTED = FaultCode(
    "push.registry_untrusted",
    means="The engine does not trust the registry's certificate.",
    hint="Save the registry's CA certificate as /etc/docker/certs.d/{registry}/ca.crt on the engine host.",
)
REGISTRY_CONNECTION_LOST = FaultCode(
    "push.registry_connection_lost",
    means="The registry stopped answering during the push.",
    hint="Push again when {registry} answers. Layers that it has are not sent again.",
    retryable=True,
)
REPOSITORY_NOT_FOUND = FaultCode(
    "push.repository_not_found",
    means="The repository does not exist, and the registry does not create repositories automatically.",
    hint="Create the repository {repository} at {registry} first.",
)
REGISTRY_ERROR = FaultCode(
    "push.registry_error",
    means="The registry failed (a status of 500 or above).",
    hint="Push again. If it fails again, see the log of {registry}.",
    retryable=True,
)
REFUSED = FaultCode(
    "push.refused",
    means="The registry or the engine rejected the push for a reason without a separate code.",
    hint="See the message of {registry} in the evidence.",
)
REGISTRY_NOT_ALLOWED = FaultCode(
    "push.registry_not_allowed",
    means="The operator does not allow pushes to this registry, or its address is never a registry's.",
    hint="Push to an allowed registry ({allowed}), or ask the operator to add {registry} to CONTAINER_KIT_REGISTRIES. "
    "Link-local addresses are always refused.",
)
FAULTS = (
    REGISTRY_NOT_ALLOWED,
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
)

_BODY = re.compile(r"(?:response body|server message|body|response)\s*:.*", re.IGNORECASE | re.DOTALL)

# The first match counts: an exceeded quota, for example, is often reported as a denial.
_PATTERNS: tuple[tuple[str, FaultCode], ...] = (
    (r"quota|insufficient.storage|no space left|\b507\b|\b413\b|too large|limit exceeded", QUOTA_EXCEEDED),
    (r"toomanyrequests|too many requests|\b429\b|rate limit", RATE_LIMITED),
    (r"http response to https client|first record does not look like a tls", REGISTRY_INSECURE),
    (r"x509:|certificate|tls: ", REGISTRY_UNTRUSTED),
    (r"name_unknown|name unknown|repository .*(?:not found|does not exist)", REPOSITORY_NOT_FOUND),
    (r"denied: requested access[^:]*unauthorized: authentication required", DENIED),  # both, if a permission is missing
    (r"no basic auth credentials|unauthorized|authentication required|\b401\b|incorrect username", UNAUTHORIZED),
    (r"denied|insufficient_scope|forbidden|\b403\b", DENIED),
    (r"no such host|name resolution|server misbehaving|name or service not known", REGISTRY_NOT_FOUND),
    (
        r"connection refused|i/o timeout|no route to host|network is unreachable|deadline exceeded|client\.timeout",
        REGISTRY_UNREACHABLE,
    ),
    (
        r"connection reset|broken pipe|\beof\b|blob upload (?:unknown|invalid)|use of closed network",
        REGISTRY_CONNECTION_LOST,
    ),
    (r"\b5\d\d\b|internal server error|bad gateway|service unavailable|unknown: unknown error", REGISTRY_ERROR),
)


def explain(
    message: str, reference: ImageReference, credentials: Credentials, engine_host: str, *, started: bool = False
) -> StageFailure:
    """Create the fault of a failed push.

    Args:
        message: The message of the engine or the registry. Secrets in it are redacted.
        reference: The tag that was pushed.
        credentials: The credentials that were used.
        engine_host: The engine's address.
        started: Whether layers were being sent; an address that does not answer is then a lost connection.
    """
    message = without_body(Redactor(credentials.secrets)(message))
    code = next((code for pattern, code in _PATTERNS if re.search(pattern, message, re.IGNORECASE)), REFUSED)
    if code is REGISTRY_UNREACHABLE and started:
        code = REGISTRY_CONNECTION_LOST
    elif code is DENIED and not credentials.secrets:
        code = UNAUTHORIZED  # without credentials, a denial says nothing about a user's permissions
    return code(
        f"{reference}: {' '.join(message.split())[:300]}",
        evidence=[Evidence(kind="value", text=message[:500], where=reference.registry)],
        next_actions=_actions(code, reference.registry),
        registry=reference.registry,
        repository=reference.name,
        user=credentials.username or "the anonymous user",
        found=f"credentials from {credentials.source}" if credentials.secrets else "no credentials",
        host=engine_host,
    )


def without_body(message: str) -> str:
    """Return an engine's message without the body of a response: it can come from any server that it was led to."""
    return _BODY.sub("response (its body is not shown)", message)


def _actions(code: FaultCode, registry: str) -> list[NextAction]:
    if code is UNAUTHORIZED:
        return [NextAction(why=f"Run `docker login {registry}` on this machine first, then push again.")]
    if code.retryable:
        return [NextAction(why="Push again: the same call may succeed, and layers that arrived are not sent again.")]
    return []
