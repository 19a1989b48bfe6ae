"""Hostile names, labels, quantities, ports and paths: a valid, harmless manifest, or a fault that names the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container_kit.stages.artifacts.kubernetes import (
    ClusterImage,
    KubernetesOptions,
    ManifestLayout,
    Manifests,
)
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes import validation as fields
from container_kit.stages.deploy.kubernetes.manifests.application import combine
from container_kit.stages.deploy.kubernetes.manifests.generate import objects
from container_kit.stages.deploy.kubernetes.manifests.layouts import render_layout
from container_kit.stages.deploy.kubernetes.manifests.user_manifests import read_user_manifests
from container_kit.stages.deploy.kubernetes.manifests.write_manifests import WriteManifests
from container_kit.stages.deploy.kubernetes.manifests.yaml_text import read, write
from support.kubernetes.schema import validator
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

Json = dict[str, Any]

NASTY = st.sampled_from(
    [
        "", " ", "a\n", "-a", "a-", "A", "a_b", "..", "../x", "/", "//", "/etc", "/proc/1", "/tmp/../etc", "a:b", "a/b",
        "0", "-1", "1e3", "1Zi", "0Mi", "1.5.5", "NaN", "٣", "128Mi\n", "$(x)", "{{ x }}", "'; drop", '"', "a: b",
        "- x", "!!python/object:os", "&a *a", "kube-system", "1.2.3.4", "*", "*.*.x", "x" * 64, "x" * 300, "é", "\x00",
        "\ud800", "\u2028", "no", "y", "~", "null", "x@sha256:1", "x:y:z", "app.kubernetes.io/name", "k8s.io/x", "<<",
    ]
)  # fmt: skip
TEXT = NASTY | st.text(max_size=40) | st.from_regex(r"[a-z][a-z0-9./:_-]{0,20}", fullmatch=True)
PAIRS = st.dictionaries(TEXT, TEXT, max_size=3)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "name": TEXT,
        "namespace": TEXT,
        "health_path": TEXT,
        "cpu": TEXT,
        "cpu_limit": TEXT,
        "memory": TEXT,
        "memory_limit": TEXT,
        "host": TEXT,
        "tls_secret": TEXT,
        "pull_secret": TEXT,
        "ingress_class": TEXT,
        "ingress_namespace": TEXT,
        "labels": PAIRS,
        "env": PAIRS,
        "secret_env": PAIRS,
        "config_env": PAIRS,
        "command": TEXTS,
        "args": TEXTS,
        "writable_paths": TEXTS,
        "egress_ports": st.lists(st.integers(-1, 70000), max_size=3).map(tuple),
    },
)


def made(changes: Json, image: str = "registry.test/web:1") -> list[Json] | StageFailure:
    options = KubernetesOptions(**{"port": 8080, **changes})
    try:
        return objects(combine(options, ClusterImage(reference=image), options.namespace or "shop", None, None))
    except StageFailure as failure:
        return failure


def harmless(found: list[Json]) -> None:
    """What the schema does not say: names, quantities, selectors, and nothing that a caller smuggled in."""
    for one in found:
        assert fields.object_name("name", one["metadata"]["name"])
        assert one["metadata"]["namespace"] == found[0]["metadata"]["namespace"] != "kube-system"
    pod = next(o for o in found if o["kind"] == "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
    assert container["securityContext"]["privileged"] is False
    assert all(set(volume) == {"name", "emptyDir"} for volume in pod["volumes"])
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert len(set(mounts)) == len(mounts)
    assert not any(mount.startswith(("/etc", "/proc", "/sys", "/dev")) or ":" in mount for mount in mounts)
    for kind in ("cpu", "memory"):
        least = fields.quantity(kind, container["resources"]["requests"][kind])
        assert 0 < least <= fields.quantity(kind, container["resources"]["limits"][kind])


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES)
def test_any_option_gives_a_valid_manifest_or_a_fault_that_names_the_field(changes: Json) -> None:
    found = made(changes)
    if isinstance(found, StageFailure):
        assert found.fault.code in ("deploy.option_invalid", "kubernetes.secret_literal")
        named = found.fault.message.split()[0].split("[")[0].removesuffix("_limit")
        asked = {field.removesuffix("_limit") for field in changes} | {
            name for field in changes for name in _keys(changes[field])
        }
        assert named in asked
        return
    for one in found:
        validator(one["kind"], one["apiVersion"]).validate(one)
    harmless(found)
    text = write(found)
    assert list(yaml.safe_load_all(text)) == json.loads(json.dumps(found))
    assert read(text, "x.yaml") == found


def _keys(value: Any) -> list[str]:
    return [key.split()[0] if key.split() else "" for key in value] if isinstance(value, dict) else []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES)
def test_what_can_be_made_can_be_laid_out(changes: Json) -> None:
    found = made(changes)
    if isinstance(found, list):
        manifests = Manifests(name=found[0]["metadata"]["name"], namespace="shop", objects=tuple(found))
        for path, text in render_layout(manifests, "helm").files.items():
            assert not path.startswith("/")
            assert ".." not in path
            assert (
                text.count("{{") == text.count("}}") or not path.startswith("templates/") or "}}" in json.dumps(found)
            )


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_any_image_reference_is_a_valid_one_or_refused(reference: str) -> None:
    found = made({}, reference)
    if isinstance(found, list):
        assert " " not in reference
        assert reference == reference.strip()
        assert not reference.startswith(("-", "/", ".", ":"))
    else:
        assert found.fault.message.startswith("image ")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_a_name_can_be_made_of_any_text(text: str) -> None:
    assert fields.application_name("name", fields.slug(text))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=30) | NASTY, max_size=4))
def test_every_text_survives_yaml(values: dict[str, str]) -> None:
    try:
        plain = {fields.text("key", key): fields.text("value", value) for key, value in values.items()}
    except StageFailure:
        return
    assert yaml.safe_load(write([plain])) == plain


@pytest.mark.parametrize(
    "word", ["yes", "y", "N", "on", "null", "~", "1e3", "0x1f", "0o14", "1_000", "12:30", "2026-01-01", ".5"]
)
def test_a_word_that_readers_disagree_on_is_quoted(word: str) -> None:
    assert f'"{word}"' in write([{"value": word}])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cpu", "2"), ("memory", "1Gi"), ("memory_limit", "1"), ("memory_limit", "999999Ti"), ("name", "x" * 51),
        ("namespace", "kube-system"), ("host", "10.0.0.1"), ("health_path", "healthz"), ("writable_paths", ("/etc/x",)),
        ("writable_paths", ("/",)), ("labels", {"app.kubernetes.io/name": "evil"}), ("env", {"1X": "y"}),
        ("secret_env", {"X": "no-key"}), ("registry", "https://r.test"), ("egress_ports", (0,)),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_its_fields_name_and_the_rule(field: str, value: Any) -> None:
    found = made({field: value})
    assert isinstance(found, StageFailure)
    assert found.fault.code == "deploy.option_invalid"
    assert field in found.fault.message
    assert field in found.fault.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a: b\nc: [}", "web.yaml:2"),
        ("just text", "apiVersion"),
        ("kind: Pod\napiVersion: v1", "metadata.name"),
        ("a: &a [x]\nkind: Pod\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "".join(
            f"{chr(99 + i)}: &{chr(99 + i)} [{','.join(['*' + chr(98 + i)] * 10)}]\n" for i in range(6)), "nodes"),
        ("kind: &k Pod\na: &a {b: *a}", "alias"),
        ("!!python/object/apply:os.system ['true']", "python"),
    ],
)  # fmt: skip
def test_yaml_that_is_not_a_manifest_is_refused(content: str, says: str) -> None:
    with pytest.raises(StageFailure, match="yaml_invalid") as caught:
        read(content, "web.yaml")
    assert "web.yaml" in caught.value.fault.message
    assert says in caught.value.fault.message + caught.value.fault.hint


def test_a_list_is_taken_apart() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    assert read(json.dumps({"apiVersion": "v1", "kind": "List", "items": [service]}), "x") == [service]


SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["\x00", "a\x00b", "a\nb", "\ud800", "x" * 300, "../x", "/etc", "a/../../x"])
async def test_a_path_that_leads_elsewhere_or_has_no_match_is_a_fault(path: str, ctx: Contexts, tmp_path: Path) -> None:
    found = Manifests(name="web", namespace="shop", objects=(SERVICE,))  # type: ignore[arg-type]
    with pytest.raises(StageFailure, match=r"path\."):
        await execute(WriteManifests(), ctx(), found, Source(path=str(tmp_path)), ManifestLayout(folder=path))
    with pytest.raises(StageFailure, match=r"path\."):
        await read_user_manifests(ctx(), str(tmp_path), path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["~/x", "$(x)", "; rm -rf x", "a/./b", "é"])
async def test_a_path_is_nothing_but_a_name_below_the_source(path: str, ctx: Contexts, tmp_path: Path) -> None:
    found = Manifests(name="web", namespace="shop", objects=(SERVICE,))  # type: ignore[arg-type]
    written = await execute(WriteManifests(), ctx(), found, Source(path=str(tmp_path)), ManifestLayout(folder=path))
    assert Path(written.folder).is_relative_to(tmp_path)
    assert len(await read_user_manifests(ctx(), str(tmp_path), path)) == 1
