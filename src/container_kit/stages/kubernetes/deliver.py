"""Getting a built image to a cluster's nodes, so that each deployment names exactly the image that was built."""

from __future__ import annotations

import re
import subprocess
from functools import partial

import anyio
import anyio.from_thread

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import Cluster, ClusterImage
from container_kit.stages.artifacts.push import PushedImage
from container_kit.stages.contract import Preview, Stage, StageContext
from container_kit.stages.docker_engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker_engine import DockerEngine
from container_kit.stages.fault import Evidence, FaultCode
from container_kit.stages.kubernetes import fields
from container_kit.stages.kubernetes.image_push import PUSH_FAULTS, Target, push

LOAD_FAILED = FaultCode(
    "kubernetes.load_failed",
    means="The image could not be loaded into the cluster's nodes.",
    hint="Is the cluster {cluster} running? The loader's own words are in the evidence.",
    retryable=True,
)

_LOAD_SECONDS = 600.0


class DeliverImage(Stage[ClusterImage]):
    """Push the image to the registry, or load it into the cluster's nodes.

    Args:
        engine: The local engine; by default the one that is found as docker finds it.
    """

    timeout = _LOAD_SECONDS
    faults = (LOAD_FAILED, *PUSH_FAULTS, *fields.FAULTS, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def execute(
        self, ctx: StageContext, image: Image, cluster: Cluster, pushed: PushedImage | None = None
    ) -> ClusterImage:
        """Deliver; an image that was pushed already is named by its digest there.

        Raises:
            StageFailure: `kubernetes.push_denied`, `kubernetes.push_failed`, `kubernetes.load_failed`, or the engine's.
        """
        if pushed is not None:
            reference = f"{pushed.reference}@{pushed.digest}"
            return ClusterImage(reference=reference, delivered_by=f"registry {pushed.registry}")
        if cluster.delivery == "registry":
            return await self._push(ctx, image, cluster)
        reference = named_by_content(image)
        repository, _, tag = reference.rpartition(":")
        await self._engine.call(lambda api: api.tag(image.id, repository, tag))
        if cluster.delivery != "shared":
            ctx.progress(f"loading {reference} into {cluster.context}")
            await _load(ctx, load_command(cluster, reference), cluster.context)
        return ClusterImage(reference=reference, pull_policy="IfNotPresent", delivered_by=cluster.delivery)

    async def preview(self, ctx: StageContext, image: Image, cluster: Cluster) -> Preview[ClusterImage]:
        """Where the image would go. Its digest is known only once it was pushed."""
        if cluster.delivery == "registry":
            reference = push_target(image, cluster.registry).reference
            return Preview((f"push {reference}",), ClusterImage(reference=reference))
        reference = named_by_content(image)
        made = ClusterImage(reference=reference, pull_policy="IfNotPresent", delivered_by=cluster.delivery)
        return Preview((f"load {reference} into {cluster.context}",), made)

    async def _push(self, ctx: StageContext, image: Image, cluster: Cluster) -> ClusterImage:
        target = push_target(image, cluster.registry)
        ctx.progress(f"pushing {target.reference}")
        digest = await push(self._engine, image.id, target, partial(_tell, ctx))
        return ClusterImage(reference=f"{target.reference}@{digest}", delivered_by=f"registry {target.registry}")


def _tell(ctx: StageContext, line: str) -> None:
    """Called in the thread that pushes."""
    anyio.from_thread.run_sync(ctx.output, line)


def named_by_content(image: Image) -> str:
    """`repository:TAG` with a tag made of the image's id: the same tag with other content would not roll out."""
    repository = re.split(r"[:@]", image.reference.rpartition("/")[2])[0]
    above = image.reference.rpartition("/")[0]
    name = f"{above}/{repository}" if above else repository
    return fields.image("image", f"{name}:ck-{image.id.removeprefix('sha256:')[:12] or 'unknown'}")


def push_target(image: Image, registry: str | None) -> Target:
    """Where an image goes in a registry: its name without the registry that it may already bear.

    Args:
        image: The image; without a registry its own name must say where to.
        registry: `host[:port][/path]`, or None.

    Raises:
        StageFailure: `kubernetes.option_invalid`.
    """
    fields.image("image", image.reference)
    before, _, name = image.reference.rpartition("/")
    repository, _, tag = name.partition(":")
    base = fields.registry("registry", registry) if registry else before
    host = base.partition("/")[0]
    if not registry and "." not in host and ":" not in host:
        rule = "host[:port][/path], for the image's own name does not say where to push it"
        raise fields.OPTION_INVALID("registry is not given", field="registry", rule=rule)
    return Target(host, f"{base}/{repository}", tag or "latest")


def load_command(cluster: Cluster, reference: str) -> list[str]:
    """The loader's command line for a kind of cluster."""
    name = cluster.context.removeprefix(f"{cluster.delivery}-")
    if cluster.delivery == "kind":
        return ["kind", "load", "docker-image", reference, "--name", name]
    if cluster.delivery == "k3d":
        return ["k3d", "image", "import", reference, "--cluster", name]
    return ["minikube", "image", "load", reference, "--profile", cluster.context]


async def _load(ctx: StageContext, command: list[str], cluster: str) -> None:
    try:
        done = await anyio.run_process(command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False)
    except OSError as error:
        raise LOAD_FAILED(f"{command[0]} cannot be run: {error}", cluster=cluster) from error
    printed = done.stdout.decode(errors="replace")
    for line in printed.splitlines():
        ctx.output(line)
    # k3d reports some failures with exit code 0
    if done.returncode != 0 or "level=error" in printed or "ERRO[" in printed:
        evidence = [Evidence(kind="log", text=ctx.redact(printed[-2000:]), where=" ".join(command[:3]))]
        evidence.append(Evidence(kind="exit_code", text=str(done.returncode)))
        raise LOAD_FAILED(f"{command[0]} could not load the image", evidence=evidence, cluster=cluster)
