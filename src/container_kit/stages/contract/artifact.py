"""The base of every artifact."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Artifact(BaseModel):
    """A frozen value that a stage needs or makes.

    Artifacts are journaled, so each must equal itself after `model_validate_json(model_dump_json())`.
    """

    response_exclude: ClassVar[dict[str, Any] | None] = None
    """What an answer leaves out, as pydantic's `exclude` takes it: kept for undoing, of no use to a reader."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
