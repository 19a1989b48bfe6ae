"""Changes of version under load on the local engine: `python benchmarks/deploy.py [--json] [--swaps 20]`.

Asks 200 times a second while versions change, once directly and once behind HAProxy, and measures the way back.
The longest gap is the time from the last good answer before a failure to the first one after it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
from docker import APIClient

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.docker.engine import DockerEngine
from support.engine.cleanup import sweep
from support.engine.deployments import App
from support.engine.load import Load, requests_at
from support.engine.web_apps import web_image
from support.pipelines.contexts import Contexts

_RATE = 200


async def changes(app: App, images: list[Image], swaps: int, *, zero_downtime: bool) -> Load:
    """Change the version so many times under load."""
    first = await app.deploy(images[0], zero_downtime=zero_downtime)
    with requests_at(first.host_port, _RATE) as load:
        for number in range(swaps):
            await app.deploy(images[(number + 1) % 2], zero_downtime=zero_downtime)
    return load


async def way_back(app: App, images: list[Image]) -> float:
    """Seconds of a rollback beyond the start of the old version, which its first deployment took to be healthy."""
    first = await app.deploy(images[0])
    second = await app.deploy(images[1])
    began = time.monotonic()
    await app.stage.rollback(app.ctx(), second)
    return time.monotonic() - began - first.seconds_to_healthy


async def measure(swaps: int) -> list[dict[str, Any]]:
    """Run everything and name each figure with its bar."""
    name = f"ck-bench-{uuid.uuid4().hex[:8]}"
    with closing(APIClient(version="auto")) as api, tempfile.TemporaryDirectory() as folder:
        ctx, engine = Contexts(name, Workspace([Path(folder)])), DockerEngine()
        images = [web_image(api, name, version) for version in ("v1", "v2")]
        try:
            direct = await changes(App(f"{name}-d", engine, api, ctx), images, swaps, zero_downtime=False)
            behind = await changes(App(f"{name}-g", engine, api, ctx), images, swaps, zero_downtime=True)
            back = await way_back(App(f"{name}-b", engine, api, ctx), images)
        finally:
            sweep(api, [name])
            engine.close()
    return [
        _figure("longest gap", direct.longest_gap, "s", 0.3),
        _figure("failed requests behind HAProxy", len(behind.bad), "requests", 0),
        _figure("requests behind HAProxy", len(behind.good), "requests", None),
        _figure("rollback beyond the old version's start", back, "s", 1.0),
    ]


def _figure(figure: str, value: float, unit: str, bar: float | None) -> dict[str, Any]:
    return {"figure": figure, "value": round(value, 3), "unit": unit, "bar": bar, "holds": bar is None or value <= bar}


def main() -> int:
    """Print the figures; the exit code is 1 where one is beyond its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--swaps", type=int, default=20)
    options = parser.parse_args()
    figures = anyio.run(measure, options.swaps)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for one in figures:
            print(f"{one['figure']}: {one['value']} {one['unit']} (bar {one['bar']}, holds: {one['holds']})")
    return 0 if all(one["holds"] for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
