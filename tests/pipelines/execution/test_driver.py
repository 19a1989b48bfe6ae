"""The driver: order, conditions, parallel groups, retries, deadlines, cancellation, rollback and dry runs."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from container_kit import (
    AtomicPipeline,
    Event,
    PipelineResponse,
    RetryPolicy,
    Stage,
    StageContext,
    StageFailure,
    TestPipeline,
    WorkflowPipeline,
)
from container_kit.pipelines.execution.in_memory import run_in_memory
from container_kit.pipelines.execution.runtime import CancelToken
from support.pipelines.toy_stages import (
    BURNT,
    OVEN_COLD,
    Bake,
    Bread,
    Dough,
    Flour,
    Jam,
    Knead,
    Meal,
    OpenJam,
    Prove,
    Serve,
    burnt,
    cold,
)

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(max_attempts=3, initial_delay=0.001, jitter=0)


def meal(kind: type[AtomicPipeline | WorkflowPipeline] = WorkflowPipeline) -> AtomicPipeline | WorkflowPipeline:
    return kind("meal", inputs=Flour).add_stage(Knead()).add_stage(Bake()).add_stage(Serve())


def kinds(events: list[Event], *selected: str) -> list[tuple[str, str | None]]:
    return [(event.kind, event.stage) for event in events if not selected or event.kind in selected]


async def test_stages_run_in_order_and_pass_on_their_outputs() -> None:
    events: list[Event] = []
    response = await meal().run(Flour(grams=1000), listeners=[events.append])
    assert response.status == "success"
    assert response.artifacts[Meal] == Meal(loaves=4)
    assert kinds(events, "stage_started") == [("stage_started", name) for name in ("knead", "bake", "serve")]
    assert (events[0].kind, events[-1].kind, events[-1].status) == ("run_started", "run_finished", "success")


async def test_a_false_condition_skips_its_stage() -> None:
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Knead()).add_stage(Bake())
    pipeline.add_conditional_stage(OpenJam(), when=lambda artifacts: artifacts[Bread].loaves > 10).add_stage(Serve())
    few, many = await pipeline.run(Flour(grams=500)), await pipeline.run(Flour(grams=5000))
    assert (few.stage("open-jam").status, few.artifacts[Meal].jam) == ("skipped", None)
    assert (many.stage("open-jam").status, many.artifacts[Meal].jam) == ("success", "plum")


async def test_a_condition_that_raises_fails_the_run_and_names_its_stage() -> None:
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_conditional_stage(
        Knead(), when=lambda artifacts: artifacts[Jam].kind == ""
    )
    response = await pipeline.run(Flour())
    assert response.fault is not None
    assert response.fault.code == "pipeline.condition_failed"
    assert "condition of knead" in response.fault.message


async def test_parallel_stages_run_at_the_same_time() -> None:
    ready = [anyio.Event(), anyio.Event()]

    class Left(Stage[Dough]):
        async def execute(self, ctx: StageContext, flour: Flour) -> Dough:
            ready[0].set()
            await ready[1].wait()
            return Dough(grams=1)

    class Right(Stage[Jam]):
        async def execute(self, ctx: StageContext, flour: Flour) -> Jam:
            ready[1].set()
            await ready[0].wait()
            return Jam(kind="fig")

    with anyio.fail_after(5):
        response = await WorkflowPipeline("both", inputs=Flour).add_parallel_stages(Left(), Right()).run(Flour())
    assert (response.artifacts[Dough].grams, response.artifacts[Jam].kind) == (1, "fig")


async def test_a_failure_in_a_parallel_group_cancels_the_others_and_is_the_fault_of_the_run() -> None:
    slow = Prove()

    class Fail(Stage[Jam]):
        async def execute(self, ctx: StageContext, dough: Dough) -> Jam:
            await slow.started.wait()
            raise BURNT("no jam")

    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Knead()).add_parallel_stages(slow, Fail())
    with anyio.fail_after(5):
        response = await pipeline.run(Flour())
    assert response.fault is not None
    assert (response.fault.code, response.fault.stage) == ("bread.burnt", "fail")
    assert (response.stage("prove").status, slow.tidied) == ("cancelled", True)


async def test_a_retryable_failure_is_retried_until_it_succeeds() -> None:
    test = TestPipeline(meal().with_retry(QUICK)).with_mock_stage(
        "bake", returns=Bread(loaves=1), fails=[cold(), cold()]
    )
    response = await test.run(Flour())
    assert (response.status, response.stage("bake").attempts) == ("success", 3)
    assert kinds(test.events, "stage_retrying") == [("stage_retrying", "bake")] * 2


async def test_a_failure_that_is_not_retryable_is_not_retried() -> None:
    test = TestPipeline(meal().with_retry(QUICK)).with_mock_stage("bake", fails=burnt())
    response = await test.run(Flour())
    assert (response.status, response.stage("bake").attempts) == ("failed", 1)


async def test_retries_end_at_the_limit_of_the_policy() -> None:
    test = TestPipeline(meal().with_retry(QUICK)).with_mock_stage("bake", fails=cold())
    response = await test.run(Flour())
    assert response.fault is not None
    assert (response.fault.attempts, response.fault.code, test.mock("bake").executions) == (3, "oven.cold", 3)


async def test_the_policy_of_a_stage_overrides_that_of_the_pipeline() -> None:
    class Flaky(Stage[Dough]):
        tries = 0

        async def execute(self, ctx: StageContext, flour: Flour) -> Dough:
            self.tries += 1
            raise OVEN_COLD("cold", degrees=1)

    stage = Flaky()
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(stage, retry=RetryPolicy()).with_retry(QUICK)
    await pipeline.run(Flour())
    assert stage.tries == 1


async def test_a_workflow_keeps_completed_stages_and_names_the_stage_to_resume_from() -> None:
    pipeline = meal()
    knead = next(pipeline.steps()).stage
    assert isinstance(knead, Knead)
    response = await TestPipeline(pipeline).with_mock_stage("bake", fails=burnt()).run(Flour())
    assert response.fault is not None
    assert response.fault.resume is not None
    assert (response.status, response.fault.resume.stage, knead.undone) == ("failed", "bake", [])
    assert [stage.status for stage in response.stages] == ["success", "failed", "not_run"]


async def test_an_atomic_pipeline_rolls_back_completed_stages_last_first() -> None:
    order: list[str] = []

    class First(Knead):
        async def rollback(self, ctx: StageContext, made: Dough) -> None:
            order.append(f"knead {made.grams}")

    class Second(Bake):
        async def rollback(self, ctx: StageContext, made: Bread) -> None:
            order.append(f"bake {made.loaves}")

    class Third(Serve):
        async def execute(self, ctx: StageContext, bread: Bread, jam: Jam | None) -> Meal:
            raise BURNT("burnt")

    events: list[Event] = []
    pipeline = AtomicPipeline("meal", inputs=Flour).add_stage(First()).add_stage(Second()).add_stage(Third())
    response = await pipeline.run(Flour(), listeners=[events.append])
    assert order == ["bake 2", "knead 1000"]
    assert response.fault is not None
    assert (response.status, response.fault.rolled_back) == ("rolled_back", ("second", "first"))
    assert kinds(events, "stage_rolled_back") == [("stage_rolled_back", "second"), ("stage_rolled_back", "first")]
    assert [stage.status for stage in response.stages] == ["rolled_back", "rolled_back", "failed"]


async def test_a_failing_rollback_is_attempted_three_times_and_does_not_stop_the_others() -> None:
    class Stuck(Bake):
        tries = 0

        async def rollback(self, ctx: StageContext, made: Bread) -> None:
            self.tries += 1
            raise BURNT("stuck")

    knead, stuck = Knead(), Stuck()
    pipeline = AtomicPipeline("meal", inputs=Flour).add_stage(knead).add_stage(stuck).add_stage(Serve())
    test = TestPipeline(pipeline).with_mock_stage("serve", fails=burnt())
    response = await test.run(Flour())
    assert (response.status, stuck.tries, len(knead.undone)) == ("rollback_incomplete", 3, 1)
    assert kinds(test.events, "rollback_failed") == [("rollback_failed", "stuck")]


async def test_the_deadline_stops_the_running_stage_after_its_clean_up() -> None:
    slow = Prove()
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Knead()).add_stage(slow)
    with anyio.fail_after(5):
        response = await pipeline.run(Flour(), timeout=0.05)
    assert response.fault is not None
    assert (response.fault.code, response.fault.stage, slow.tidied) == ("run.timeout", "prove", True)


async def test_an_attempt_that_exceeds_its_time_limit_is_retried() -> None:
    slow = Prove()
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Knead()).add_stage(slow, timeout=0.02, retry=QUICK)
    response = await pipeline.run(Flour())
    assert response.fault is not None
    assert (response.fault.code, response.fault.attempts) == ("stage.timeout", 3)


async def test_a_cancelled_run_stops_the_stage_and_returns_a_response() -> None:
    slow, cancellation = Prove(), CancelToken()
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Knead()).add_stage(slow)
    responses: list[PipelineResponse] = []

    async def run() -> None:
        responses.append(await run_in_memory(pipeline.plan(), pipeline.request(Flour()), cancellation=cancellation))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await slow.started.wait()
            cancellation.request()
    assert (responses[0].status, responses[0].stage("prove").status, slow.tidied) == ("cancelled", "cancelled", True)


async def test_an_atomic_pipeline_is_rolled_back_after_its_caller_disconnects() -> None:
    knead, slow, events = Knead(), Prove(), list[Event]()
    pipeline = AtomicPipeline("meal", inputs=Flour).add_stage(knead).add_stage(slow)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(partial(pipeline.run, Flour(), listeners=[events.append]))
            await slow.started.wait()
            group.cancel_scope.cancel()
    assert (len(knead.undone), slow.tidied) == (1, True)
    assert (events[-1].kind, events[-1].status) == ("run_finished", "cancelled")


async def test_an_unexpected_exception_is_a_fault_with_its_location() -> None:
    class Broken(Stage[Dough]):
        async def execute(self, ctx: StageContext, flour: Flour) -> Dough:
            return Dough(grams=1 // (flour.grams - 500))

    response = await WorkflowPipeline("meal", inputs=Flour).add_stage(Broken()).run(Flour())
    assert response.fault is not None
    assert response.fault.code == "stage.crashed"
    assert "ZeroDivisionError" in response.fault.message
    assert (response.fault.evidence[0].where or "").startswith("test_driver.py:")


async def test_a_failure_in_a_task_group_of_a_stage_keeps_its_code() -> None:
    class Grouped(Stage[Dough]):
        async def execute(self, ctx: StageContext, flour: Flour) -> Dough:
            async with anyio.create_task_group() as group:
                group.start_soon(self._fail)
            raise AssertionError

        async def _fail(self) -> None:
            raise BURNT("in a task")

    response = await WorkflowPipeline("meal", inputs=Flour).add_stage(Grouped()).run(Flour())
    assert response.fault is not None
    assert response.fault.code == "bread.burnt"


async def test_an_output_of_the_wrong_type_is_a_bug_in_the_stage() -> None:
    class WrongType(Stage[Dough]):
        async def execute(self, ctx: StageContext, flour: Flour) -> Dough:
            return flour  # type: ignore[return-value]

    response = await WorkflowPipeline("meal", inputs=Flour).add_stage(WrongType()).run(Flour())
    assert response.fault is not None
    assert "returned Flour instead of Dough" in response.fault.message


async def test_a_dry_run_validates_every_stage_and_executes_none() -> None:
    class Watched(Bake):
        async def validate(self, ctx: StageContext, dough: Dough) -> None:
            assert ctx.dry_run
            if dough.grams < 100:
                raise BURNT("too little dough")

        async def execute(self, ctx: StageContext, dough: Dough) -> Bread:
            raise AssertionError

    class Careful(Serve):
        async def validate(self, ctx: StageContext, bread: Bread) -> None:
            raise AssertionError

    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Knead()).add_stage(Watched()).add_stage(Careful())
    fine = await pipeline.run(Flour(grams=500), dry_run=True)
    assert (fine.status, fine.dry_run) == ("success", True)
    assert fine.stage("knead").notes == ("knead 500 g of flour",)
    assert fine.stage("careful").status == "indeterminate"
    assert "Bread" in fine.stage("careful").notes[0]
    bad = await pipeline.run(Flour(grams=1), dry_run=True)
    assert bad.fault is not None
    assert bad.fault.message == "too little dough"


async def test_a_dry_run_executes_stages_that_only_read() -> None:
    class Weigh(Stage[Dough]):
        read_only = True

        async def execute(self, ctx: StageContext, flour: Flour) -> Dough:
            return Dough(grams=flour.grams)

    response = await WorkflowPipeline("meal", inputs=Flour).add_stage(Weigh()).run(Flour(grams=7), dry_run=True)
    assert response.artifacts[Dough].grams == 7


async def test_secrets_never_reach_events_faults_or_results() -> None:
    secret = "hunter2-very-secret"

    class Leaky(Stage[Dough]):
        async def execute(self, ctx: StageContext, flour: Flour) -> Dough:
            ctx.progress(f"using {secret}")
            ctx.output(f"$ login {secret}")
            raise StageFailure(BURNT(f"login with {secret} failed").fault)

    events: list[Event] = []
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Leaky())
    response = await pipeline.run(Flour(mill={"MILL_PASSWORD": secret}), listeners=[events.append])
    text = "".join(event.model_dump_json() for event in events) + response.model_dump_json()
    assert secret not in text
    assert text.count("[redacted]") >= 4


async def test_progress_never_falls_and_ends_at_one() -> None:
    test = TestPipeline(meal().with_retry(QUICK)).with_mock_stage("bake", returns=Bread(loaves=1), fails=[cold()])
    await test.run(Flour())
    progress = [event.progress for event in test.events]
    assert progress == sorted(progress)
    assert progress[-1] == 1


async def test_a_listener_that_raises_does_not_fail_the_run() -> None:
    def broken(event: Event) -> None:
        raise RuntimeError(event.kind)

    assert (await meal().run(Flour(), listeners=[broken])).status == "success"


async def test_a_response_round_trips_through_json() -> None:
    response = await TestPipeline(meal()).with_mock_stage("bake", fails=burnt()).run(Flour())
    again = PipelineResponse.model_validate_json(response.model_dump_json())
    assert again.model_dump() == response.model_dump()


async def test_a_private_key_in_the_output_of_a_stage_is_hidden_line_by_line() -> None:
    key = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "-----END PRIVATE KEY-----"]

    class Leak(Stage[None]):
        """Print a private key."""

        async def execute(self, ctx: StageContext) -> None:
            for line in ["before", *key, "after"]:
                ctx.output(line)

    events: list[Event] = []
    await WorkflowPipeline("leak").add_stage(Leak()).run(listeners=[events.append])
    lines = [event.message for event in events if event.kind == "stage_output"]
    assert (lines[0], lines[-1], len(lines)) == ("before", "after", 5)
    assert not any(part in line for line in lines for part in key)


class Burn(Bake):
    """Fails, and could not undo what it did."""

    def __init__(self, repaired: bool) -> None:
        self.repaired = repaired
        self.undone: list[Bread] = []

    async def execute(self, ctx: StageContext, dough: Dough) -> Bread:
        raise StageFailure(burnt(), leftover=Bread(loaves=7))

    async def rollback(self, ctx: StageContext, output: Bread) -> list[str]:
        if not self.repaired:
            raise BURNT("the oven is still hot")
        self.undone.append(output)
        return ["the tray stays: it is hot"]


@pytest.mark.parametrize("kind", [AtomicPipeline, WorkflowPipeline])
async def test_what_a_failed_stage_could_not_undo_is_rolled_back_by_the_run(
    kind: type[AtomicPipeline | WorkflowPipeline],
) -> None:
    burn = Burn(repaired=True)
    response = await kind("meal", inputs=Flour).add_stage(Knead()).add_stage(burn).run(Flour())
    assert burn.undone == [Bread(loaves=7)]
    assert response.stage(burn.name).status == "rolled_back"
    assert response.stage(burn.name).notes == ("the tray stays: it is hot",)
    assert Bread not in response.artifacts, "a failed stage has no output"


async def test_a_run_says_what_it_could_not_roll_back() -> None:
    burn = Burn(repaired=False)
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Knead()).add_stage(burn)
    response = await pipeline.run(Flour())
    assert (response.status, response.stage(burn.name).status) == ("rollback_incomplete", "failed")
