"""The base of every artifact."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Artifact(BaseModel):
    """A frozen value that a stage takes as input or returns.

    Artifacts are journaled, so each must equal itself after `model_validate_json(model_dump_json())`.
    """

    response_exclude: ClassVar[dict[str, Any] | None] = None
    """Fields that tool results omit, in the form of pydantic's `exclude`: rollback needs them, readers do not."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def run_subject(self) -> dict[str, str]:
        """Return what a run with this input is about, for lists of runs, such as `{"application": "shop"}`."""
        return {}
