"""Pushes and tags of images: their options and results."""

from typing import Literal

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact


class PushOptions(Artifact):
    """Options of a push. They never contain credentials, which are read from where Docker keeps them."""

    repository: str = Field(min_length=1, max_length=255)
    """`[registry[:port]/]path`, for example `registry.example.com/team/shop`. The registry defaults to Docker Hub."""
    tag: str | None = None
    """Defaults to the tag of the image's reference."""

    def run_subject(self) -> dict[str, str]:
        """Return the repository."""
        return {"repository": self.repository}


class TagOptions(Artifact):
    """Options of a tag."""

    name: str = Field(min_length=1, max_length=400)
    """`name[:tag]`. The tag defaults to `latest`, and is moved from any image that has it."""


class TaggedImage(Artifact):
    """An image with another tag."""

    reference: str
    """`name:tag`."""
    image_id: str
    previous_id: str | None = None
    """The image that the tag pointed to before; a rollback restores it."""


class PushedImage(Artifact):
    """An image in a registry."""

    reference: str
    """`registry/path:tag`."""
    pinned: str
    """`registry/path@sha256:…`. Deploy this reference, because it always names the same image."""
    registry: str
    """`host[:port]`; Docker Hub is `docker.io`."""
    repository: str
    """The path in the registry."""
    tag: str
    digest: str
    """The manifest's digest, as the registry itself confirmed it after the push."""
    confirmed_by: Literal["registry", "engine"]
    """The reader of the digest: this machine, or the engine if only the engine can reach the registry."""
    image_id: str
    manifest_size: int = 0
    """The size of the manifest in bytes."""
    layers_pushed: int = 0
    layers_there_before: int = 0
    previous_digest: str | None = None
    """The manifest that the tag named before; None if the tag did not exist."""
    was_there: bool = False
    """Whether the registry is known to have had the same manifest before, possibly under another tag."""
    local_tag: str | None = None
    """The tag that the push added to the image in the engine; None if the image had it before."""
    seconds: float = 0.0
