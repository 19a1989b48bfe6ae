"""Reading back from an object what we applied to it, and telling what would change."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_kit.stages.deploy.kubernetes.apply.diff import changes
from container_kit.stages.deploy.kubernetes.apply.managed_fields import identity, last_applied
from support.kubernetes import server_side_apply as ssa
from support.kubernetes.application import manifests

Json = dict[str, Any]


def live_of(manifest: Json, manager: str = "container-kit") -> Json:
    live = ssa.apply(None, manifest, manager)
    live["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 3}
    live["status"] = {"replicas": 1}
    return live


@pytest.mark.parametrize("kind", [one["kind"] for one in manifests(host="a.example.com", max_replicas=5).objects])
def test_what_was_applied_is_read_back_whole(kind: str) -> None:
    (manifest,) = manifests(host="a.example.com", max_replicas=5, env={"A": "1", "B": "2"}).of_kind(kind)
    assert last_applied(live_of(manifest)) == manifest


def test_fields_of_others_are_left_out() -> None:
    (manifest,) = manifests().of_kind("Deployment")
    live = live_of(manifest)
    live["spec"]["paused"] = False
    live["spec"]["template"]["spec"]["containers"].append({"name": "injected", "image": "sidecar:1"})
    live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3"}
    assert last_applied(live) == manifest


def test_an_object_that_we_never_applied_has_no_record() -> None:
    (manifest,) = manifests().of_kind("Deployment")
    live = live_of(manifest, "kubectl")
    assert last_applied(live) is None
    bare = {"name": "web", "namespace": "shop"}
    assert identity(live) == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": bare}


def test_applying_only_the_identity_gives_up_what_we_set_and_leaves_the_rest() -> None:
    (manifest,) = manifests().of_kind("Deployment")
    theirs = live_of(manifest, "kubectl")
    ours = copy.deepcopy(manifest)
    ours["metadata"]["labels"]["team"] = "shop"
    both = ssa.apply(theirs, ours, "container-kit")
    assert both["metadata"]["labels"]["team"] == "shop"
    after = ssa.apply(both, identity(both), "container-kit")
    assert "team" not in after["metadata"]["labels"]
    assert after["spec"] == manifest["spec"]


def test_items_of_a_set_are_read_back() -> None:
    live = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "a",
            "finalizers": ["theirs", "ours"],
            "managedFields": [
                {
                    "manager": "container-kit",
                    "operation": "Apply",
                    "fieldsV1": {"f:metadata": {"f:finalizers": {'v:"ours"': {}}}},
                }
            ],
        },
    }
    found = last_applied(live)
    assert found is not None
    assert found["metadata"]["finalizers"] == ["ours"]


VALUES = st.recursive(
    st.integers() | st.text(max_size=5) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcd", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), VALUES, max_size=4))
def test_any_content_is_read_back(content: Json) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": content}
    found = last_applied(live_of(manifest))
    assert found is not None
    assert found.get("data") == content


def test_changes_are_reported_by_path() -> None:
    (before,) = manifests(env={"A": "1"}).of_kind("Deployment")
    (after,) = manifests(env={"A": "2", "B": "x"}, replicas=3).of_kind("Deployment")
    container = "Deployment/web: spec.template.spec.containers[web].env"
    assert changes(before, after) == [
        "Deployment/web: spec.replicas: 2 → 3",
        f"{container}[A].value: 1 → 2",
        f"{container}[B]: added {{'name': 'B', 'value': 'x'}}",
    ]
    assert changes(after, after) == []
    assert changes(None, after) == ["Deployment/web: new"]


def test_values_of_secrets_are_not_reported() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"a": "hunter22"}}
    other = {**secret, "stringData": {"a": "hunter23", "b": "hunter24"}}
    assert "hunter" not in " ".join(changes(secret, other))
    assert len(changes(secret, other)) == 2


def test_many_changes_are_cut_and_counted() -> None:
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {}}
    many = {**one, "data": {f"k{n}": "v" for n in range(100)}}
    lines = changes(one, many)
    assert len(lines) == 41
    assert lines[-1] == "ConfigMap/x: 60 more changes"
