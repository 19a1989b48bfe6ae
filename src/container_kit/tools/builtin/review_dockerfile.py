"""`review-dockerfile`: find problems in a Dockerfile."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import DockerfileReview
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import ModulePath, SourcePath
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class ReviewDockerfileInput(ToolInput):
    """The arguments of `review-dockerfile`."""

    path: SourcePath
    module: ModulePath = "."


REVIEW_DOCKERFILE = Tool(
    name=ToolName.REVIEW_DOCKERFILE,
    title="Review a Dockerfile",
    description=(
        "Find problems in the repository's Dockerfile by comparing it with the code: wrong port, root user, secrets, "
        "ignored lockfile, cache order, missing files, development server and more; also hadolint's rules if hadolint "
        "is installed. Each problem has line, reason and, if a safe one exists, a patch. Changes nothing. "
        "Next: patch-dockerfile with the ids to apply."
    ),
    input=ReviewDockerfileInput,
    output=result_schema(DockerfileReview),
    toolset="dockerfile",
    effect="read_only",
    handler=runs_pipeline("review-dockerfile", (DockerfileReview,)),
    idempotent=True,
)
