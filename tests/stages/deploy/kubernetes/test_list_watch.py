"""Following a collection without a gap."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import pytest
from starlette.responses import Response

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import connect
from container_kit.stages.deploy.kubernetes.rollout.list_watch import WatchEvent, follow
from support.kubernetes.api_server import ApiServer
from support.kubernetes.application import manifests, quick

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

PODS = "/api/v1/namespaces/shop/pods"


async def seen_while(kubeconfig: str, count: int, act: list[object]) -> list[WatchEvent]:
    """Follow the pods until `count` changes were seen; after each change the next of `act` is done."""
    seen: list[WatchEvent] = []
    with anyio.fail_after(30):
        async with connect(None, kubeconfig) as api, aclosing(follow(api, PODS, "Pod")) as changes:
            async for one in changes:
                seen.append(one)
                if len(seen) == count:
                    break
                if act:
                    act.pop(0)()  # type: ignore[operator]
    return seen


async def test_what_is_there_comes_first_and_then_each_change(kubeconfig: str, cluster: ApiServer) -> None:
    cluster.add("v1", "Pod", "a", "shop")
    cluster.add("v1", "Pod", "other", "default")
    act = [
        lambda: cluster.add("v1", "Pod", "b", "shop"),
        lambda: cluster.add("v1", "Pod", "a", "shop", spec={"nodeName": "n"}),
        lambda: cluster.store.delete(("pods", "shop", "b")),
    ]
    seen = await seen_while(kubeconfig, 4, list(act))
    assert [(one.obj["metadata"]["name"], one.deleted) for one in seen] == [
        ("a", False), ("b", False), ("a", False), ("b", True),
    ]  # fmt: skip


async def test_what_vanished_while_a_watch_was_too_old_is_reported(kubeconfig: str, cluster: ApiServer) -> None:
    cluster.add("v1", "Pod", "a", "shop")

    def vanish() -> None:
        cluster.store.objects.pop(("pods", "shop", "a"))
        cluster.add("v1", "Pod", "b", "shop")
        cluster.store.compact()

    seen = await seen_while(kubeconfig, 3, [vanish])
    assert {(one.obj["metadata"]["name"], one.deleted) for one in seen} == {("a", False), ("a", True), ("b", False)}


async def test_nothing_is_reported_twice_when_a_watch_begins_again(kubeconfig: str, cluster: ApiServer) -> None:
    cluster.add("v1", "Pod", "a", "shop")

    def compact() -> None:
        cluster.store.compact()
        cluster.add("v1", "Pod", "b", "shop")

    seen = await seen_while(kubeconfig, 2, [compact])
    assert [one.obj["metadata"]["name"] for one in seen] == ["a", "b"]


async def test_a_collection_that_may_not_be_read_is_a_fault(kubeconfig: str, cluster: ApiServer) -> None:
    cluster.denied.add(("list", "pods"))
    with pytest.raises(StageFailure, match="forbidden"):
        await seen_while(kubeconfig, 1, [])


async def test_a_server_that_is_busy_for_a_moment_is_asked_again(kubeconfig: str, cluster: ApiServer) -> None:
    cluster.add("v1", "Pod", "a", "shop")
    cluster.busy = [Response("busy", 503), Response("busy", 429)]
    seen = await seen_while(kubeconfig, 1, [])
    assert seen[0].obj["metadata"]["name"] == "a"


async def test_a_server_that_is_busy_is_tried_again_with_pauses_and_reported(
    kubeconfig: str, cluster: ApiServer
) -> None:
    cluster.busy = [Response("busy", 503) for _ in range(7)]
    cluster.add("v1", "Pod", "web", "shop")
    lost: list[str] = []
    async with connect(None, kubeconfig) as api:
        changes = follow(api, "/api/v1/namespaces/shop/pods", "Pod", on_lost=lambda f: lost.append(f.fault.code))
        async with aclosing(changes):
            with anyio.fail_after(30):
                event = await anext(changes)
    assert event.obj["metadata"]["name"] == "web"
    assert lost == ["kubernetes.busy"] * 7


async def test_a_service_that_comes_after_its_pods_are_ready_is_given_their_addresses(
    kubeconfig: str, cluster: ApiServer
) -> None:
    """The emulated cluster must do as a real one: a slow client applies the Service when the pods are long there."""
    cluster.spectators = 1
    found = {one["kind"]: one for one in quick(manifests()).objects}
    async with connect(None, kubeconfig) as api:
        await api.apply(found["Deployment"], await api.path(found["Deployment"]))
        async with aclosing(follow(api, "/apis/apps/v1/namespaces/shop/deployments", "Deployment")) as changes:
            async for one in changes:
                if one.obj.get("status", {}).get("availableReplicas") == 2:
                    break
        assert cluster.get("endpointslices", "web-x1") is None
        await api.apply(found["Service"], await api.path(found["Service"]))
    slices = cluster.get("endpointslices", "web-x1")
    assert slices is not None
    assert [endpoint["conditions"]["ready"] for endpoint in slices["endpoints"]] == [True, True]
