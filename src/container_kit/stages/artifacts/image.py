"""Building an image: what may be chosen, and what came of it."""

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact


class BuildOptions(Artifact):
    """How an image is built."""

    tag: str | None = None
    """`name[:tag]`; by default the folder's name and `latest`."""
    dockerfile: str | None = None
    """Relative to the source's root; by default the one that was generated, else the module's, else the root's."""
    context: str | None = None
    """The folder that COPY takes from, relative to the source's root; by default the root, or the module's folder where
    the module has a Dockerfile of its own that was not generated."""
    target: str | None = None
    build_args: dict[str, str] = Field(default_factory=dict)
    """Not for secrets: they stay in the image's history."""
    secrets: dict[str, str] = Field(default_factory=dict)
    """For `RUN --mount=type=secret,id=…`: from id to `env:NAME` or `file:PATH`, never the value itself."""
    ca_file: str | None = None
    """A PEM file, relative to the source's root, with authorities that RUN instructions shall trust besides the usual
    ones, for example a company proxy's. Nothing of it stays in the image."""
    no_cache: bool = False
    platforms: tuple[str, ...] = ()
    """For example `linux/arm64`; by default the engine's own. More than one needs docker buildx."""
    builder: str | None = None
    """The name of a buildx builder (`docker buildx ls`), for example a remote one."""
    cache_from: tuple[str, ...] = ()
    """Where buildx reads a build cache, for example `type=registry,ref=registry.example/app:cache`."""
    cache_to: tuple[str, ...] = ()
    """Where buildx writes its build cache."""


class Image(Artifact):
    """An image in the local engine."""

    id: str
    """`sha256:…`, the image's configuration digest; empty only in a dry run."""
    reference: str
    """`name:tag`."""
    size: int = 0
    """Bytes."""
    platform: str = "linux/amd64"
    ports: tuple[int, ...] = ()
    """The TCP ports of EXPOSE."""
    user: str = ""
    healthcheck: bool = False
    steps: int = 0
    cached_steps: int = 0
    seconds: float = 0.0
    builder: str = ""
    """What built it: `buildkit-session`, `buildkit`, `buildx`, `classic`."""
    source: str | None = None
    """The resolved folder that it was built from, where known."""
    previous_id: str | None = None
    """What the reference named before, and names again after a rollback; `id` itself where a build changed nothing."""


class ImageReference(Artifact):
    """An image that is in the local engine already."""

    image: str
    """`name:tag`, `name@sha256:…`, or an image id."""
