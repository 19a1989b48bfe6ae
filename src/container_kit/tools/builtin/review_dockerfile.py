"""`review-dockerfile`: what is wrong with a Dockerfile that is there, with patches."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import DockerfileReview
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import ModulePath, SourcePath
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class ReviewDockerfileInput(ToolInput):
    """Whose Dockerfile."""

    path: SourcePath
    module: ModulePath = "."


async def _planned(_: ToolCall, asked: ReviewDockerfileInput) -> PipelineCall:
    return pipeline_call("review-dockerfile", asked)


REVIEW_DOCKERFILE = Tool(
    name=ToolName.REVIEW_DOCKERFILE,
    title="Review a Dockerfile",
    description=(
        "Find what is wrong with the repository's Dockerfile: wrong port, root, secrets, lockfile not kept, cache "
        "order, missing files, development servers and more, held against the code; hadolint's rules too where it is "
        "installed. Each problem has line, reason and, where one is safe, a patch. Changes nothing. "
        "Next: patch-dockerfile with the ids to apply."
    ),
    input=ReviewDockerfileInput,
    output=answer_schema(DockerfileReview),
    toolset="dockerfile",
    effect="read_only",
    work=runs_pipeline(_planned, (DockerfileReview,)),
    idempotent=True,
)
