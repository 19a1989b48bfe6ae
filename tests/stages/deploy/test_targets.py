"""Targets by name: those that are configured, the local engine without a name, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from container_kit.pipelines import catalog
from container_kit.pipelines.request import PipelineRequest
from container_kit.stages.artifacts.target import Target, TargetSelector
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.targets import ChooseTarget
from support.pipelines.contexts import Contexts

pytestmark = pytest.mark.anyio

SHOP = Target(name="shop", protected=True)
CLUSTER = Target(name="cluster", kind="kubernetes", context="kind-dev")


async def chosen(ctx: Contexts, name: str | None, *targets: Target) -> Target:
    return await ChooseTarget(targets).execute(ctx(), TargetSelector(deploy_to=name))


async def test_without_a_name_it_is_the_only_target_that_fits(ctx: Contexts) -> None:
    assert await chosen(ctx, None, SHOP, CLUSTER) == SHOP


async def test_without_any_target_it_is_the_local_engine_unprotected(ctx: Contexts) -> None:
    for name in (None, "local"):
        found = await chosen(ctx, name)
        assert (found.name, found.kind, found.protected) == ("local", "local", False)


@pytest.mark.parametrize("kinds", [("local",), ("kubernetes",), ("local", "kubernetes")])
async def test_once_a_target_is_configured_nothing_else_can_be_deployed_to(kinds: Any, ctx: Contexts) -> None:
    only = CLUSTER if "local" in kinds else SHOP
    for name in ("local", "kubernetes", "", "LOCAL", " local"):
        with pytest.raises(StageFailure) as failure:
            await ChooseTarget((only,), kinds).execute(ctx(), TargetSelector(deploy_to=name))
        assert failure.value.fault.code == "target.not_found"
    if only.kind not in kinds:
        with pytest.raises(StageFailure) as failure:
            await ChooseTarget((only,), kinds).execute(ctx(), TargetSelector())
        assert failure.value.fault.code == "target.kind_unsupported"


async def test_of_several_local_targets_one_has_to_be_named(ctx: Contexts) -> None:
    with pytest.raises(StageFailure) as failure:
        await chosen(ctx, None, SHOP, Target(name="lab"))
    assert [action.arguments for action in failure.value.fault.next_actions] == [
        {"deploy_to": "shop"},
        {"deploy_to": "lab"},
    ]


async def test_a_configured_target_is_found_by_its_name(ctx: Contexts) -> None:
    assert await chosen(ctx, "shop", SHOP, CLUSTER) == SHOP


async def test_the_local_engine_can_be_configured_too(ctx: Contexts) -> None:
    guarded = Target(name="local", protected=True)
    assert (await chosen(ctx, None, guarded)).protected


async def test_an_unknown_name_is_refused_with_those_there_are(ctx: Contexts) -> None:
    with pytest.raises(StageFailure) as failure:
        await chosen(ctx, "shpo", SHOP)
    fault = failure.value.fault
    assert fault.code == "target.not_found"
    assert [action.arguments for action in fault.next_actions] == [{"deploy_to": "shop"}]
    assert "shop" in fault.hint


async def test_a_target_of_another_kind_is_refused_with_those_that_fit(ctx: Contexts) -> None:
    with pytest.raises(StageFailure) as failure:
        await chosen(ctx, "cluster", CLUSTER, SHOP)
    assert failure.value.fault.code == "target.kind_unsupported"
    assert "shop" in failure.value.fault.hint


async def test_an_unknown_target_ends_a_full_deployment_before_anything_is_built() -> None:
    request = PipelineRequest(type="full-deployment", input={"path": ".", "deploy_to": "nowhere"})
    pipeline = catalog.pipeline("full-deployment", (SHOP,))
    response = await pipeline.run(*pipeline.plan().parse_input(request))
    assert response.fault is not None
    assert response.fault.code == "target.not_found"
    assert {stage.status for stage in response.stages[1:]} == {"not_run"}


async def test_a_cluster_is_the_only_one_that_is_configured_or_the_kubeconfigs(ctx: Contexts) -> None:
    assert await ChooseTarget((SHOP, CLUSTER), ("kubernetes",)).execute(ctx(), TargetSelector()) == CLUSTER
    found = await ChooseTarget((), ("kubernetes",)).execute(ctx(), TargetSelector())
    assert (found.kind, found.implicit) == ("kubernetes", True)


async def test_of_several_clusters_one_has_to_be_named(ctx: Contexts) -> None:
    another = CLUSTER.model_copy(update={"name": "another"})
    with pytest.raises(StageFailure) as failure:
        await ChooseTarget((another, CLUSTER), ("kubernetes",)).execute(ctx(), TargetSelector())
    assert "another, cluster" in failure.value.fault.hint
