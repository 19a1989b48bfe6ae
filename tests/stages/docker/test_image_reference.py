"""Image references: the cases of github.com/distribution/reference, and what Docker makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.image_reference import (
    ImageReference,
    ImageReferenceError,
    read_repository,
    read_tag,
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
    ],
)  # fmt: skip
def test_a_text_outside_the_grammar_is_rejected(text: str) -> None:
    with pytest.raises(ImageReferenceError):
        ImageReference.parse(text)


@given(st.text(alphabet="aA0_.-/:@[]%é\n"))
def test_a_parsed_reference_is_parsed_again_to_the_same_reference(text: str) -> None:
    try:
        reference = ImageReference.parse(text)
    except ImageReferenceError:
        return
    assert ImageReference.parse(str(reference)) == reference


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
