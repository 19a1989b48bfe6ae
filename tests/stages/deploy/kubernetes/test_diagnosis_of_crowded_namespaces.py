"""Rollouts that are not alone: old pods that still go, several replicas and containers, watches that begin anew."""

from __future__ import annotations

import pytest

from container_kit.stages.contract.fault import Fault
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import Failed, Succeeded, Verdict
from support.kubernetes.story import READINESS, Story, ended

QUOTA = 'pods "web-2-x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2'
PULL = 'Failed to pull image "registry.test/web:1": '


def told(verdict: Verdict | None, cause: str) -> Fault:
    assert isinstance(verdict, Failed), verdict
    assert verdict.fault.code == f"kubernetes.{cause}"
    assert "{" not in verdict.fault.hint
    return verdict.fault


def second_rollout() -> Story:
    """Revision 1 has run; revision 2 is applied."""
    story = Story()
    story.replica_set(0.0, revision=1)
    story.pod(0.0, name="web-1-a", revision=1, ready=True, state={"running": {}})
    story.generation = 2
    story.container["image"] = "registry.test/web:2"
    story.deployment(0.01, observed=False)
    story.replica_set(0.1)
    story.deployment(0.2)
    return story


def test_a_quota_that_going_pods_will_free_is_waited_for() -> None:
    story = second_rollout()
    story.pod(0.3, name="web-1-a", revision=1, deleting=True, ready=True, state={"running": {}})
    assert story.event(0.4, "FailedCreate", f"Error creating: {QUOTA}", about="ReplicaSet/web-2") is None
    assert story.quiet(30) is None
    story.replica_set(31, replicas=1)
    story.pod(31, name="web-2-a", ready=True, state={"running": {}})
    story.deployment(32, available=1)
    assert isinstance(story.quiet(60), Succeeded)


def test_a_quota_that_nothing_will_free_is_reported_immediately() -> None:
    story = second_rollout()
    told(story.event(0.4, "FailedCreate", f"Error creating: {QUOTA}", about="ReplicaSet/web-2"), "quota")


def test_what_an_older_replica_set_has_no_is_not_a_fault_of_the_new_one() -> None:
    """The controller takes ReplicaFailure from any ReplicaSet where the new one has none."""
    story = second_rollout()
    words = QUOTA.replace("web-2-x", "web-1-x")
    assert story.deployment(0.5, ReplicaFailure={"status": "True", "reason": "FailedCreate", "message": words}) is None
    assert story.quiet(100) is None


def test_creations_that_were_refused_until_all_pods_were_made_are_not_fault() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02, replicas=0)
    words = 'Error creating: Internal error occurred: failed calling webhook "x": connect: connection refused'
    story.event(0.5, "FailedCreate", words, about="ReplicaSet/web-1")
    story.replica_set(3, replicas=1)
    story.pod(3, state={"waiting": {"reason": "ContainerCreating"}})
    assert story.quiet(40) is None, "the image is still being pulled"
    assert story.becomes_available(41) is None
    assert isinstance(story.quiet(60), Succeeded)


def test_only_some_replicas_within_the_quota_are_a_fault() -> None:
    story = Story(replicas=3)
    story.deployment(0.01, observed=False)
    story.replica_set(0.2, replicas=2)
    event = story.event(0.4, "FailedCreate", f"Error creating: {QUOTA}", about="ReplicaSet/web-1")
    told(event, "quota")


def test_an_event_about_an_earlier_object_of_the_same_name_says_nothing() -> None:
    """The same template gives a ReplicaSet the same name again."""
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    event = story.event(0.1, "FailedCreate", f"Error creating: {QUOTA}", about="ReplicaSet/web-1", uid="another")
    assert event is None
    told(story.event(0.2, "FailedCreate", "Error creating: exceeded quota: team, x", about="ReplicaSet/web-1",
                     uid="rs1"), "quota")  # fmt: skip


def test_an_event_that_is_listed_again_is_not_a_news() -> None:
    """A watch that begins anew lists what is there: a failed pull from before a good one stays in the past."""
    story = Story().begins()
    words = PULL + "dial tcp 10.0.0.1:443: i/o timeout"
    story.event(1, "Failed", words, container="app")
    story.event(2, "Pulled", "Successfully pulled image", container="app")
    assert story.event(3, "Failed", words, container="app", again=False) is None
    assert story.quiet(25) is None


@pytest.mark.parametrize(
    "held", ["1 Insufficient cpu.", "1 node(s) didn't have free ports for the requested pod ports."]
)
def test_a_place_that_going_pods_hold_is_waited_for(held: str) -> None:
    story = second_rollout()
    story.pod(0.3, name="web-1-a", revision=1, deleting=True, ready=True, state={"running": {}})
    assert story.pod(0.4, name="web-2-a", unschedulable=f"0/1 nodes are available: {held}") is None
    assert story.quiet(30) is None
    story.pod(31, name="web-2-a", state={"waiting": {"reason": "ContainerCreating"}})
    story.pod(33, name="web-2-a", ready=True, state={"running": {}})
    story.deployment(33, available=1)
    assert isinstance(story.quiet(60), Succeeded)


def test_a_port_of_the_node_that_stays_taken_is_named() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    words = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    assert story.pod(0.1, unschedulable=words) is None
    assert "hostPort" in told(story.quiet(10.2), "unschedulable").hint


