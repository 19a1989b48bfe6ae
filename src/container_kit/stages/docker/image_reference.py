"""Image references, with the grammar of github.com/distribution/reference and Docker's defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import JsonValue

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import FaultCode, NextAction

IMAGE_REFERENCE_INVALID = FaultCode(
    "image.reference_invalid",
    means="The text is not a valid image reference.",
    hint="Use `[registry[:port]/]path[:tag]` with a path in lower case and a tag of letters, digits, `.`, `_` and `-`; "
    "{reason}.",
)

DOCKER_HUB = "docker.io"
_HUB_HOSTS = frozenset({"index.docker.io", "registry-1.docker.io"})
_OFFICIAL = "library/"

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_PORT = re.compile(r"(?P<host>.*):(?P<port>[0-9]+)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
"""The grammar has any algorithm; Docker and registries accept those of github.com/opencontainers/go-digest."""
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")
_PREFIX_OF_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_MAX_PATH = 255
_MAX_FROM_FOLDER = 60


class ImageReferenceError(ValueError):
    """A text that is not a valid image reference; the text of the error names the wrong part."""


@dataclass(frozen=True, slots=True)
class ImageReference:
    """The name of an image in a registry, complete with Docker's defaults."""

    registry: str
    """`host[:port]`; Docker Hub is `docker.io`."""
    path: str
    """The path of the repository in the registry, for example `library/debian`."""
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Parse `[registry/]path[:tag][@digest]`.

        Raises:
            ImageReferenceError: The text is not a valid reference.
        """
        name, has_digest, digest = text.partition("@")
        folders, slash, last = name.rpartition("/")
        last, has_tag, tag = last.partition(":")
        first, has_registry, rest = f"{folders}{slash}{last}".partition("/")
        if has_registry and _is_registry(first):
            registry, path = DOCKER_HUB if first in _HUB_HOSTS else first, rest
        else:
            registry, path = DOCKER_HUB, f"{folders}{slash}{last}"
        if registry == DOCKER_HUB and "/" not in path and path:
            _reject_image_id(path)
            path = f"{_OFFICIAL}{path}"
        return cls(
            _check(_REGISTRY, registry, "registry"),
            _check(_PATH, path, "path"),
            _check(_TAG, tag, "tag") if has_tag else None,
            _check(_DIGEST, digest, "digest") if has_digest else None,
        )

    @classmethod
    def try_parse(cls, text: str) -> ImageReference | None:
        """Parse a text that may be something else, such as a name with variables; None if it is not a reference."""
        try:
            return cls.parse(text)
        except ImageReferenceError:
            return None

    @classmethod
    def from_folder(cls, name: str) -> ImageReference:
        """Create a valid reference from any text, such as the name of a folder; `app:latest` if nothing is usable."""
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower().encode("ascii", "ignore").decode()).strip("-")
        return cls(DOCKER_HUB, f"{_OFFICIAL}{plain[:_MAX_FROM_FOLDER].strip('-') or 'app'}", "latest")

    @property
    def name(self) -> str:
        """The repository as Docker displays it: without `docker.io/` and `library/`."""
        if self.registry == DOCKER_HUB:
            return self.path.removeprefix(_OFFICIAL) if self.path.count("/") == 1 else self.path
        return f"{self.registry}/{self.path}"

    @property
    def short_name(self) -> str:
        """The last component of the path: `shop` for `registry.example/team/shop:1`."""
        return self.path.rpartition("/")[2]

    @property
    def canonical(self) -> str:
        """The reference with the registry: `docker.io/library/debian:12`."""
        return f"{self.registry}/{self.path}{self._suffix}"

    @property
    def host(self) -> str:
        """The host of the registry, an IPv6 address in brackets."""
        return match["host"] if (match := _PORT.fullmatch(self.registry)) else self.registry

    @property
    def port(self) -> int | None:
        """The port of the registry, if it is given."""
        return int(match["port"]) if (match := _PORT.fullmatch(self.registry)) else None

    @property
    def tagged(self) -> ImageReference:
        """The reference with a tag, `latest` if it has neither a tag nor a digest."""
        return self if self.tag or self.digest else replace(self, tag="latest")

    def __str__(self) -> str:
        """Return the reference as Docker displays it."""
        return f"{self.name}{self._suffix}"

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def with_tag(self, tag: str) -> ImageReference:
        """Return the reference to another tag of the repository.

        Raises:
            ImageReferenceError: The tag is not valid.
        """
        return replace(self, tag=_check(_TAG, tag, "tag"), digest=None)

    def with_digest(self, digest: str) -> ImageReference:
        """Return the reference to a manifest of the repository.

        Raises:
            ImageReferenceError: The digest is not valid.
        """
        return replace(self, tag=None, digest=_check(_DIGEST, digest, "digest"))


def is_image_id(text: str) -> bool:
    """Return whether a text is the id of an image or the start of one, not a reference."""
    return _PREFIX_OF_ID.fullmatch(text) is not None


def short_name(text: str) -> str:
    """Return the last component of an image's name; a name with variables need not be a valid reference.

    Args:
        text: For example `registry.example/team/shop:1` or `${REGISTRY}/shop:${TAG}`.
    """
    reference = ImageReference.try_parse(text)
    return reference.short_name if reference else text.partition("@")[0].rpartition("/")[2].partition(":")[0]


def is_pinned(text: str) -> bool:
    """Return whether an image has a digest, or a tag other than `latest`."""
    reference = ImageReference.try_parse(text)
    return reference is not None and (reference.digest is not None or reference.tag not in {None, "latest"})


def _is_registry(first: str) -> bool:
    """Return whether the first part of a name is a registry, as Docker decides it."""
    return first == "localhost" or "." in first or ":" in first or first != first.lower()


def _reject_image_id(path: str) -> None:
    if _IMAGE_ID.fullmatch(path):
        raise ImageReferenceError("64 hexadecimal digits are an image id")


def _check(pattern: re.Pattern[str], text: str, part: str) -> str:
    if not pattern.fullmatch(text) or (pattern is _PATH and len(text) > _MAX_PATH):
        raise ImageReferenceError(f"{text[:80]!r} is not a valid {part}")
    return text


def read_tag(text: str) -> ImageReference:
    """Read `name[:tag]` as a caller gives it; the tag defaults to `latest`.

    Raises:
        StageFailure: `image.reference_invalid`.
    """
    reference = _read(text)
    if reference.digest is not None:
        raise IMAGE_REFERENCE_INVALID(f"{text[:200]!r} has a digest", reason="omit the digest")
    return reference.tagged


def read_repository(repository: str, tag: str) -> ImageReference:
    """Read a repository and a tag as a caller gives them separately.

    Raises:
        StageFailure: `image.reference_invalid`.
    """
    reference = _read(repository)
    if reference.tag is not None or reference.digest is not None:
        raise IMAGE_REFERENCE_INVALID(
            f"{repository[:200]!r} has a tag or digest",
            next_actions=[_separate(reference)],
            reason="give the tag separately",
        )
    try:
        return reference.with_tag(tag)
    except ImageReferenceError as error:
        raise IMAGE_REFERENCE_INVALID(f"{tag[:200]!r} is not a valid tag: {error}", reason=str(error)) from error


def _read(text: str) -> ImageReference:
    try:
        return ImageReference.parse(text)
    except ImageReferenceError as error:
        message = f"{text[:200]!r} is not a valid image reference: {error}"
        raise IMAGE_REFERENCE_INVALID(message, reason=str(error)) from error


def _separate(reference: ImageReference) -> NextAction:
    """Suggest the call with the tag as a separate argument. The registry decides the digest."""
    arguments: dict[str, JsonValue] = {"repository": reference.name}
    if reference.tag:
        arguments["tag"] = reference.tag
    return NextAction(why="Give the repository and the tag separately.", arguments=arguments)
