"""Approval questions of a run as MCP elicitations, in both protocol revisions."""

from __future__ import annotations

from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequests, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from container_kit.pipelines.approval import ApprovalDecision, Prompt
from container_kit.pipelines.run_info import RunInfo

_PERSON = "a person"
_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "confirm": {"type": "boolean", "title": "Approve", "description": "Nothing happens without your approval"},
        "comment": {"type": "string", "title": "Comment", "description": "Shown to the requester"},
    },
    "required": ["confirm"],
}


def can_elicit(request: ServerRequestContext[Any, Any]) -> bool:
    """Return whether the client can show a form to a person."""
    capabilities = request.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def inline_prompt(request: ServerRequestContext[Any, Any]) -> Prompt | None:
    """Return a function that asks during the call; None in revisions in which the question is the call's result."""
    if request.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return None

    async def prompt(_approval: str, question: str) -> ApprovalDecision | None:
        try:
            result = await request.session.elicit_form(question, _FORM, request.request_id)
        except (MCPError, ValidationError):  # the client declared the capability but cannot do it
            return None
        return parse_decision(result)

    return prompt


def input_requests(run: RunInfo) -> InputRequests:
    """Return the open questions of a run, by approval."""
    return {
        approval: ElicitRequest(params=ElicitRequestFormParams(message=question, requested_schema=_FORM))
        for approval, question in run.questions.items()
    }


def input_required(run: RunInfo, approval_key: str) -> InputRequiredResult:
    """Return the result of a call whose run awaits approval. The client repeats the call with the answers."""
    return InputRequiredResult(input_requests=input_requests(run), request_state=join_key(run.id, approval_key))


def join_key(run_id: str, approval_key: str) -> str:
    """Return an id of a run that only the client gets that started it. It includes the key of the run's questions."""
    return f"{run_id}.{approval_key}"


def split_key(joined: str) -> tuple[str, str]:
    """Return the run and the key in an id from `join_key`. Any other id has an empty key."""
    run_id, _, approval_key = joined.rpartition(".")
    return (run_id, approval_key) if run_id else (joined, "")


def parse_decision(response: object) -> ApprovalDecision | None:
    """Return the decision in an elicitation result; None if it does not fit the form."""
    try:
        result = response if isinstance(response, ElicitResult) else ElicitResult.model_validate(response)
    except ValidationError:
        return None
    if result.action != "accept":
        reason = "declined" if result.action == "decline" else "dismissed"
        return ApprovalDecision(approved=False, decided_by=_PERSON, comment=reason)
    content = result.content or {}
    confirmed, comment = content.get("confirm"), content.get("comment")
    if not isinstance(confirmed, bool):
        return None
    return ApprovalDecision(approved=confirmed, decided_by=_PERSON, comment=comment if isinstance(comment, str) else "")
