"""The change of a protected target that a person approves: facts that were looked up, not texts of the caller."""

from __future__ import annotations

from container_kit.stages.contract.artifact import Artifact


class PlannedChange(Artifact):
    """A change of one application, before it is made."""

    place: str
    """The engine, or the API server and the namespace."""
    application: str
    """A valid name."""
    image: str = ""
    """The reference and the digest, as far as they are known."""
    replaces: str = ""
    """The version that serves now; empty if nothing is replaced."""
    command: str = ""
    """The process that the image or the manifests start; empty if it is not known."""
    contents: str = ""
    """The objects of the user's manifests, or the versions that are removed."""
    digest: str = ""
    """The digest of the user's manifests; other ones are not applied."""
