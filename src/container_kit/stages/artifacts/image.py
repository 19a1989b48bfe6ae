"""Image builds: their options and results."""

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact


class BuildOptions(Artifact):
    """Options of an image build."""

    tag: str | None = None
    """`name[:tag]`. Defaults to the folder name and `latest`."""
    dockerfile: str | None = None
    """Relative to the source root. Defaults to the generated file, else the module's, else the root's."""
    context: str | None = None
    """The build context, relative to the source root. Defaults to the root, or to the module's folder if the module
    has its own Dockerfile that was not generated."""
    target: str | None = None
    build_args: dict[str, str] = Field(default_factory=dict)
    """Not for secrets: they stay in the image history."""
    secrets: dict[str, str] = Field(default_factory=dict)
    """Secrets for `RUN --mount=type=secret,id=…`: ids mapped to `env:NAME` or `file:PATH`, never to the value."""
    ca_file: str | None = None
    """A PEM file, relative to the source root, with extra CA certificates that RUN instructions trust, such as a
    corporate proxy's CA. It leaves no trace in the image."""
    allow_secrets: bool = False
    """Let files of the context that look like credentials become part of the image."""
    no_cache: bool = False
    replace_tag: bool = False
    """Move the tag even from an image that was not built from this folder."""
    platforms: tuple[str, ...] = ()
    """For example `linux/arm64`. Defaults to the engine's platform. Several platforms require docker buildx."""
    builder: str | None = None
    """The name of a buildx builder (`docker buildx ls`), for example a remote one."""
    cache_from: tuple[str, ...] = ()
    """Sources of buildx's build cache, for example `type=registry,ref=registry.example/app:cache`."""
    cache_to: tuple[str, ...] = ()
    """Destinations of buildx's build cache."""


class Image(Artifact):
    """An image in the local engine."""

    id: str
    """`sha256:…`, the digest of the image configuration; empty only in a dry run."""
    reference: str
    """`name:tag`."""
    size: int = 0
    """Bytes."""
    platform: str = "linux/amd64"
    ports: tuple[int, ...] = ()
    """The TCP ports of EXPOSE."""
    user: str = ""
    healthcheck: bool = False
    volumes: tuple[str, ...] = ()
    """The folders of VOLUME, whose content survives a new version."""
    writable: str | None = None
    """The folder that the application writes to, next to its code; each version has its own copy."""
    release: tuple[str, ...] = ()
    """The command that prepares a new version before it serves."""
    steps: int = 0
    cached_steps: int = 0
    seconds: float = 0.0
    builder: str = ""
    """The builder: `buildkit-session`, `buildkit`, `buildx`, `classic`."""
    source: str | None = None
    """The resolved source folder, if known."""
    previous_id: str | None = None
    """The image that the tag pointed to before; a rollback restores it. Equals `id` if the build changed nothing."""
    secret_variables: tuple[str, ...] = ()
    """The variables of the server that the Dockerfile received as build secrets."""


class LocalImage(Artifact):
    """An image that exists in the local engine."""

    image: str
    """`name:tag`, `name@sha256:…`, or an image id."""

    def run_subject(self) -> dict[str, str]:
        """Return the image."""
        return {"image": self.image}
