"""Protection and limits belong to a place: no other name for it, and no way around names, passes them by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from container_kit.server import settings
from container_kit.stages.artifacts.target import Limits, Target
from container_kit.stages.deploy.places import resolve_targets


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes a kubeconfig of contexts with a server and a namespace each; the first one is current."""

    def write(**contexts: tuple[str, str]) -> None:
        content = {
            "clusters": [{"name": name, "cluster": {"server": server}} for name, (server, _) in contexts.items()],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": "u", "namespace": namespace}}
                for name, (_, namespace) in contexts.items()
            ],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "current-context": next(iter(contexts)),
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(content))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    return write


def cluster(name: str, **fields: Any) -> Target:
    return Target(name=name, kind="kubernetes", **fields)


def protection(*targets: Target) -> dict[str, tuple[bool, int | None]]:
    return {target.name: (target.protected, target.limits.replicas) for target in resolve_targets(targets)}


STRICT: dict[str, Any] = {"protected": True, "limits": Limits(replicas=2)}


def test_all_names_of_the_engine_share_its_strictest_settings() -> None:
    found = resolve_targets(
        (
            Target(name="a", protected=True, limits=Limits(memory_mb=64)),
            Target(name="b", limits=Limits(memory_mb=512, cpus=0.5)),
            Target(name="local"),
        )
    )
    assert {(t.protected, t.limits.memory_mb, t.limits.cpus) for t in found} == {(True, 64, 0.5)}


@pytest.mark.parametrize(
    "server",
    [
        *("https://127.0.0.1:16443", "https://localhost:16443", "https://LOCALHOST:16443/", "https://127.1.2.3:16443"),
        *("https://[::1]:16443", "https://localhost.:16443"),
    ],
)
def test_another_context_or_address_of_the_same_server_is_the_same_place(
    server: str, kubeconfig: Callable[..., None]
) -> None:
    kubeconfig(prod=("https://127.0.0.1:16443", "shop"), other=(server, "shop"))
    found = protection(cluster("prod", context="prod", **STRICT), cluster("dev", context="other"))
    assert found == {"prod": (True, 2), "dev": (True, 2)}


@pytest.mark.parametrize(
    ("server", "namespace"),
    [("https://127.0.0.1:16443", "dev"), ("https://127.0.0.1:16444", "shop"), ("https://127.0.0.1:16443/b", "shop")],
)
def test_another_namespace_or_server_is_another_place(
    server: str, namespace: str, kubeconfig: Callable[..., None]
) -> None:
    kubeconfig(prod=("https://127.0.0.1:16443", "shop"), other=(server, namespace))
    found = protection(cluster("prod", context="prod", **STRICT), cluster("dev", context="other"))
    assert found["dev"] == (False, None)


def test_a_target_without_context_and_namespace_has_those_of_the_start(kubeconfig: Callable[..., None]) -> None:
    kubeconfig(lab=("https://127.0.0.1:1", "team"), prod=("https://127.0.0.1:2", "shop"))
    [found] = resolve_targets((cluster("dev"),))
    assert (found.context, found.namespace) == ("lab", "team")


def test_the_namespace_of_a_context_is_compared_with_one_that_is_named(kubeconfig: Callable[..., None]) -> None:
    kubeconfig(lab=("https://127.0.0.1:1", "shop"))
    found = protection(cluster("prod", namespace="shop", **STRICT), cluster("dev"))
    assert found["dev"] == (True, 2)


def test_a_target_whose_place_is_not_known_is_as_strict_as_every_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "appears-later"))
    found = protection(cluster("prod", context="prod", **STRICT), cluster("dev"), Target(name="here"))
    assert found == {"prod": (True, 2), "dev": (True, 2), "here": (False, None)}


def test_the_settings_resolve_targets_once(
    kubeconfig: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig(lab=("https://127.0.0.1:1", "team"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTAINER_KIT_TARGETS", '{"dev": {"kind": "kubernetes"}}')
    loaded = settings.load()
    before = loaded.deployment_targets
    kubeconfig(prod=("https://127.0.0.1:2", "shop"))
    assert loaded.deployment_targets == before
    assert before[0].context == "lab"
