"""What the pipeline adds to a warm `docker build` and `docker run` of the same sample.

By hand: `docker build`, `docker run`, then asking until the application answers. By us: one durable full-deployment of
the same folder under a new name, analysis, scan and verification included. Measured in turn; the figures are ratios
of medians: the whole, what is neither building nor deploying (analysis, scan, verification, queue and journal), and
replacing a running version, against the same work by hand. Both end when the application answers on its port: by us a
first version has to answer twice, and one that replaces another takes the port after that and sees the other stopped.

    python benchmarks/overhead.py [--json] [--runs 7]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread

from container_kit import PipelineResponse, Workspace
from container_kit.pipelines import catalog
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.durable.service import DurableRuns
from container_kit.stages.artifacts.deployment import Deployment, DeployOptions
from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source

SAMPLE = Path(__file__).parent.parent / "examples" / "flask-hello"
TAG = "ck-bench-overhead:latest"
PORT = 28431


def docker_cli() -> str:
    """A docker command line that builds with BuildKit: an old one with it built in, or a new one with buildx."""
    for cli in ("/usr/bin/docker", shutil.which("docker") or "docker"):
        version = subprocess.run(
            [cli, "version", "-f", "{{.Client.Version}}"], check=False, capture_output=True, text=True
        )
        major = version.stdout.partition(".")[0]
        if major.isdigit() and int(major) < 23:
            return cli
        if not subprocess.run([cli, "buildx", "version"], check=False, capture_output=True).returncode:
            return cli
    sys.exit("no docker command line with BuildKit: install Debian's docker.io, or buildx")


def wait_for_answer(url: str) -> None:
    """Ask until the application answers 200."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own container
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.01)
    sys.exit(f"{url} did not answer")


class ByHand:
    """The same work with the docker command line."""

    def __init__(self, folder: Path) -> None:
        self._cli = docker_cli()
        self._folder = folder
        self.build_seconds: list[float] = []

    def __call__(self) -> None:
        """Build, run and wait for an answer."""
        begin = time.perf_counter()
        self._docker("build", "-q", "-t", TAG, str(self._folder))
        self.build_seconds.append(time.perf_counter() - begin)
        hardening = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--init", "-m", "512m"]  # noqa: S108
        self._docker("run", "-d", "--name", "ck-bench-by-hand", "-p", f"127.0.0.1:{PORT}:8000", *hardening, TAG)
        wait_for_answer(f"http://127.0.0.1:{PORT}/healthz")

    def clean(self) -> None:
        """Remove the container."""
        self._docker("rm", "-f", "ck-bench-by-hand")

    def _docker(self, *arguments: str) -> None:
        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        subprocess.run([self._cli, *arguments], check=True, capture_output=True, env=environment)


async def deploy(runs: DurableRuns, folder: Path, name: str) -> PipelineResponse:
    """One full deployment of ours."""
    pipeline = catalog.pipeline("full-deployment")
    request = pipeline.request(Source(path=str(folder)), BuildOptions(tag=TAG), DeployOptions(name=name))
    response = await runs.wait(await runs.start(request, Workspace([folder])))
    if response.status != "success":
        sys.exit(f"the deployment failed: {response.fault}")
    wait_for_answer(response.artifacts[Deployment].url)
    return response


def remove(name: str) -> None:
    """Remove what we deployed under a name."""
    label = f"label=io.container-kit.app={name}"
    found = subprocess.run(["docker", "ps", "-aqf", label], check=True, capture_output=True, text=True).stdout.split()
    if found:
        subprocess.run(["docker", "rm", "-fv", *found], check=True, capture_output=True)


async def timed(work: Callable[[], object]) -> float:
    """Seconds that a piece of work takes."""
    begin = time.perf_counter()
    result = work()
    if hasattr(result, "__await__"):
        await result
    return time.perf_counter() - begin


async def measure(runs: int) -> list[dict[str, object]]:
    """Both in turn."""
    with tempfile.TemporaryDirectory(prefix="container-kit-benchmark-") as home:
        folder = Path(home) / "flask-hello"
        shutil.copytree(SAMPLE, folder)
        by_hand, hand, ours, again, around, stages = ByHand(folder), [], [], [], [], []
        async with DurableRuns(DurableConfig(f"sqlite:///{home}/runs.sqlite", Path(home))).open() as store:
            await deploy(store, folder, "ck-bench-warm")  # writes the Dockerfile, warms the cache
            for _ in range(runs + 1):
                hand.append(await timed(functools.partial(anyio.to_thread.run_sync, by_hand)))
                by_hand.clean()
                responses: list[PipelineResponse] = []

                async def first(responses: list[PipelineResponse] = responses) -> None:
                    responses.append(await deploy(store, folder, "ck-bench-new"))

                ours.append(await timed(first))
                stages.append({stage.name: stage.seconds for stage in responses[0].stages})
                around.append(ours[-1] - stages[-1]["build"] - stages[-1]["deploy"])
                again.append(await timed(first))
                remove("ck-bench-new")
            remove("ck-bench-warm")
        subprocess.run(["docker", "rmi", "-f", TAG], check=False, capture_output=True)
    hand_median, new, replaced, rest = (statistics.median(times[1:]) for times in (hand, ours, again, around))
    for name in stages[0]:
        print(f"{name}: {statistics.median(stage[name] for stage in stages[1:]):.3f} s", file=sys.stderr)
    build = statistics.median(by_hand.build_seconds[1:])
    print(
        f"by hand {hand_median:.2f} s (build {build:.2f}), new {new:.2f} s, replaced {replaced:.2f} s", file=sys.stderr
    )
    return [
        figure("full deployment over docker build and docker run", new / hand_median, "<= 1.15", 1.15),
        figure(
            "all but its building and deploying, over docker build and docker run", rest / hand_median, "<= 0.15", 0.15
        ),
        figure("replacing a running version over docker build and docker run", replaced / hand_median, None, None),
    ]


def figure(name: str, value: float, bar: str | None, most: float | None) -> dict[str, object]:
    """One line of the result."""
    holds = None if most is None else value <= most
    return {"figure": name, "value": round(value, 3), "unit": "ratio", "bar": bar, "holds": holds}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print a list of figures")
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args()
    figures = anyio.run(measure, asked.runs)
    print(json.dumps(figures, indent=2) if asked.json else "\n".join(map(str, figures)))


if __name__ == "__main__":
    main()
