"""A custom pipeline that waits for a file, for servers and command lines in other processes."""

from __future__ import annotations

from pathlib import Path

import anyio

MODULE = "patience"
SOURCE = '''
import os
from pathlib import Path
import anyio
from container_kit import Artifact, AtomicPipeline, Stage, StageContext

class Place(Artifact):
    folder: str

class Done(Artifact):
    by: str

class Wait(Stage[Done]):
    """Wait for a file `go`."""

    async def execute(self, ctx: StageContext, place: Place) -> Done:
        folder = Path(place.folder)
        ctx.progress("waiting for go")
        (folder / f"begun-{ctx.run_id}-{os.getpid()}").touch()
        (folder / "begun").touch()
        while not (folder / "go").exists():
            await anyio.sleep(0.01)
        (folder / "done").touch()
        return Done(by="wait")

hold = AtomicPipeline("hold", inputs=Place).add_stage(Wait())
'''


def offering(folder: Path) -> dict[str, str]:
    """Write the pipeline into a folder, and return the variables that make a process offer it."""
    (folder / f"{MODULE}.py").write_text(SOURCE)
    return {"PYTHONPATH": str(folder), "CONTAINER_KIT_PIPELINES": MODULE}


async def there(file: Path) -> None:
    """Wait until a file exists."""
    with anyio.fail_after(50):
        while not file.exists():
            await anyio.sleep(0.02)