def test_a_claim_that_does_not_exist_is_reported_without_waiting_for_a_node() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    story.pod(0.1, unschedulable='0/1 nodes are available: persistentvolumeclaim "data" not found.')
    assert "data" in told(story.quiet(5.2), "unschedulable").hint


@pytest.mark.parametrize(
    ("about", "reason", "words"),
    [
        ("Pod/web-1-a", "FailedMount",
         'MountVolume.SetUp failed for volume "kube-api-access-x" : configmap "kube-root-ca.crt" not found'),
        ("ReplicaSet/web-1", "FailedCreate",
         ('Error creating: pods "web-1-" is forbidden: error looking up service account shop/default: '
         'serviceaccount "default" not found')),
    ],
)  # fmt: skip
def test_what_a_new_namespace_gets_in_a_moment_is_waited_for(about: str, reason: str, words: str) -> None:
    story = Story().begins()
    for t in (0.3, 0.8, 1.6):
        assert story.event(t, reason, words, about=about) is None
    story.replica_set(2, replicas=1)
    assert story.becomes_available(3) is None
    assert isinstance(story.quiet(60), Succeeded)


def test_a_sidecar_that_crashes_is_named_and_not_the_application() -> None:
    story = Story()
    story.pod_spec["initContainers"] = [{"name": "proxy", "image": "registry.test/proxy:1", "restartPolicy": "Always"}]
    story.begins()
    for restarts in (0, 1):
        status = {"name": "proxy", "restartCount": restarts, "state": ended(2, message="bad flag")}
        verdict = story.pod(2.0 + restarts, init=status, state={"waiting": {"reason": "PodInitializing"}})
    fault = told(verdict, "crash")
    assert "proxy" in fault.message
    assert "bad flag" in fault.evidence[1].text


def test_each_replica_may_crash_once() -> None:
    story = Story(replicas=3).begins()
    for index, name in enumerate(("web-1-a", "web-1-b", "web-1-c")):
        assert story.pod(2 + index, name=name, state=ended(1, message="no database yet")) is None
    for name in ("web-1-a", "web-1-b", "web-1-c"):
        story.pod(6, name=name, ready=True, restartCount=1, state={"running": {}}, lastState=ended(1))
    assert story.deployment(7, available=3) is None
    assert isinstance(story.quiet(60), Succeeded)


def test_replicas_that_an_autoscaler_adds_in_the_middle_are_waited_for() -> None:
    story = Story().begins()
    story.becomes_available(2)
    story.replicas = 3
    assert story.deployment(4, available=1) is None
    assert story.quiet(20) is None
    assert story.deployment(21, available=3) is None
    assert isinstance(story.quiet(60), Succeeded)


RUNC = "OCI runtime create failed: runc create failed: unable to start container process: "


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("container init was OOM-killed (memory limit too low?)", "oom"),
        (
            'error mounting "/a" to rootfs at "/etc/b": create mountpoint: no such file or directory',
            "container_config",
        ),
        ('exec: "/run.sh": permission denied', "command_not_found"),
        ('exec: "serve": executable file not found in $PATH', "command_not_found"),
    ],
)
def test_a_start_that_the_runtime_refuses_is_classed_by_its_words(words: str, cause: str) -> None:
    story = Story().begins()
    words = f"failed to create containerd task: failed to create shim task: {RUNC}{words}"
    waiting = {"waiting": {"reason": "RunContainerError", "message": words}}
    told(story.pod(1.5, state=waiting, lastState=ended(128, "StartError", words)), cause)


@pytest.mark.parametrize(("kind", "cause"), [("startup", "probe_startup"), ("liveness", "probe_liveness")])
def test_a_probe_that_killed_is_reported_although_the_event_was_lost(kind: str, cause: str) -> None:
    story = Story()
    story.container[f"{kind}Probe"] = READINESS
    story.begins()
    story.runs(1, ready=False)
    for second in range(2, 5):
        assert story.probe_fails(second, kind.capitalize(), "HTTP probe failed with statuscode: 500") is None
    told(story.pod(7, restartCount=1, ready=False, state={"running": {}}, lastState=ended(137)), cause)


def test_a_kill_for_memory_is_not_blamed_on_a_probe_that_failed_too() -> None:
    story = Story()
    story.container["livenessProbe"] = READINESS
    story.begins()
    story.runs(1, ready=True)
    for second in range(2, 5):
        story.probe_fails(second, "Liveness", "HTTP probe failed with statuscode: 500")
    story.pod(5, state=ended(137, "OOMKilled"))
    told(story.pod(7, restartCount=1, state=ended(137, "OOMKilled"), lastState=ended(137, "OOMKilled")), "oom")


def test_a_probe_that_speaks_the_wrong_scheme_is_decided_within_its_budget() -> None:
    story = Story(deadline=600)
    story.container["readinessProbe"] = READINESS
    story.begins()
    story.runs(1, ready=False)
    for second in range(2, 6):
        story.probe_fails(second, "Readiness", 'Get "http://10.0.0.7:8080/": net/http: malformed HTTP response "x"')
    told(story.quiet(6), "probe_readiness")


def test_a_kubelet_that_pulls_too_much_immediately_is_waited_for() -> None:
    story = Story(deadline=600).begins()
    for t in (1, 12):
        assert story.event(t, "Failed", PULL + "pull QPS exceeded", container="app") is None
    story.event(23, "Pulled", "Successfully pulled image", container="app")
    assert story.becomes_available(24) is None
    assert isinstance(story.quiet(60), Succeeded)
