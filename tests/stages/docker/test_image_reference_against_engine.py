"""Image references compared with the engine: the names that it gives to images, and the texts that it rejects."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from docker import APIClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container_kit.stages.docker.image_reference import ImageReference, ImageReferenceError

pytestmark = pytest.mark.engine

DIGEST = "sha256:" + "0123456789abcdef" * 4
NAMES = [
    "{name}", "{name}:1", "{name}:_T.-", "library/{name}", "docker.io/{name}", "docker.io/library/{name}:1",
    "index.docker.io/{name}", "index.docker.io/library/{name}:2", "index.docker.io/a/{name}", "team/{name}",
    "library/a/{name}", "docker.io/library/a/{name}", "localhost/{name}", "localhost:5000/{name}:1", "r.example/{name}",
    "r.example:443/a/b__c/{name}", "docker.io:443/{name}", "127.0.0.1:5000/{name}", "a/b--c/{name}", "a.b/{name}",
    "a/library/{name}", "notlocalhost/{name}",
]  # fmt: skip


@pytest.mark.parametrize("template", NAMES)
def test_the_engine_displays_a_tag_as_we_do(
    docker_api: APIClient, unique: Callable[[], str], tiny_image: str, template: str
) -> None:
    reference = ImageReference.parse(template.format(name=unique()))
    repository = f"{reference.registry}/{reference.path}"
    before = set(docker_api.inspect_image(tiny_image)["RepoTags"])
    docker_api.tag(tiny_image, template_repository(template, reference), reference.tag)
    (displayed,) = set(docker_api.inspect_image(tiny_image)["RepoTags"]) - before
    docker_api.remove_image(displayed, noprune=True)
    assert displayed == str(reference.tagged)
    docker_api.tag(tiny_image, repository, reference.tag)
    (canonical,) = set(docker_api.inspect_image(tiny_image)["RepoTags"]) - before
    docker_api.remove_image(canonical, noprune=True)
    assert canonical == displayed


def template_repository(template: str, reference: ImageReference) -> str:
    """The repository as the template writes it, without the tag."""
    name = reference.path.rpartition("/")[2]
    return template.format(name=name).removesuffix(f":{reference.tag}")


def is_valid_for_engine(api: APIClient, text: str) -> bool:
    """Return whether the engine looks for an image of this name, instead of rejecting the name."""
    response = api.post(f"{api.base_url}/v{api.api_version}/containers/create", json={"Image": text}, timeout=30)
    assert response.status_code in (400, 404), response.text
    return bool(response.status_code == 404)


DIGESTS = [DIGEST, DIGEST[:-1], DIGEST.upper(), f"sha512:{'0' * 128}", f"md5:{'0' * 32}", "sha256:"]
PIECES = [
    "a",
    "b0",
    "_",
    "__",
    "___",
    ".",
    "-",
    "--",
    "/",
    "//",
    ":",
    "@",
    "5000",
    "localhost",
    "docker.io",
    "t" * 128,
    *DIGESTS,
]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)


@contextlib.contextmanager
def suppress_invalid_registry() -> Iterator[None]:
    try:
        yield
    except ImageReferenceError as error:
        if "registry" not in str(error):
            raise


@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TEXTS)
def test_the_engine_and_we_reject_the_same_texts(docker_api: APIClient, text: str) -> None:
    text = f"x{text}"  # not the start of the id of an image
    if is_valid_for_engine(docker_api, text):
        # A registry that is not a valid host is a part of the path for the engine. No registry has such a name.
        with suppress_invalid_registry():
            ImageReference.parse(text)
    else:
        with pytest.raises(ImageReferenceError):
            ImageReference.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x:" + "t" * 128, True), ("x:" + "t" * 129, False), ("r.example/" + "a" * 256, False), ("a/" + "b" * 243, True)],
)
def test_the_engine_has_the_same_limits(docker_api: APIClient, text: str, expected: bool) -> None:
    assert is_valid_for_engine(docker_api, text) is expected
    assert (ImageReference.try_parse(text) is not None) is expected
