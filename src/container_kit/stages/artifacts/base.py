"""The base of every artifact."""

from pydantic import BaseModel, ConfigDict


class Artifact(BaseModel):
    """A frozen value that a stage needs or makes.

    Artifacts are journaled, so each must equal itself after `model_validate_json(model_dump_json())`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
