"""What the API answers, as faults: each from an answer as a real server words it."""

from __future__ import annotations

from typing import Any

import pytest

from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS, rejection


def status(code: int, reason: str, message: str, *causes: dict[str, str]) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": message, "details": {"causes": list(causes)}}


FORBIDDEN = (
    'deployments.apps is forbidden: User "dev" cannot patch resource "deployments" in API group "apps" '
    'in the namespace "shop"'
)
CONFLICT = {
    "reason": "FieldManagerConflict",
    "message": 'conflict with "kubectl-rollout" using apps/v1',
    "field": ".spec.replicas",
}
IMMUTABLE = {"reason": "FieldValueInvalid", "message": "Invalid value: field is immutable", "field": "spec.selector"}
REQUIRED = {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.x"}
UNDECLARED = "failed to create typed patch object (shop/web; apps/v1): .spec.replica: field not declared in schema"
UNKNOWN_FIELD = 'strict decoding error: unknown field "spec.replica"'

CASES = [
    (401, status(401, "Unauthorized", "Unauthorized"), "unauthenticated", "Sign in"),
    (403, status(403, "Forbidden", FORBIDDEN), "forbidden", "patch deployments"),
    (404, status(404, "NotFound", 'namespaces "shop" not found'), "not_found", "Deployment/web"),
    (409, status(409, "Conflict", "Apply failed with 1 conflict", CONFLICT), "conflict", "kubectl-rollout"),
    (409, status(409, "Conflict", "Operation cannot be fulfilled: the object has been modified"), "busy", "Try again"),
    (422, status(422, "Invalid", 'Deployment "web" is invalid', IMMUTABLE), "immutable", "spec.selector"),
    (422, status(422, "Invalid", "invalid", REQUIRED), "invalid", "spec.x"),
    (400, status(400, "BadRequest", UNKNOWN_FIELD), "invalid", "evidence"),
    (500, status(500, "InternalError", UNDECLARED), "invalid", ".spec.replica"),
    (429, status(429, "TooManyRequests", "too many requests"), "busy", "7"),
    (503, "upstream connect error", "busy", "7"),
    (500, "not even JSON", "api_error", "evidence"),
]


@pytest.mark.parametrize(("code", "body", "cause", "hint"), CASES)
def test_each_refusal_has_its_code_and_hint(code: int, body: Any, cause: str, hint: str) -> None:
    fault = rejection(code, body, "Deployment/web", 7 if code in (429, 503) else None).fault
    assert fault.code == f"kubernetes.{cause}"
    assert hint in fault.hint
    assert fault.evidence[0].text.startswith(str(code))
    assert fault.retry_after == (7 if code in (429, 503) else 1 if cause == "busy" else None)


def test_every_code_of_the_api_is_shown_by_a_case_or_a_test_of_the_connection() -> None:
    shown = {f"kubernetes.{cause}" for _, _, cause, _ in CASES}
    elsewhere = {"kubernetes.unreachable", "kubernetes.certificate", "kubernetes.kind_not_found"}
    assert {code.code for code in FAULTS} == shown | elsewhere
