"""The fault of a recorded failure: the recording stands for the output of a RUN instruction."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any

from container_kit.stages.build.buildkit.progress import BuildLog, BuildStep
from container_kit.stages.build.failures import explain
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.contract.fault import Fault
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.formats.dockerfile import parse_dockerfile
from container_kit.stages.formats.dockerignore import parse_ignore_file

RECORDINGS = Path(__file__).parents[2] / "stages" / "build" / "recordings"
_DOCKERFILE = "FROM debian:bookworm-slim\nWORKDIR /app\nCOPY . .\nRUN make-it\n"


def explain_recording(recording: dict[str, Any], context: Path | None = None) -> Fault:
    """Return the fault of a recording.

    Args:
        context: The build context; by default a folder that does not exist.
    """
    folder = context or Path("/nonexistent-context")
    inputs = Inputs(
        root=folder,
        context=folder,
        parsed=parse_dockerfile(_DOCKERFILE, "Dockerfile"),
        content=_DOCKERFILE,
        reference="shop:latest",
        ignore=parse_ignore_file("", ".dockerignore"),
        ignore_path=".dockerignore",
        secrets={},
        redact=Redactor(),
    )
    step = BuildStep("[4/4] RUN make-it", "RUN make-it", number=4)
    step.tail = deque(recording["output"].splitlines(), maxlen=step.tail.maxlen)
    code = recording["exit_code"]
    step.error = f'process "/bin/sh -c make-it" did not complete successfully: exit code: {code}'
    log = BuildLog(lambda *_: None, lambda _: None)
    log.steps["4"] = step
    log.error = step.error
    return explain(log, inputs).fault


def write_manifest(folder: Path, **fields: object) -> None:
    """Write a `package.json`."""
    (folder / "package.json").write_text(json.dumps({"name": "shop", **fields}))
