"""A run's questions to a person, as MCP puts them: an elicitation in either protocol era."""

from __future__ import annotations

from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequests, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.runs.client import Ask
from container_kit.pipelines.runs.snapshot import RunView

_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "confirm": {"type": "boolean", "title": "Go on", "description": "Nothing is done without your consent"},
        "comment": {"type": "string", "title": "Comment", "description": "Told to whoever asked"},
    },
    "required": ["confirm"],
}


def has_person(request: ServerRequestContext[Any, Any]) -> bool:
    """Whether the client says that it can put a form to a person."""
    capabilities = request.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def asks_at_once(request: ServerRequestContext[Any, Any]) -> Ask | None:
    """What asks while the call lasts; None in the era in which a call is answered with the question."""
    if request.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return None

    async def ask(_approval: str, question: str) -> ApprovalDecision | None:
        try:
            said = await request.session.elicit_form(question, _FORM, request.request_id)
        except (MCPError, ValidationError):  # it cannot after all
            return None
        return answer_of(said)

    return ask


def input_requests(run: RunView) -> InputRequests:
    """All that a run asks, by approval point."""
    return {
        approval: ElicitRequest(params=ElicitRequestFormParams(message=question, requested_schema=_FORM))
        for approval, question in run.questions.items()
    }


def input_required(run: RunView) -> InputRequiredResult:
    """The answer to a call whose run waits for a person; the client sends the call again with what was said."""
    return InputRequiredResult(input_requests=input_requests(run), request_state=run.id)


def answer_of(said: object) -> ApprovalDecision | None:
    """What a person said; None where it is no answer to our form."""
    try:
        result = said if isinstance(said, ElicitResult) else ElicitResult.model_validate(said)
    except ValidationError:
        return None
    if result.action != "accept":
        how = "declined" if result.action == "decline" else "dismissed without an answer"
        return ApprovalDecision(approved=False, by="a person", comment=how)
    content = result.content or {}
    confirmed, comment = content.get("confirm"), content.get("comment")
    if not isinstance(confirmed, bool):
        return None
    return ApprovalDecision(approved=confirmed, by="a person", comment=comment if isinstance(comment, str) else "")
