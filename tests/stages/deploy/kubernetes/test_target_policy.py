"""What a configured target decides, and that nobody leaves it."""

from __future__ import annotations

from typing import Any

import pytest

from container_kit.stages.artifacts.kubernetes import KubernetesOptions
from container_kit.stages.artifacts.target import Limits, Target
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.target_policy import apply_target, require_namespace

LIMITS = Limits(replicas=3, memory_mb=200, cpus=0.5)
PROD = Target(name="prod", kind="kubernetes", context="prod", namespace="shop", registry="registry.test", limits=LIMITS)


def test_what_the_target_says_holds_where_the_caller_says_nothing() -> None:
    found = apply_target(KubernetesOptions(), PROD)
    assert (found.kube_context, found.namespace, found.registry) == ("prod", "shop", "registry.test")
    assert (found.memory, found.memory_limit, found.cpu, found.cpu_limit) == ("128Mi", "200Mi", "100m", "500m")


def test_without_a_target_the_options_stay_as_they_are() -> None:
    options = KubernetesOptions(namespace="other")
    assert apply_target(options, None) == options


def test_only_without_configured_targets_is_the_place_the_callers_choice() -> None:
    options = KubernetesOptions(namespace="other", kube_context="lab")
    found = apply_target(options, Target(name="kubernetes", kind="kubernetes", implicit=True))
    assert (found.namespace, found.kube_context) == ("other", "lab")


@pytest.mark.parametrize("option", [{"kube_context": "prod"}, {"namespace": "shop"}])
def test_a_place_that_a_target_leaves_open_is_the_default_one(option: dict[str, Any]) -> None:
    with pytest.raises(StageFailure) as caught:
        apply_target(KubernetesOptions(**option), Target(name="lab", kind="kubernetes"))
    assert caught.value.fault.code == "deploy.option_invalid"


@pytest.mark.parametrize("option", [{"kube_context": "lab"}, {"namespace": "kube-system"}, {"registry": "evil.test"}])
def test_another_place_is_refused_by_name(option: dict[str, Any]) -> None:
    with pytest.raises(StageFailure) as caught:
        apply_target(KubernetesOptions(**option), PROD)
    assert caught.value.fault.code == "deploy.option_invalid"
    assert next(iter(option)) in caught.value.fault.hint


@pytest.mark.parametrize(
    ("option", "limit"),
    [
        ({"replicas": 4}, 3),
        ({"max_replicas": 9}, 3),
        ({"memory_limit": "1Gi"}, "200Mi"),
        ({"memory": "201Mi"}, "200Mi"),
        ({"cpu_limit": "501m"}, "500m"),
    ],
)
def test_more_than_is_allowed_is_refused_with_what_is(option: dict[str, Any], limit: object) -> None:
    with pytest.raises(StageFailure) as caught:
        apply_target(KubernetesOptions(**option), PROD)
    assert caught.value.fault.code == "target.over_limit"
    assert caught.value.fault.next_actions[0].arguments == {next(iter(option)): limit}


@pytest.mark.parametrize(
    "found",
    [
        {"kind": "Secret", "metadata": {"name": "x", "namespace": "kube-system"}},
        {"kind": "Service", "metadata": {"name": "x", "namespace": "Shop"}},
    ],
)
def test_own_objects_outside_the_targets_namespace_are_refused(found: dict[str, Any]) -> None:
    with pytest.raises(StageFailure) as caught:
        require_namespace([found], PROD)
    assert found["kind"] in caught.value.fault.message
    require_namespace([found], None)


def test_own_objects_inside_the_targets_namespace_pass() -> None:
    require_namespace([{"kind": "Service", "metadata": {"name": "x", "namespace": "shop"}},
                 {"kind": "Service", "metadata": {"name": "y"}}], PROD)  # fmt: skip
