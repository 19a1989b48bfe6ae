"""The stages that deliver a built image to a cluster's nodes. A deployment then names exactly that image."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import anyio

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import Cluster, ClusterImage, KubernetesOptions
from container_kit.stages.artifacts.push import PushedImage, PushOptions
from container_kit.stages.contract.fault import Evidence, FaultCode, WiringError
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.deploy.faults import OPTION_INVALID
from container_kit.stages.deploy.kubernetes import validation as fields
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import DOCKER_HUB, ImageReference, is_image_id

LOAD_FAILED = FaultCode(
    "kubernetes.load_failed",
    means="The image could not be loaded into the cluster's nodes.",
    hint="Check that the cluster {cluster} is running. The loader's output is in the evidence.",
    retryable=True,
)

_LOAD_SECONDS = 600.0


class ChooseRegistryName(Stage[PushOptions]):
    """Choose the image's name in the cluster's registry."""

    read_only = True
    faults = fields.FAULTS

    async def execute(
        self, ctx: StageContext, image: Image, cluster: Cluster, options: KubernetesOptions
    ) -> PushOptions:
        """Choose the name; it is not used if the image is loaded into the nodes.

        Raises:
            StageFailure: `deploy.option_invalid` if neither a registry is given nor part of the image's name.
        """
        name = image_name(image, options)
        if cluster.delivery != "registry":
            return PushOptions(repository=content_tag(name, image).name)
        repository, tag = registry_name(name, cluster.registry)
        return PushOptions(repository=repository, tag=tag)


class DeliverImage(Stage[ClusterImage]):
    """Load the image into the cluster's nodes, or refer to the pushed image.

    Args:
        engine: The local engine; by default the one that the docker command line uses.
    """

    timeout = _LOAD_SECONDS
    faults = (LOAD_FAILED, *fields.FAULTS, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def execute(
        self,
        ctx: StageContext,
        image: Image,
        cluster: Cluster,
        options: KubernetesOptions,
        pushed: PushedImage | None = None,
    ) -> ClusterImage:
        """Deliver the image; a pushed image is named by its digest.

        Raises:
            StageFailure: `kubernetes.load_failed`, or a fault of the engine.
        """
        if pushed is not None:
            reference = f"{pushed.reference}@{pushed.digest}"
            return ClusterImage(reference=reference, delivered_by=f"registry {pushed.registry}")
        if cluster.delivery == "registry":
            raise WiringError(f"{self.name}: the image needs a registry, but no earlier stage pushed it")
        tagged = content_tag(image_name(image, options), image)
        reference = str(tagged)
        await self._engine.call(lambda api: api.tag(image.id, tagged.name, tagged.tag))
        if cluster.delivery != "shared":
            ctx.progress(f"loading {reference} into {cluster.context}")
            await _load(ctx, load_command(cluster, reference), cluster.context)
        return ClusterImage(reference=reference, pull_policy="IfNotPresent", delivered_by=cluster.delivery)

    async def preview(
        self, ctx: StageContext, image: Image, cluster: Cluster, options: KubernetesOptions
    ) -> Preview[ClusterImage]:
        """Describe the delivery. The digest is known only after the push."""
        name = image_name(image, options)
        if cluster.delivery == "registry":
            reference = ":".join(registry_name(name, cluster.registry))
            return Preview((f"name the image {reference}, by its digest",), ClusterImage(reference=reference))
        reference = str(content_tag(name, image))
        delivered = ClusterImage(reference=reference, pull_policy="IfNotPresent", delivered_by=cluster.delivery)
        return Preview((f"load {reference} into {cluster.context}",), delivered)


def image_name(image: Image, options: KubernetesOptions) -> ImageReference:
    """Return the image's name without a digest; an image without a name is named after the application."""
    text = f"{options.name or 'app'}:{_short_id(image)}" if is_image_id(image.reference) else image.reference
    return replace(ImageReference.parse(fields.image("image", text)), digest=None)


def _short_id(image: Image) -> str:
    return image.id.removeprefix("sha256:")[:12] or "unknown"


def content_tag(name: ImageReference, image: Image) -> ImageReference:
    """Return the name with a tag from the image's id: new content under an old tag would not roll out."""
    return name.with_tag(f"ck-{_short_id(image)}")


def registry_name(name: ImageReference, registry: str | None) -> tuple[str, str]:
    """Return an image's repository in a registry, and its tag; the registry in its name is replaced.

    Args:
        name: The image's name; without `registry`, it must include one.
        registry: `host[:port][/path]`, or None.

    Raises:
        StageFailure: `deploy.option_invalid`.
    """
    tag = name.tag or "latest"
    if registry:
        return f"{fields.registry('registry', registry)}/{name.short_name}", tag
    if name.registry == DOCKER_HUB:
        rule = "host[:port][/path], because the image's name includes no registry"
        raise OPTION_INVALID("registry is not given", option="registry", rule=rule)
    return name.name, tag


def load_command(cluster: Cluster, reference: str) -> list[str]:
    """Return the loader's command line for a kind of cluster."""
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
