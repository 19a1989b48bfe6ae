"""A custom pipeline that asks a person, then writes a file; for servers in other processes."""

from __future__ import annotations

from pathlib import Path

MODULE = "launching"
SOURCE = '''
from pathlib import Path
from container_kit import Artifact, AtomicPipeline, Stage, StageContext

class Boat(Artifact):
    file: str

class Launched(Artifact):
    file: str

class Launch(Stage[Launched]):
    """Write the file."""

    async def execute(self, ctx: StageContext, boat: Boat) -> Launched:
        Path(boat.file).touch()
        return Launched(file=boat.file)

launch = AtomicPipeline("launch", inputs=Boat).add_approval("consent", lambda made: "Launch?").add_stage(Launch())
'''


def approving(folder: Path) -> dict[str, str]:
    """Write the pipeline into a folder, and return the variables that make a process offer it."""
    (folder / f"{MODULE}.py").write_text(SOURCE)
    return {"PYTHONPATH": str(folder), "CONTAINER_KIT_PIPELINES": MODULE}
