"""Looking after what was deployed: listing, logs, going back to any kept version, removing, finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationLog,
    ApplicationQuery,
    ApplicationRef,
    LogQuery,
    RemovalOptions,
    RemovalResult,
    RollbackResult,
    VersionSelector,
)
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.find_deployment import FindDeployment
from container_kit.stages.deploy.local.verify import Verify
from container_kit.stages.deploy.manage import ListDeployments, ReadLogs, RemoveDeployment, RollbackDeployment
from container_kit.stages.deploy.targets import LOCAL
from support.engine.deployments import App, get

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

Web = Callable[..., Image]


class Operator:
    """The stages as tools call them, on one application."""

    def __init__(self, app: App) -> None:
        self.app, self.name = app, ApplicationRef(name=app.name)

    async def list(self) -> Application:
        stage = ListDeployments(self.app.engine)
        [found] = (await stage.execute(self.app.ctx(), LOCAL, ApplicationQuery(name=self.app.name))).applications
        return found

    async def log(self, **part: Any) -> ApplicationLog:
        return await ReadLogs(self.app.engine).execute(self.app.ctx(), LOCAL, self.name, LogQuery(**part))

    async def rollback(self, version: str | None = None) -> RollbackResult:
        return await RollbackDeployment(self.app.engine).execute(
            self.app.ctx(), LOCAL, self.name, VersionSelector(version=version)
        )

    async def remove(self, *, volumes: bool = False) -> RemovalResult:
        stage = RemoveDeployment(self.app.engine)
        return await stage.execute(self.app.ctx(), LOCAL, self.name, RemovalOptions(volumes=volumes))


@pytest.fixture
def operator(app: App) -> Operator:
    return Operator(app)


async def test_the_list_shows_what_serves_and_what_can_be_rolled_back_to(
    app: App, operator: Operator, web: Web
) -> None:
    first = await app.deploy(web("v1"))
    second = await app.deploy(web("v2"))
    found = await operator.list()
    assert (found.name, found.state, found.url) == (app.name, "serving", second.url)
    assert [(one.version, one.image, one.state, one.run) for one in found.versions] == [
        (second.container_name, web("v2").reference, "serving", f"{app.name}-2"),
        (first.container_name, web("v1").reference, "kept", f"{app.name}-1"),
    ]
    everything = await ListDeployments(app.engine).execute(app.ctx(), LOCAL, ApplicationQuery())
    assert app.name in {one.name for one in everything.applications}


async def test_an_application_that_was_stopped_by_hand_is_reported_so(app: App, operator: Operator, web: Web) -> None:
    made = await app.deploy(web("v1"))
    app.api.stop(made.container_id, timeout=2)
    found = await operator.list()
    assert (found.state, found.versions[0].state) == ("stopped", "stopped")


async def test_an_unknown_application_is_a_fault_that_names_those_there_are(operator: Operator) -> None:
    for attempt in (operator.list, operator.log, operator.rollback):
        with pytest.raises(StageFailure) as failure:
            await attempt()
        assert failure.value.fault.code == "deployment.not_found"


async def test_the_log_is_that_of_the_version_requested_without_secrets(app: App, operator: Operator, web: Web) -> None:
    first = await app.deploy(web("v1"), env={"PLANTED": "s3cret-of-the-call"})
    await app.deploy(web("v2"))
    assert (await operator.log()).lines == ("starting v2 with nothing",)
    log = await operator.log(version=first.container_name, lines=1)
    assert log.version == first.container_name
    assert log.lines == ("starting v1 with [redacted]",)


async def test_any_kept_version_can_be_rolled_back_to_by_name_image_or_id(
    app: App, operator: Operator, web: Web
) -> None:
    made = [await app.deploy(web(version)) for version in ("v1", "v2", "v3")]
    port = made[0].host_port
    assert (await operator.rollback()).replaced == made[2].container_name
    assert get(port) == "v2"
    assert (await operator.rollback(web("v1").reference)).version == made[0].container_name
    assert get(port) == "v1"
    assert (await operator.rollback(made[2].container_name)).version == made[2].container_name
    assert get(port) == "v3"
    again = await operator.rollback(web("v3").id[:19])  # what serves already
    assert (again.version, again.replaced) == (made[2].container_name, None)
    assert app.running() == [made[2].container_name]
    assert {one["Id"] for one in app.containers()} == {one.container_id for one in made}


async def test_rolling_back_can_be_undone(app: App, operator: Operator, web: Web) -> None:
    await app.deploy(web("v1"))
    second = await app.deploy(web("v2"))
    back = await operator.rollback()
    await RollbackDeployment(app.engine).rollback(app.ctx(), back)
    assert get(second.host_port) == "v2"
    assert app.running() == [second.container_name]


async def test_a_stopped_application_can_be_rolled_back_to_an_earlier_version(
    app: App, operator: Operator, web: Web
) -> None:
    first = await app.deploy(web("v1"))
    second = await app.deploy(web("v2"))
    app.api.stop(second.container_id, timeout=2)
    await operator.rollback()
    assert get(first.host_port) == "v1"


async def test_a_version_that_is_not_kept_is_a_fault_that_names_those_there_are(
    app: App, operator: Operator, web: Web
) -> None:
    made = await app.deploy(web("v1"))
    for version in (None, "v0", "sha256:" + "0" * 64):
        with pytest.raises(StageFailure) as failure:
            await operator.rollback(version)
        assert failure.value.fault.code == "deployment.version_not_found"
    assert made.container_name in failure.value.fault.hint
    assert get(made.host_port) == "v1"


async def test_removing_takes_all_versions_and_leaves_the_volumes_unless_asked(
    app: App, operator: Operator, web: Web
) -> None:
    made = [await app.deploy(web(version), volumes={"state": "/var/lib"}) for version in ("v1", "v2")]
    removed = await operator.remove()
    assert app.containers() == []
    assert set(removed.removed) == {f"container {one.container_name}" for one in made}
    assert removed.kept == (f"volume {app.name}.state",)
    again = await operator.remove(volumes=True)
    assert again.removed == (f"volume {app.name}.state",)
    assert (await operator.remove()).removed == ()


async def test_removing_what_is_behind_the_proxy_leaves_nothing(app: App, operator: Operator, web: Web) -> None:
    await app.deploy(web("v1"), zero_downtime=True)
    await operator.remove()
    assert app.containers() == []
    assert app.api.networks(names=[f"container-kit-app-{app.name}"]) == []


async def test_a_preview_of_removing_says_what_would_go(app: App, operator: Operator, web: Web) -> None:
    made = await app.deploy(web("v1"))
    stage = RemoveDeployment(app.engine)
    says = (await stage.preview(app.ctx(dry_run=True), LOCAL, operator.name, RemovalOptions())).changes
    assert says == (f"remove {made.container_name} ({web('v1').reference})", "keep its volumes")
    assert app.running() == [made.container_name]


async def test_what_serves_is_found_by_its_name_and_can_be_verified(app: App, web: Web) -> None:
    made = await app.deploy(web("v1"), health_path="/names")
    found = await FindDeployment(app.engine).execute(app.ctx(), ApplicationRef(name=app.name))
    assert found == made.model_copy(update={"seconds_to_healthy": 0.0})
    assert (await Verify(app.engine).execute(app.ctx(), found)).healthy
    with pytest.raises(StageFailure) as failure:
        await FindDeployment(app.engine).execute(app.ctx(), ApplicationRef(name=f"{app.name}-not"))
    assert failure.value.fault.code == "deployment.not_found"
