"""What heals, starts slowly or belongs to another revision fails nothing. Synthetic, but for the recorded `ok`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from container_kit.stages.deploy.kubernetes.rollout.diagnosis import Failed, Succeeded
from support.kubernetes.story import READINESS, Story, ended

REFUSED = 'Get "http://10.0.0.7:8080/healthz": dial tcp 10.0.0.7:8080: connect: connection refused'


def succeeded(story: Story, t: float, **status: object) -> Succeeded:
    story.becomes_available(t, **status)
    verdict = story.quiet(t + 100)
    assert isinstance(verdict, Succeeded), verdict
    return verdict


def test_a_slow_start_whose_port_refuses_at_first_is_a_success() -> None:
    story = Story(deadline=120)
    story.container["readinessProbe"] = READINESS
    story.begins()
    story.runs(1, ready=False)
    for second in range(2, 45):
        assert story.probe_fails(second, "Readiness", REFUSED) is None
    assert succeeded(story, 45).at == 50


def test_a_slow_start_within_its_startup_probes_budget_is_a_success() -> None:
    story = Story(deadline=600)
    story.container["startupProbe"] = {**READINESS, "failureThreshold": 300}
    story.begins()
    story.runs(1, ready=False)
    for second in range(2, 200):
        assert story.probe_fails(second, "Startup", REFUSED) is None
    assert succeeded(story, 201)


def test_a_program_that_warms_up_with_503_is_a_success() -> None:
    story = Story(deadline=120)
    story.container["readinessProbe"] = READINESS
    story.begins()
    story.runs(1, ready=False)
    for second in range(2, 30):
        assert story.probe_fails(second, "Readiness", "HTTP probe failed with statuscode: 503") is None
    assert succeeded(story, 30)


def test_one_crash_that_heals_is_a_success() -> None:
    story = Story().begins()
    assert story.pod(2, state=ended(1, message="database is not up yet")) is None
    assert succeeded(story, 4, restartCount=1, lastState=ended(1)).at == 9


def test_one_failed_init_that_heals_is_a_success() -> None:
    story = Story()
    story.pod_spec["initContainers"] = [{"name": "migrate"}]
    story.begins()
    waiting = {"waiting": {"reason": "PodInitializing"}}
    assert story.pod(2, state=waiting, init={"state": ended(1)}) is None
    init = {"restartCount": 1, "state": ended(0, "Completed"), "lastState": ended(1)}
    assert story.pod(4, state=waiting, init=init) is None
    assert succeeded(story, 5, init=init)


def test_a_pull_that_heals_within_its_grace_is_a_success() -> None:
    story = Story().begins()
    words = 'Failed to pull image "registry.test/web:1": dial tcp 10.0.0.1:443: i/o timeout'
    story.event(1, "Failed", words, container="app")
    story.pod(1.2, state={"waiting": {"reason": "ErrImagePull", "message": words}})
    story.event(4, "Pulled", "Successfully pulled image", container="app")
    assert succeeded(story, 5)


def test_a_secret_that_is_made_in_time_is_a_success() -> None:
    story = Story().begins()
    story.event(1, "Failed", 'Error: secret "late" not found', container="app")
    state = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "late" not found'}}
    assert story.pod(1.2, state=state) is None
    assert succeeded(story, 4)


def test_a_cache_that_is_not_filled_yet_is_not_a_missing_volume() -> None:
    story = Story().begins()
    words = 'MountVolume.SetUp failed for volume "v" : failed to sync configmap cache: timed out waiting'
    for second in (1, 2, 4):
        assert story.event(second, "FailedMount", words) is None
    assert succeeded(story, 5)


def test_a_pod_that_a_new_node_takes_is_a_success() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    story.pod(0.1, unschedulable="0/3 nodes are available: 3 Insufficient cpu.")
    story.event(5, "TriggeredScaleUp", "pod triggered scale-up: [{pool 3->4 (max: 5)}]")
    assert story.pod(90, state={"waiting": {"reason": "ContainerCreating"}}) is None
    assert succeeded(story, 95)


def test_a_refused_creation_that_is_granted_later_is_a_success() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    words = 'Error creating: Internal error occurred: failed calling webhook "x": connect: connection refused'
    assert story.event(1, "FailedCreate", words, about="ReplicaSet/web-1") is None
    assert succeeded(story, 6)


def test_a_rollout_that_is_complete_but_restarts_is_not_yet_stable() -> None:
    story = Story().begins()
    story.becomes_available(2)
    story.becomes_available(5, restartCount=1, lastState=ended(1))
    assert story.quiet(9.9) is None
    assert isinstance(story.quiet(10), Succeeded)


def test_pods_of_the_old_revision_say_nothing_about_the_new_one() -> None:
    story = Story()
    story.replica_set(0)
    story.generation = 2
    story.replica_set(0.01)
    story.deployment(0.02)
    broken = {"restartCount": 9, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended(1)}
    assert story.pod(0.05, name="web-1-old", revision=1, **broken) is None
    assert story.event(0.06, "Unhealthy", "Readiness probe failed: statuscode: 404", about="Pod/web-1-old") is None
    assert story.pod(0.1, name="web-2-new") is None
    assert succeeded(story, 3, name="web-2-new")


def test_the_old_revisions_replica_set_is_not_taken_for_the_new_one_before_the_controller_looked() -> None:
    """Between the apply and the controller's first look the Deployment still bears the old revision's number."""
    story = Story()
    story.replica_set(0, revision=1)
    story.pod(0.01, name="web-1-old", revision=1, restartCount=9, state=ended(1), lastState=ended(1))
    story.generation = 2
    assert story.deployment(0.02, observed=False) is None
    assert story.replica_set(0.03) is None
    assert succeeded(story, 3, name="web-2-new")


def test_pods_that_are_being_deleted_say_nothing() -> None:
    story = Story().begins()
    assert story.pod(1, name="web-1-z", deleting=True, restartCount=3, state=ended(1), lastState=ended(1)) is None
    assert succeeded(story, 3)


def test_events_from_before_the_apply_say_nothing() -> None:
    story = Story(since=datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)).begins()
    words = 'MountVolume.SetUp failed for volume "v" : configmap "nope" not found'
    for _ in range(3):
        assert story.event(0.2, "FailedMount", words, at="2026-01-01T11:58:00Z") is None
    assert succeeded(story, 3)


def test_restarts_from_before_the_apply_are_not_crash() -> None:
    story = Story(since=datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)).begins()
    last = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2025-12-24T08:00:00Z"}}
    assert succeeded(story, 1, restartCount=7, lastState=last)


def test_a_service_without_address_yet_is_waited_for() -> None:
    story = Story(needs_endpoints=("web",)).begins()
    story.becomes_available(3)
    assert story.quiet(60) is None
    ready = {"metadata": {"labels": {"kubernetes.io/service-name": "web"}, "name": "web-x"}}
    story.at(61, "EndpointSlice", {**ready, "endpoints": [{"conditions": {"ready": True}}]})
    assert isinstance(story.quiet(70), Succeeded)


def test_a_rollout_that_is_not_complete_is_never_a_success() -> None:
    story = Story(replicas=2).begins()
    story.runs(2, ready=True)
    story.deployment(2, available=1)
    assert story.quiet(1000) is None


@pytest.mark.parametrize("kind", ["Pod", "Event", "ReplicaSet", "Deployment", "EndpointSlice", "Lease"])
def test_objects_without_any_field_do_no_harm(kind: str) -> None:
    story = Story().begins()
    story.at(0.2, kind, {})
    story.at(0.3, kind, {"metadata": None, "status": None, "spec": None})
    assert not isinstance(story.quiet(1), Failed)
