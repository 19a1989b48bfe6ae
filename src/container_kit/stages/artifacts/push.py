"""Pushing an image to a registry, and naming one."""

from typing import Literal

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact


class PushOptions(Artifact):
    """Where an image is pushed to. Credentials are never part of it: they are found where docker keeps them."""

    repository: str = Field(min_length=1, max_length=255)
    """`[registry[:port]/]path`, for example `registry.example.com/team/shop`; without a registry it is Docker Hub."""
    tag: str | None = None
    """By default that of the image's own reference."""


class TagOptions(Artifact):
    """How an image is named."""

    name: str = Field(min_length=1, max_length=400)
    """`name[:tag]`; without a tag it is `latest`. An image that bears it already loses it."""


class TaggedImage(Artifact):
    """An image under another name."""

    reference: str
    """`name:tag`."""
    image_id: str
    previous_id: str | None = None
    """What the name meant before; it gets the name back on rollback."""


class PushedImage(Artifact):
    """An image in a registry."""

    reference: str
    """`registry/path:tag`."""
    pinned: str
    """`registry/path@sha256:…`: what to deploy, for nobody can move it."""
    registry: str
    """`host[:port]`; Docker Hub is `docker.io`."""
    repository: str
    """The path in the registry."""
    tag: str
    digest: str
    """The manifest's digest, as the registry itself confirmed it after the push."""
    confirmed_by: Literal["registry", "engine"]
    """Who asked the registry: we ourselves, or the engine where it can be reached from there alone."""
    image_id: str
    manifest_size: int = 0
    """Bytes of the manifest."""
    layers_pushed: int = 0
    layers_there_before: int = 0
    previous_digest: str | None = None
    """What the tag named before; None where it was free."""
    was_there: bool = False
    """Whether the registry is known to have had this very manifest before, perhaps under another tag."""
    local_tag: str | None = None
    """The name that the push gave the image in the engine, where it did not have it before."""
    seconds: float = 0.0
