"""What the Kubernetes API answers when it does not do what was asked, as faults."""

from __future__ import annotations

import re
from typing import Any

from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure

UNREACHABLE = FaultCode(
    "kubernetes.unreachable",
    means="The API server does not answer.",
    hint="Is the cluster of context {context} running, and {server} reachable from here?",
    retryable=True,
)
CERTIFICATE = FaultCode(
    "kubernetes.certificate",
    means="The API server's certificate, or our own, cannot be used.",
    hint="Renew the credentials of context {context}; its kubeconfig holds another cluster's or expired certificates.",
)
UNAUTHENTICATED = FaultCode(
    "kubernetes.unauthenticated",
    means="The API server does not accept the credentials, or the credential plugin fails.",
    hint="Sign in again with your provider's tool, so that `kubectl --context {context} get pods` works.",
)
FORBIDDEN = FaultCode(
    "kubernetes.forbidden",
    means="The user may not do this in the namespace, or an admission policy denies it.",
    hint="Have an administrator grant it with a Role in the namespace: {missing}.",
)
NOT_FOUND = FaultCode(
    "kubernetes.not_found",
    means="An object, namespace or kind does not exist in the cluster.",
    hint="Create {what} first, or correct its name.",
)
KIND_UNKNOWN = FaultCode(
    "kubernetes.kind_unknown",
    means="The cluster does not know this kind of object.",
    hint="Install the CustomResourceDefinition that brings {kind}, or correct apiVersion.",
)
CONFLICT = FaultCode(
    "kubernetes.conflict",
    means="Somebody else manages a field that the manifest sets.",
    hint="Leave {fields} out, or take ownership from {managers} with force_conflicts=true.",
)
IMMUTABLE = FaultCode(
    "kubernetes.immutable",
    means="A field cannot be changed on an object that exists.",
    hint="Restore {fields} as it is in the cluster, or deploy under another name.",
)
INVALID = FaultCode(
    "kubernetes.invalid",
    means="The API refuses the object's content.",
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
    means="The API server failed for a reason that has no code of its own.",
    hint="The API's own words are in the evidence; its log says more.",
    retryable=True,
)

_UNDECLARED = re.compile(r"(\.[^:]+): field not declared in schema")
"""How server-side apply words an unknown field; some versions answer it with 500."""

FAULTS = (
    UNREACHABLE, CERTIFICATE, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, KIND_UNKNOWN, CONFLICT, IMMUTABLE, INVALID, BUSY,
    API_ERROR,
)  # fmt: skip


def refusal(status: int, body: Any, what: str, retry_after: float | None = None) -> StageFailure:
    """The fault for an answer of 400 or above.

    Args:
        status: The HTTP status.
        body: A `Status` object of the API, or a text.
        what: What was asked for, for example `Deployment/web`.
        retry_after: The answer's Retry-After in seconds.
    """
    said: dict[str, Any] = body if isinstance(body, dict) else {}
    message = str(said.get("message") or body or f"status {status}")[:2000]
    causes = _causes(said)
    evidence = [Evidence(kind="http", text=f"{status} {said.get('reason') or ''}: {message}".strip(), where=what)]
    evidence += [Evidence(kind="condition", text=f"{c['field']}: {c['message']}"[:500], where=what) for c in causes]
    return _classed(status, message, causes, what, evidence, retry_after)


def _classed(
    status: int,
    message: str,
    causes: list[dict[str, str]],
    what: str,
    evidence: list[Evidence],
    retry_after: float | None,
) -> StageFailure:
    fields = ", ".join(dict.fromkeys(cause["field"] for cause in causes if cause["field"])) or "what the evidence names"
    told = f"{what}: {message}"
    if status == 401:
        return UNAUTHENTICATED(told, evidence=evidence, context="in use")
    if status == 403:
        return FORBIDDEN(told, evidence=evidence, missing=_missing_permission(message))
    if status == 404:
        return NOT_FOUND(told, evidence=evidence, what=what)
    if status == 409 and any(cause["reason"] == "FieldManagerConflict" for cause in causes):
        return CONFLICT(told, evidence=evidence, fields=fields, managers=_managers(causes))
    if status in (429, 503, 504) or (status == 409 and not causes):
        seconds = retry_after or 1.0
        return BUSY(told, evidence=evidence, retry_after=seconds, seconds=f"{seconds:g}")
    if status in (400, 422) or _UNDECLARED.search(message):
        if undeclared := _UNDECLARED.search(message):
            fields = undeclared.group(1)
        code = IMMUTABLE if any("immutable" in cause["message"] for cause in causes) else INVALID
        return code(told, evidence=evidence, fields=fields, what=what)
    return API_ERROR(told, evidence=evidence)


def _causes(status: dict[str, Any]) -> list[dict[str, str]]:
    details = status.get("details")
    found = details.get("causes") if isinstance(details, dict) else None
    keys = ("reason", "message", "field")
    return [{key: str(cause.get(key) or "") for key in keys} for cause in found or [] if isinstance(cause, dict)]


def _managers(causes: list[dict[str, str]]) -> str:
    """The managers that a conflict's causes name: `conflict with "kubectl" using apps/v1`."""
    named = [cause["message"].split('"')[1] for cause in causes if cause["message"].count('"') >= 2]
    return ", ".join(dict.fromkeys(named)) or "their managers"


def _missing_permission(message: str) -> str:
    """`patch deployments`, from `User "x" cannot patch resource "deployments" in API group "apps" in …`."""
    before, cannot, after = message.partition(" cannot ")
    if not cannot:
        return message[:200]
    words = after.split()
    resource = words[2].strip('"') if len(words) > 2 else ""
    return f"{words[0]} {resource}" if words else before[:200]
