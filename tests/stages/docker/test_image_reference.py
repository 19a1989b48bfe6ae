"""Image references: the cases of github.com/distribution/reference, and what Docker makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.image_reference import (
    ImageReference,
    ImageReferenceError,
    is_image_id,
    is_pinned,
    read_repository,
    read_tag,
    short_name,
)

DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE_ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "registry", "path", "tag", "digest", "shown"),
    [
        # reference_test.go and normalize_test.go of distribution/reference 0.6
        ("test_com", "docker.io", "library/test_com", None, None, "test_com"),
        ("test.com:tag", "docker.io", "library/test.com", "tag", None, "test.com:tag"),
        ("test.com:5000", "docker.io", "library/test.com", "5000", None, "test.com:5000"),
        ("test.com/repo:tag", "test.com", "repo", "tag", None, "test.com/repo:tag"),
        ("test:5000/repo", "test:5000", "repo", None, None, "test:5000/repo"),
        ("test:5000/repo:tag", "test:5000", "repo", "tag", None, "test:5000/repo:tag"),
        (f"test:5000/repo@{DIGEST}", "test:5000", "repo", None, DIGEST, f"test:5000/repo@{DIGEST}"),
        (f"test:5000/repo:tag@{DIGEST}", "test:5000", "repo", "tag", DIGEST, f"test:5000/repo:tag@{DIGEST}"),
        ("sub-dom1.foo.com/bar/baz", "sub-dom1.foo.com", "bar/baz", None, None, "sub-dom1.foo.com/bar/baz"),
        ("foo_bar.com:8080", "docker.io", "library/foo_bar.com", "8080", None, "foo_bar.com:8080"),
        ("foo/foo_bar.com:8080", "docker.io", "foo/foo_bar.com", "8080", None, "foo/foo_bar.com:8080"),
        ("192.168.1.1:8080/a", "192.168.1.1:8080", "a", None, None, "192.168.1.1:8080/a"),
        ("[2001:db8::1]:5000/repo:tag", "[2001:db8::1]:5000", "repo", "tag", None, "[2001:db8::1]:5000/repo:tag"),
        ("[fd00:1:2::3]/repo", "[fd00:1:2::3]", "repo", None, None, "[fd00:1:2::3]/repo"),
        ("docker.io/foo/bar", "docker.io", "foo/bar", None, None, "foo/bar"),
        ("library/ubuntu", "docker.io", "library/ubuntu", None, None, "ubuntu"),
        ("index.docker.io/library/redis", "docker.io", "library/redis", None, None, "redis"),
        ("localhost/a", "localhost", "a", None, None, "localhost/a"),
        ("HOST/a", "HOST", "a", None, None, "HOST/a"),
        ("Registry.Example.com/a/b__c:T", "Registry.Example.com", "a/b__c", "T", None, "Registry.Example.com/a/b__c:T"),
        ("a/b---c.d__e", "docker.io", "a/b---c.d__e", None, None, "a/b---c.d__e"),
        ("library/a/b", "docker.io", "library/a/b", None, None, "library/a/b"),
        ("docker.io/library/a/b:1", "docker.io", "library/a/b", "1", None, "library/a/b:1"),
        (f"a@sha512:{'0' * 128}", "docker.io", "library/a", None, f"sha512:{'0' * 128}", f"a@sha512:{'0' * 128}"),
        ("r.example/x:" + "t" * 128, "r.example", "x", "t" * 128, None, "r.example/x:" + "t" * 128),
    ],
)  # fmt: skip
def test_a_reference_is_parsed_as_docker_parses_it(
    text: str, registry: str, path: str, tag: str | None, digest: str | None, shown: str
) -> None:
    reference = ImageReference.parse(text)
    assert (reference.registry, reference.path, reference.tag, reference.digest) == (registry, path, tag, digest)
    assert str(reference) == shown
    assert ImageReference.parse(shown) == reference


@pytest.mark.parametrize(
    "text",
    [
        "", ":justtag", "@sha256:ffff", f"repo@{DIGEST[:34]}", f"validname@invaliddigest:{IMAGE_ID[:20]}",
        "Uppercase:tag", "test:5000/Uppercase/lowercase:tag", "-foo/bar", "foo.com/quux-", "foo///bar", "foo/bar/",
        "aa/asdf$$^/aa", "a b", "a:", "a:b:c", "a//b", "-a", "a:-1", "a:" + "t" * 129, "r.example/" + "a" * 256,
        IMAGE_ID, "../a", "a\n", "a:t\n", "é", "[]/x", "[::1/x", "r.example:port/x", "-r.example/x", "r.example-/x",
        "a_/b", "a/_b", "a..b", "a___b", "r..example/x",
        # go-digest: the algorithm is registered, its length is right, and the digits are in lower case
        f"a@sha256:{'0' * 63}", f"a@sha256:{'0' * 65}", f"a@sha256:{'A' * 64}", f"a@md5:{'0' * 32}",
        f"a@{DIGEST}@{DIGEST}", f"a@{DIGEST}:t", "a@sha256:",
    ],
)  # fmt: skip
def test_a_text_outside_the_grammar_is_rejected(text: str) -> None:
    with pytest.raises(ImageReferenceError):
        ImageReference.parse(text)


PIECES = [
    "a",
    "b0",
    "A",
    "_",
    "__",
    ".",
    "-",
    "/",
    ":",
    "@",
    "[::1]",
    "5000",
    "localhost",
    "docker.io",
    "library",
    DIGEST,
]


@given(st.text(alphabet="aA0_.-/:@[]%é\n") | st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_a_parsed_reference_is_parsed_again_to_the_same_reference(text: str) -> None:
    try:
        reference = ImageReference.parse(text)
    except ImageReferenceError:
        return
    assert ImageReference.parse(str(reference)) == reference
    assert ImageReference.parse(reference.canonical) == reference
    assert ImageReference.try_parse(text) == reference


COMPONENTS = st.from_regex(r"\A[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z").filter(lambda text: len(text) < 20)
HOSTS = st.from_regex(r"\A[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9]+)+(?::[0-9]+)?\Z")
TAGS = st.from_regex(r"\A[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}\Z")


@given(HOSTS, st.lists(COMPONENTS, min_size=1, max_size=3), st.none() | TAGS, st.none() | st.just(DIGEST))
def test_parts_in_the_grammar_are_parsed_to_themselves(
    host: str, components: list[str], tag: str | None, digest: str | None
) -> None:
    path = "/".join(components)
    text = f"{host}/{path}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    reference = ImageReference.parse(text)
    assert (reference.registry, reference.path, reference.tag, reference.digest) == (host, path, tag, digest)
    assert str(reference) == reference.canonical == text


@given(st.text())
def test_any_folder_name_becomes_a_valid_reference(name: str) -> None:
    reference = ImageReference.from_folder(name)
    assert ImageReference.parse(str(reference)) == reference


def test_a_folder_name_stays_recognisable() -> None:
    assert str(ImageReference.from_folder("My Café App!")) == "my-caf-app:latest"
    assert str(ImageReference.from_folder("日本")) == "app:latest"


def test_parts_of_a_reference_are_named() -> None:
    reference = ImageReference.parse("r.example:5000/team/shop:1")
    assert (reference.name, reference.short_name) == ("r.example:5000/team/shop", "shop")
    assert str(reference.with_tag("2")) == "r.example:5000/team/shop:2"
    assert str(reference.with_digest(DIGEST)) == f"r.example:5000/team/shop@{DIGEST}"
    assert str(ImageReference.parse("shop").tagged) == "shop:latest"


def test_the_canonical_reference_has_the_registry() -> None:
    assert ImageReference.parse("debian:12").canonical == "docker.io/library/debian:12"
    assert ImageReference.parse("localhost:5000/a").canonical == "localhost:5000/a"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("debian", "docker.io", None),
        ("r.example:5000/a", "r.example", 5000),
        ("[::1]:5000/a", "[::1]", 5000),
        ("[fd00::3]/a", "[fd00::3]", None),
        ("localhost/a", "localhost", None),
    ],
)
def test_the_registry_has_a_host_and_a_port(text: str, host: str, port: int | None) -> None:
    reference = ImageReference.parse(text)
    assert (reference.host, reference.port) == (host, port)


def test_a_text_that_may_be_something_else_is_parsed_to_nothing_instead_of_an_error() -> None:
    assert ImageReference.try_parse("${REGISTRY}/app:${TAG}") is None


@pytest.mark.parametrize("digest", ["", "0" * 64, "sha256:0", f"sha256:{'Z' * 64}"])
def test_a_reference_by_an_invalid_digest_is_rejected(digest: str) -> None:
    with pytest.raises(ImageReferenceError, match="digest"):
        ImageReference.parse("a").with_digest(digest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (IMAGE_ID, True), (f"sha256:{IMAGE_ID}", True), (IMAGE_ID[:12], True), (f"sha256:{IMAGE_ID[:12]}", True),
        (IMAGE_ID[:11], False), ("debian", False), (f"{IMAGE_ID}0", False), (f"a@{DIGEST}", False),
        (IMAGE_ID.upper(), False),
    ],
)  # fmt: skip
def test_ids_of_images_are_recognised(text: str, expected: bool) -> None:
    assert is_image_id(text) is expected


def test_a_tag_defaults_to_latest_and_a_digest_is_rejected() -> None:
    assert str(read_tag("team/app")) == "team/app:latest"
    assert str(read_tag("team/app:1")) == "team/app:1"
    with pytest.raises(StageFailure, match=r"image\.reference_invalid"):
        read_tag(f"team/app@{DIGEST}")


@pytest.mark.parametrize(
    ("repository", "tag"),
    [("Shop", "1"), ("r.example/x", ""), ("r.example/x", "-1"), ("r.example/x", "a/b"), ("r.example/x", "a" * 129)],
)
def test_an_invalid_repository_or_tag_is_a_fault(repository: str, tag: str) -> None:
    with pytest.raises(StageFailure, match=r"image\.reference_invalid"):
        read_repository(repository, tag)


@pytest.mark.parametrize(
    ("repository", "arguments"),
    [
        ("r.example:5000/shop:1", {"repository": "r.example:5000/shop", "tag": "1"}),
        (f"r.example/shop@{DIGEST}", {"repository": "r.example/shop"}),
    ],
)
def test_a_repository_with_a_tag_or_digest_is_a_fault_with_the_corrected_call(
    repository: str, arguments: dict[str, str]
) -> None:
    with pytest.raises(StageFailure) as failed:
        read_repository(repository, "1")
    assert failed.value.fault.code == "image.reference_invalid"
    assert failed.value.fault.next_actions[0].arguments == arguments


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("registry.example:5000/team/shop:1", "shop"),
        ("shop", "shop"),
        (f"shop@{DIGEST}", "shop"),
        ("${REGISTRY}/team/shop:${TAG:-1}", "shop"),
        ("$REGISTRY/shop@$DIGEST", "shop"),
    ],
)
def test_the_short_name_of_an_image_is_known_also_with_variables(text: str, name: str) -> None:
    assert short_name(text) == name


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ("debian:12", True),
        (f"debian@{DIGEST}", True),
        (f"debian:latest@{DIGEST}", True),
        ("debian", False),
        ("debian:latest", False),
        ("registry.example:5000/debian", False),
    ],
)
def test_an_image_is_pinned_by_a_digest_or_a_tag_other_than_latest(text: str, pinned: bool) -> None:
    assert is_pinned(text) is pinned
