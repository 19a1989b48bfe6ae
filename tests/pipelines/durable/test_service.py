"""Durable runs on both kinds of store: start, follow, cancel, approve, retry, roll back, query."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from dbos import DBOS
from pydantic import PlainSerializer

from container_kit import Artifact, Fault, Stage, StageContext, StageFailure, WorkflowPipeline
from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.durable.config import DurableConfig, Retention
from container_kit.pipelines.durable.service import DurableRuns
from container_kit.pipelines.run_info import RunInfo
from container_kit.stages.contract.workspace import Workspace
from support.pipelines.bakery import One, Order, Three, effects, find

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


class OneWay(Artifact):
    """Writes JSON that it cannot read back."""

    value: Annotated[int, PlainSerializer(lambda value: f"#{value}")]


class MakeOneWay(Stage[OneWay]):
    async def execute(self, ctx: StageContext, order: Order) -> OneWay:
        return OneWay(value=1)


@asynccontextmanager
async def open_runs(url: str, home: Path, **options: Any) -> AsyncIterator[DurableRuns]:
    with anyio.fail_after(40):
        async with DurableRuns(DurableConfig(url, home, **{"find": find, **options})).open() as runs:
            yield runs


async def start(runs: DurableRuns, home: Path, pipeline: str, **order: Any) -> str:
    return await runs.start(find(pipeline).request(Order(folder=str(home), **order)), Workspace([home]))


async def wait_for_status(runs: DurableRuns, run_id: str, status: str) -> RunInfo:
    while (record := await runs.queries.get(run_id)).status != status:
        await anyio.sleep(0.02)
    return record


async def fault_of(awaitable: Any) -> Fault:
    with pytest.raises(StageFailure) as caught:
        await awaitable
    return caught.value.fault


async def test_a_run_returns_its_response_with_its_artifacts(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        run_id = await start(runs, home, "workflow")
        response = await runs.wait(run_id)
        assert (response.id, response.status) == (run_id, "success")
        assert Path(response.artifacts[Three].effect).exists()


async def test_a_run_can_be_read_after_its_process_has_ended(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        run_id = await start(runs, home, "workflow")
        await runs.wait(run_id)
    async with open_runs(store_url, home) as runs:
        record = await runs.queries.get(run_id)
        assert (record.status, record.pipeline, record.progress) == ("success", "workflow", 1.0)
        assert Path((await runs.artifacts(run_id))[One].effect).exists()
        events = [event.kind async for _, event in runs.events(run_id)]
        assert (events[0], events[-1]) == ("run_started", "run_finished")


async def test_cancelling_stops_the_running_stage_and_rolls_back_an_atomic_run(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        run_id = await start(runs, home, "atomic", holds="second")
        while not list(home.glob(f"attempt-{run_id}-second-*")):
            await anyio.sleep(0.01)
        with anyio.fail_after(30):  # the stage would wait forever
            await runs.cancel(run_id)
            response = await runs.wait(run_id)
        assert (response.status, response.stage("second").status, effects(home, run_id)) == (
            "cancelled",
            "cancelled",
            [],
        )
        assert (await runs.queries.get(run_id)).status == "cancelled"


async def test_closing_the_store_stops_the_stages_and_the_next_process_resumes_the_run(
    store_url: str, home: Path
) -> None:
    async with open_runs(store_url, home) as first:
        run_id = await start(first, home, "atomic", holds="second")
        with anyio.fail_after(30):
            while not list(home.glob(f"attempt-{run_id}-second-*")):
                await anyio.sleep(0.01)
    assert first.executing_here == ()
    assert effects(home, run_id) == ["first"]
    (home / "go").touch()
    async with open_runs(store_url, home) as second:
        with anyio.fail_after(30):
            response = await second.wait(run_id)
        assert (response.status, effects(home, run_id)) == ("success", ["first", "second", "third"])


async def test_a_run_is_not_executed_in_another_environment(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home, environment_id="here") as here:
        left = await start(here, home, "atomic", holds="second")
        with anyio.fail_after(30):
            while not list(home.glob(f"attempt-{left}-second-*")):
                await anyio.sleep(0.01)
    (home / "go").touch()
    async with open_runs(store_url, home, environment_id="elsewhere") as elsewhere:
        with anyio.fail_after(30):
            assert (await elsewhere.wait(await start(elsewhere, home, "targeted", note="web"))).status == "success"
        assert (await elsewhere.queries.get(left)).status == "running"
        await DBOS.resume_workflow_async(left)  # a resume without regard to the environment
        with anyio.fail_after(30):
            response = await elsewhere.wait(left)
        assert response.fault is not None
        assert response.fault.code == "run.environment_mismatch"
        assert effects(home, left) == ["first"]


async def test_cancelling_a_run_that_has_ended_changes_nothing(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        run_id = await start(runs, home, "workflow")
        await runs.wait(run_id)
        assert (await runs.cancel(run_id)).status == "success"


async def test_a_retry_starts_from_the_failed_stage_with_changed_input(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        failed = await start(runs, home, "workflow", fails="second")
        response = await runs.wait(failed)
        assert (response.status, response.fault and response.fault.stage) == ("failed", "second")
        # `fails` is part of the input of every stage, so all of them are executed again
        retried = await runs.wait(await runs.retry(failed, {"fails": None}))
        assert retried.status == "success"
        assert effects(home, retried.id) == ["first", "second", "third"]


async def test_a_retry_with_the_same_input_reuses_the_artifacts(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        failed = await start(runs, home, "workflow", fails="third")
        await runs.wait(failed)
        again = await runs.retry(failed)
        response = await runs.wait(again)
        assert response.fault is not None
        assert response.fault.stage == "third"
        assert effects(home, again) == []  # the artifacts of the first two stages are reused
        assert (await runs.queries.get(again)).retry_of == failed


async def test_a_retry_after_a_rollback_starts_at_the_first_rolled_back_stage(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        failed = await start(runs, home, "atomic", fails="third")
        assert (await runs.wait(failed)).status == "rolled_back"
        response = await runs.wait(again := await runs.retry(failed, {"note": "same failure"}))
        assert response.status == "rolled_back"
        assert len(list(home.glob(f"attempt-{again}-first-*"))) == 1


async def test_a_retry_can_start_from_a_stage_that_succeeded(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        done = await start(runs, home, "workflow")
        await runs.wait(done)
        await runs.wait(again := await runs.retry(done, from_stage="second"))
        assert effects(home, again) == ["second", "third"]


async def test_a_finished_workflow_can_be_rolled_back_on_request(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        done = await start(runs, home, "workflow")
        await runs.wait(done)
        response = await runs.wait(await runs.roll_back(done))
        assert [stage.status for stage in response.stages] == ["rolled_back"] * 3
        assert effects(home, done) == []
        assert (await runs.queries.get(done)).status == "rolled_back"


async def test_an_approved_run_continues(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        run_id = await start(runs, home, "guarded")
        record = await wait_for_status(runs, run_id, "awaiting_approval")
        assert (record.question or "").startswith("go on with effect-")
        await runs.resolve_approval(run_id, ApprovalDecision(approved=True, decided_by="ann"))
        assert (await runs.wait(run_id)).status == "success"


async def test_a_rejected_run_stops_at_the_approval_point(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        run_id = await start(runs, home, "guarded")
        await wait_for_status(runs, run_id, "awaiting_approval")
        await runs.resolve_approval(
            run_id, ApprovalDecision(approved=False, decided_by="ann", comment="not on a Friday")
        )
        response = await runs.wait(run_id)
        assert response.fault is not None
        assert (response.fault.code, effects(home, run_id)) == ("approval.rejected", ["first"])
        assert "not on a Friday" in response.fault.message


async def test_a_run_that_awaits_approval_can_be_cancelled(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        run_id = await start(runs, home, "guarded")
        await wait_for_status(runs, run_id, "awaiting_approval")
        await runs.cancel(run_id)
        assert (await runs.wait(run_id)).status == "cancelled"


async def test_resolving_an_approval_that_no_run_awaits_is_a_fault(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        run_id = await start(runs, home, "workflow")
        await runs.wait(run_id)
        assert (
            await fault_of(runs.resolve_approval(run_id, ApprovalDecision(approved=True)))
        ).code == "run.not_waiting"


async def test_runs_with_one_concurrency_key_run_one_after_another(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        first = await start(runs, home, "targeted", note="web", holds="first")
        await wait_for_status(runs, first, "running")
        second = await start(runs, home, "targeted", note="web")
        other = await start(runs, home, "targeted", note="shop")
        assert (await runs.wait(other)).status == "success"
        assert (await runs.queries.get(second)).status == "queued"
        (home / "go").touch()
        assert (await runs.wait(second)).status == "success"


async def test_a_queued_run_can_be_cancelled_before_it_begins(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        first = await start(runs, home, "targeted", note="web", holds="first")
        await wait_for_status(runs, first, "running")
        second = await start(runs, home, "targeted", note="web")
        await runs.cancel(second)
        assert (await runs.wait(second)).status == "cancelled"
        (home / "go").touch()
        await runs.wait(first)
        assert effects(home, second) == []


async def test_runs_are_listed_newest_first_and_by_status_pipeline_and_principal(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        good = await start(runs, home, "workflow")
        await runs.wait(good)
        request = find("atomic").request(Order(folder=str(home), fails="first"))
        bad = await runs.start(request, Workspace([home]), principal="ann")
        await runs.wait(bad)
        assert [record.id for record in await runs.queries.list_runs()] == [bad, good]
        assert [record.id for record in await runs.queries.list_runs(status="failed")] == [bad]
        assert [record.id for record in await runs.queries.list_runs(pipeline="workflow")] == [good]
        assert [record.id for record in await runs.queries.list_runs(principal="ann")] == [bad]
        assert len(await runs.queries.list_runs(limit=1)) == 1


async def test_events_are_followed_live_from_any_number(store_url: str, home: Path) -> None:
    async with open_runs(store_url, home) as runs:
        run_id = await start(runs, home, "workflow", holds="third")
        seen: list[tuple[int, str, str | None]] = []
        async for seq, event in runs.events(run_id):
            seen.append((seq, event.kind, event.stage))
            if (event.kind, event.stage) == ("stage_succeeded", "second"):
                (home / "go").touch()  # the event arrives during the run; otherwise the run would never end
        assert [seq for seq, _, _ in seen] == list(range(1, len(seen) + 1))
        rest = [seq async for seq, _ in runs.events(run_id, after=3)]
        assert rest == list(range(4, len(seen) + 1))


async def test_raw_output_is_kept_in_the_stages_log(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        run_id = await start(runs, home, "workflow")
        await runs.wait(run_id)
        assert runs.logs.stages(run_id) == ["first", "second", "third"]
        assert runs.logs.read(run_id, "second").lines == ("second begins",)


async def test_old_runs_are_pruned_with_their_events_and_logs(store_url: str, home: Path) -> None:
    swept: list[str] = []

    async def sweep(run_ids: Sequence[str]) -> None:
        swept.extend(run_ids)

    async with open_runs(store_url, home, sweep=sweep) as runs:
        old = await start(runs, home, "workflow")
        await runs.wait(old)
        kept = await start(runs, home, "workflow")
        await runs.wait(kept)
        assert await runs.prune(Retention(keep=0, max_age=0, min_age=3600)) == []
        assert await runs.prune(Retention(keep=1, max_age=3600)) == [old]
        assert [record.id for record in await runs.queries.list_runs()] == [kept]
        assert (await fault_of(runs.queries.get(old))).code == "run.not_found"
        assert runs.logs.stages(old) == []
        assert await runs.prune(Retention(keep=10, max_age=0)) == [kept]
    assert swept == [old, kept]


@pytest.mark.parametrize("call", ["wait", "cancel", "retry", "roll_back", "artifacts"])
async def test_a_run_that_does_not_exist_is_a_fault(sqlite_url: str, home: Path, call: str) -> None:
    async with open_runs(sqlite_url, home) as runs:
        assert (await fault_of(getattr(runs, call)("nobody"))).code == "run.not_found"


async def test_a_run_that_has_not_ended_cannot_be_retried(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        run_id = await start(runs, home, "workflow", holds="first")
        assert (await fault_of(runs.retry(run_id))).code == "run.not_ended"
        (home / "go").touch()
        await runs.wait(run_id)


async def test_invalid_input_is_rejected_before_the_run_is_journaled(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        request = find("workflow").request().model_copy(update={"input": {"folder": 1}})
        assert (await fault_of(runs.start(request, Workspace([home])))).code == "request.invalid"
        assert await runs.queries.list_runs() == []


async def test_a_run_ends_at_its_deadline(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        request = find("atomic").request(Order(folder=str(home), holds="second"), timeout=0.3)
        response = await runs.wait(await runs.start(request, Workspace([home])))
        assert response.fault is not None
        assert (response.fault.code, response.status, effects(home, response.id)) == ("run.timeout", "rolled_back", [])


async def test_an_artifact_that_does_not_round_trip_through_json_fails_its_stage(sqlite_url: str, home: Path) -> None:
    pipeline = WorkflowPipeline("one-way", inputs=Order).add_stage(MakeOneWay())
    async with open_runs(sqlite_url, home, find=lambda _: pipeline.plan()) as runs:
        response = await runs.wait(await runs.start(pipeline.request(Order(folder=str(home))), Workspace([home])))
        assert response.fault is not None
        assert (response.fault.code, response.fault.stage) == ("stage.not_journalable", "make-one-way")


async def test_an_incomplete_rollback_is_a_fault_and_can_be_repeated(sqlite_url: str, home: Path) -> None:
    async with open_runs(sqlite_url, home) as runs:
        done = await start(runs, home, "workflow")
        await runs.wait(done)
        (effect,) = home.glob(f"effect-{done}-second-*")
        effect.unlink()
        effect.mkdir()  # the rollback removes a file and cannot remove a folder
        response = await runs.wait(await runs.roll_back(done))
        assert response.fault is not None
        assert (response.fault.code, response.status) == ("rollback.incomplete", "rollback_incomplete")
        assert "third, first" in response.fault.hint
        assert effects(home, done) == ["second"]
        assert (await runs.queries.get(done)).status == "rollback_incomplete"
        effect.rmdir()
        assert (await runs.wait(await runs.roll_back(done))).fault is None
        assert (await runs.queries.get(done)).status == "rolled_back"
