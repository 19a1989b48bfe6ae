"""Translates error responses of the Kubernetes API to faults."""

from __future__ import annotations

from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure

UNREACHABLE = FaultCode(
    "kubernetes.unreachable",
    means="The API server does not respond.",
    hint="Check that the cluster of context {context} is running, and {server} is reachable from this machine.",
    retryable=True,
)
CERTIFICATE = FaultCode(
    "kubernetes.certificate",
    means="The certificate of the API server or of the client cannot be used.",
    hint="Renew the credentials of context {context}; its certificates are expired or of another cluster.",
)
UNAUTHENTICATED = FaultCode(
    "kubernetes.unauthenticated",
    means="The API server rejected the credentials, or the credential plugin failed.",
    hint="Sign in again with your provider's tool, until `kubectl --context {context} get pods` works.",
)
FORBIDDEN = FaultCode(
    "kubernetes.forbidden",
    means="The user has no permission for this in the namespace, or an admission policy denies it.",
    hint="Ask an administrator for a Role in the namespace that grants: {missing}.",
)
NOT_FOUND = FaultCode(
    "kubernetes.not_found",
    means="An object, namespace or kind does not exist in the cluster.",
    hint="Create {what} first, or correct its name.",
)
KIND_NOT_FOUND = FaultCode(
    "kubernetes.kind_not_found",
    means="The cluster has no such kind of object.",
    hint="Install the CustomResourceDefinition of {kind}, or correct apiVersion.",
)
CONFLICT = FaultCode(
    "kubernetes.conflict",
    means="Another field manager owns a field that the manifest sets.",
    hint="Leave {fields} out, or take ownership from {managers} with force_conflicts=true.",
)
IMMUTABLE = FaultCode(
    "kubernetes.immutable",
    means="A field of an existing object cannot be changed.",
    hint="Restore {fields} as it is in the cluster, or deploy under another name.",
)
INVALID = FaultCode(
    "kubernetes.invalid",
    means="The API rejects the object's content.",
    hint="Correct {fields} of {what}.",
)
BUSY = FaultCode(
    "kubernetes.busy",
    means="The API server is overloaded or starting.",
    hint="Try again in {seconds} s.",
    retryable=True,
)
API_ERROR = FaultCode(
    "kubernetes.api_error",
    means="The API server failed for another reason.",
    hint="See the API's message in the evidence, and the API server's log.",
    retryable=True,
)

_UNDECLARED_FIELD = re.compile(r"(\.[^:]+): field not declared in schema")
"""The message of server-side apply for an unknown field; some versions send it with status 500."""

FAULTS = (
    UNREACHABLE, CERTIFICATE, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, KIND_NOT_FOUND, CONFLICT, IMMUTABLE, INVALID, BUSY,
    API_ERROR,
)  # fmt: skip


def rejection(status: int, body: Any, what: str, retry_after: float | None = None) -> StageFailure:
    """Return the fault for a response of status 400 or above.

    Args:
        status: The HTTP status.
        body: A `Status` object of the API, or text.
        what: The object of the request, for example `Deployment/web`.
        retry_after: The response's Retry-After in seconds.
    """
    details: dict[str, Any] = body if isinstance(body, dict) else {}
    message = str(details.get("message") or body or f"status {status}")[:2000]
    causes = _causes(details)
    evidence = [Evidence(kind="http", text=f"{status} {details.get('reason') or ''}: {message}".strip(), where=what)]
    evidence += [Evidence(kind="condition", text=f"{c['field']}: {c['message']}"[:500], where=what) for c in causes]
    return _classify(status, message, causes, what, evidence, retry_after)


def _classify(
    status: int,
    message: str,
    causes: list[dict[str, str]],
    what: str,
    evidence: list[Evidence],
    retry_after: float | None,
) -> StageFailure:
    fields = (
        ", ".join(dict.fromkeys(cause["field"] for cause in causes if cause["field"])) or "the fields in the evidence"
    )
    text = f"{what}: {message}"
    if status == 401:
        return UNAUTHENTICATED(text, evidence=evidence, context="in use")
    if status == 403:
        return FORBIDDEN(text, evidence=evidence, missing=_missing_permission(message))
    if status == 404:
        return NOT_FOUND(text, evidence=evidence, what=what)
    if status == 409 and any(cause["reason"] == "FieldManagerConflict" for cause in causes):
        return CONFLICT(text, evidence=evidence, fields=fields, managers=_managers(causes))
    if status in (429, 503, 504) or (status == 409 and not causes):
        seconds = retry_after or 1.0
        return BUSY(text, evidence=evidence, retry_after=seconds, seconds=f"{seconds:g}")
    if status in (400, 422) or _UNDECLARED_FIELD.search(message):
        if undeclared := _UNDECLARED_FIELD.search(message):
            fields = undeclared.group(1)
        code = IMMUTABLE if any("immutable" in cause["message"] for cause in causes) else INVALID
        return code(text, evidence=evidence, fields=fields, what=what)
    return API_ERROR(text, evidence=evidence)


def _causes(status: dict[str, Any]) -> list[dict[str, str]]:
    details = status.get("details")
    found = details.get("causes") if isinstance(details, dict) else None
    keys = ("reason", "message", "field")
    return [{key: str(cause.get(key) or "") for key in keys} for cause in found or [] if isinstance(cause, dict)]


def _managers(causes: list[dict[str, str]]) -> str:
    """Return the managers that the causes of a conflict name: `conflict with "kubectl" using apps/v1`."""
    named = [cause["message"].split('"')[1] for cause in causes if cause["message"].count('"') >= 2]
    return ", ".join(dict.fromkeys(named)) or "their managers"


def _missing_permission(message: str) -> str:
    """Return `patch deployments` for `User "x" cannot patch resource "deployments" in API group "apps" in …`."""
    before, cannot, after = message.partition(" cannot ")
    if not cannot:
        return message[:200]
    words = after.split()
    resource = words[2].strip('"') if len(words) > 2 else ""
    return f"{words[0]} {resource}" if words else before[:200]
