"""Failures that were not recorded: synthetic stories with the reasons and messages that Kubernetes documents."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from container_kit.stages.contract.fault import Fault
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import Failed, Verdict
from container_kit.stages.deploy.kubernetes.rollout.faults import ROLLOUT_FAULTS
from support.kubernetes.story import READINESS, Story, ended


def told(verdict: Verdict | None, cause: str) -> Fault:
    assert isinstance(verdict, Failed), verdict
    assert verdict.fault.code == f"kubernetes.{cause}"
    assert verdict.fault.evidence
    assert "{" not in verdict.fault.hint
    return verdict.fault


QUOTA = (
    'pods "web-1-x" is forbidden: exceeded quota: team, requested: limits.memory=64Mi, used: limits.memory=1Gi, '
    "limited: limits.memory=1Gi"
)
ACCOUNT = 'pods "web-1-" is forbidden: error looking up service account shop/robot: serviceaccount "robot" not found'


def test_a_quota_that_is_used_up_is_reported_by_the_replica_sets_event() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    fault = told(story.event(0.9, "FailedCreate", f"Error creating: {QUOTA}", about="ReplicaSet/web-1"), "quota")
    assert "team" in fault.hint
    assert "limits.memory=1Gi" in fault.evidence[0].text


def test_a_quota_that_is_used_up_is_reported_by_the_deployments_condition_only() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    failure = {"status": "True", "reason": "FailedCreate", "message": QUOTA}
    told(story.deployment(1.0, ReplicaFailure=failure), "quota")


def test_a_missing_service_account_is_named() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    event = story.event(0.9, "FailedCreate", f"Error creating: {ACCOUNT}", about="ReplicaSet/web-1")
    assert "robot" in told(event, "service_account_not_found").hint


def test_a_limit_range_that_refuses_the_pods_is_reported_with_the_apis_words() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    words = 'Error creating: pods "web-1-x" is forbidden: maximum memory usage per Container is 32Mi, but limit is 64Mi'
    assert story.event(0.9, "FailedCreate", words, about="ReplicaSet/web-1") is None
    assert "maximum memory usage" in told(story.quiet(6), "pod_refused").evidence[0].text


def test_a_missing_pull_secret_is_the_cause_when_the_registry_refuses() -> None:
    story = Story()
    story.pod_spec["imagePullSecrets"] = [{"name": "regcred"}]
    story.begins()
    missing = "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed."
    assert story.event(1.0, "FailedToRetrieveImagePullSecret", missing) is None
    words = 'Failed to pull image "registry.test/web:1": failed to authorize: 401 Unauthorized'
    assert "regcred" in told(story.event(1.4, "Failed", words, container="app"), "pull_secret_not_found").hint


def test_a_missing_pull_secret_that_is_not_needed_fails_nothing() -> None:
    story = Story().begins()
    story.event(1.0, "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (regcred); ...")
    story.event(1.5, "Pulled", "Successfully pulled image", container="app")
    assert story.becomes_available(2) is None
    assert not isinstance(story.quiet(100), Failed)


@pytest.mark.parametrize(
    ("words", "cause", "known"),
    [
        ("failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized", "image_auth", 1),
        ("pull access denied, repository does not exist or may require authorization", "image_auth", 1),
        ("unexpected status from HEAD request to https://r/v2/web/manifests/1: 403 Forbidden", "image_auth", 1),
        ("manifest unknown: manifest unknown", "image_not_found", 1),
        ("dial tcp: lookup registry.test on 10.96.0.10:53: no such host", "image_dns", 6),
        ("dial tcp 10.0.0.1:443: i/o timeout", "image_refused", 6),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "image_pull_failed", 6),
        ("429 Too Many Requests - toomanyrequests: rate limit", "image_pull_failed", 6),
        ("no match for platform in manifest: not found", "bad_arch", 1),
    ],
)
def test_a_failed_pull_is_classed_by_the_runtimes_words(words: str, cause: str, known: float) -> None:
    story = Story().begins()
    story.event(1.0, "Failed", f'Failed to pull image "registry.test/web:1": {words}', container="app")
    assert told(story.quiet(50), cause)
    assert isinstance(story.diagnosis.verdict, Failed)
    assert story.diagnosis.verdict.at == known


def test_an_images_own_name_does_not_class_its_failure() -> None:
    story = Story()
    story.container["image"] = "registry.test/unauthorized/not-found/denied:1"
    story.begins()
    words = 'Failed to pull image "registry.test/unauthorized/not-found/denied:1": dial tcp 10.0.0.1:443: i/o timeout'
    story.event(1.0, "Failed", words, container="app")
    told(story.quiet(50), "image_refused")


def test_a_network_failure_is_reported_immediately_when_it_comes_twice() -> None:
    story = Story().begins()
    words = 'Failed to pull image "registry.test/web:1": dial tcp 10.0.0.1:443: connect: connection refused'
    assert story.event(1.0, "Failed", words, container="app") is None
    told(story.event(3.0, "Failed", words, container="app"), "image_refused")


def test_a_command_that_is_not_there_is_reported_at_its_first_start() -> None:
    story = Story()
    story.container["command"] = ["serve-it"]
    story.begins()
    words = 'exec: "serve-it": executable file not found in $PATH: unknown'
    state = {"waiting": {"reason": "RunContainerError", "message": words}}
    verdict = story.pod(2.0, state=state, lastState=ended(128, "StartError", words))
    assert "serve-it" in told(verdict, "command_not_found").hint


def test_a_command_that_is_not_there_is_reported_by_the_event_before_the_status() -> None:
    story = Story().begins()
    words = (
        "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
        'failed: unable to start container process: exec: "/srv/run": stat /srv/run: no such file or directory: unknown'
    )
    told(story.event(1.2, "Failed", words, container="app"), "command_not_found")


def test_a_pod_whose_sandbox_cannot_be_made_is_reported_after_half_a_minute() -> None:
    story = Story(deadline=600).begins()
    words = "Failed to create pod sandbox: plugin type=calico failed: no IP addresses available"
    assert story.event(1, "FailedCreatePodSandBox", words) is None
    assert story.quiet(30) is None
    told(story.quiet(32), "sandbox_failed")


def test_an_apply_that_the_api_refused_is_reported_by_the_benchmark_too(tmp_path: Path) -> None:
    causes = [{"reason": "FieldValueInvalid", "message": "field is immutable", "field": "spec.selector"}]
    status = {"code": 422, "reason": "Invalid", "message": "invalid", "details": {"causes": causes}}
    path = tmp_path / "refused.jsonl"
    path.write_text(json.dumps({"t": 0.05, "kind": "Status", "object": status}))
    command = [sys.executable, str(Path(__file__).parents[4] / "benchmarks/diagnose.py"), str(path), "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True).stdout
    assert json.loads(printed)["class"] == "immutable"


def test_a_start_that_fails_for_the_architecture_is_reported_as_such() -> None:
    story = Story().begins()
    state = ended(128, "StartError", "failed to create containerd task: exec /app: exec format error")
    told(story.pod(2.0, state=state), "bad_arch")


def test_a_write_to_the_read_only_root_is_reported_with_the_folder() -> None:
    story = Story().begins()
    words = "OSError: [Errno 30] Read-only file system: '/srv/cache'"
    story.pod(2.0, state=ended(1, message=words))
    verdict = story.pod(4.0, restartCount=1, state=ended(1, message=words), lastState=ended(1, message=words))
    assert "/srv/cache" in told(verdict, "read_only_fs").evidence[1].text


@pytest.mark.parametrize(
    "words",
    [
        'container has runAsNonRoot and image will run as root (pod: "web-1-a", container: app)',
        "container has runAsNonRoot and image has non-numeric user (node), cannot verify user is non-root",
    ],
)
def test_an_image_that_runs_as_root_is_reported_immediately(words: str) -> None:
    story = Story().begins()
    told(story.pod(1.6, state={"waiting": {"reason": "CreateContainerConfigError", "message": words}}), "runs_as_root")


def test_a_missing_key_is_reported_with_its_config_map() -> None:
    story = Story().begins()
    words = "couldn't find key PORT in ConfigMap shop/settings"
    story.event(1, "Failed", f"Error: {words}", container="app")
    fault = told(story.event(2, "Failed", f"Error: {words}", container="app"), "config_not_found")
    assert "ConfigMap shop/settings with key PORT" in fault.hint


def test_a_volume_that_cannot_be_attached_is_reported_after_its_grace() -> None:
    story = Story().begins()
    words = 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: volume does not exist'
    assert story.event(1, "FailedAttachVolume", words) is None
    told(story.quiet(6), "volume_not_found")


def test_a_startup_probe_is_reported_when_its_budget_is_used_up() -> None:
    story = Story()
    story.container["startupProbe"] = {**READINESS, "failureThreshold": 5}
    story.begins()
    story.runs(1, ready=False)
    answer = 'Get "http://10.0.0.7:8080/healthz": dial tcp 10.0.0.7:8080: connect: connection refused'
    for second in range(2, 7):
        assert story.probe_fails(second, "Startup", answer) is None
    verdict = story.event(7, "Killing", "Container app failed startup probe, will be restarted", container="app")
    assert "8080" in told(verdict, "probe_startup").hint


def test_a_program_that_answers_5xx_for_a_minute_is_not_ready() -> None:
    story = Story(deadline=600)
    story.container["readinessProbe"] = READINESS
    story.begins()
    story.runs(1, ready=False)
    for second in range(2, 12):
        assert story.probe_fails(second, "Readiness", "HTTP probe failed with statuscode: 503") is None
    assert "server error" in told(story.quiet(70), "probe_readiness").hint


def test_the_progress_deadline_is_reported_with_the_cause_that_was_still_waited_for() -> None:
    story = Story(deadline=10)
    story.container["readinessProbe"] = READINESS
    story.begins()
    story.runs(1, ready=False)
    for second in range(2, 8):
        story.probe_fails(second, "Readiness", "dial tcp 10.0.0.7:8080: connect: connection refused")
    told(story.deadline_passes(11), "probe_readiness")


def test_a_progress_deadline_without_any_sign_is_reported_as_such() -> None:
    story = Story(deadline=10)
    story.container["readinessProbe"] = {**READINESS, "initialDelaySeconds": 600}
    story.begins()
    story.runs(1, ready=False)
    assert "10 s" in told(story.deadline_passes(11), "progress_deadline").hint


def test_a_probe_within_its_budget_is_not_blamed_for_the_deadline() -> None:
    story = Story(deadline=10)
    story.container["readinessProbe"] = {**READINESS, "failureThreshold": 60}
    story.begins()
    story.runs(1, ready=False)
    for second in range(2, 11):
        story.probe_fails(second, "Readiness", "dial tcp 10.0.0.7:8080: connect: connection refused")
    told(story.deadline_passes(11), "progress_deadline")


def test_pods_that_a_node_throws_out_again_and_again_are_reported() -> None:
    story = Story().begins()
    words = "Pod ephemeral local storage usage exceeds the total limit of containers 64Mi."
    assert story.pod(3, name="web-1-a", phase="Failed", reason="Evicted", message=words) is None
    told(story.pod(5, name="web-1-b", phase="Failed", reason="Evicted", message=words), "evicted")


def test_a_service_that_selects_no_pod_is_reported_although_all_pods_are_ready() -> None:
    story = Story().begins()
    labels = {"kubernetes.io/service-name": "shop"}
    story.at(0.2, "EndpointSlice", {"metadata": {"name": "shop-x", "labels": labels}, "endpoints": None})
    story.becomes_available(3)
    fault = told(story.quiet(30), "endpoints_not_found")
    assert isinstance(story.diagnosis.verdict, Failed)
    assert story.diagnosis.verdict.at <= 4
    assert "shop" in fault.hint


def test_an_autoscaler_that_cannot_help_ends_the_wait_for_a_node() -> None:
    story = Story()
    story.deployment(0.01, observed=False)
    story.replica_set(0.02)
    story.pod(0.1, unschedulable="0/3 nodes are available: 3 Insufficient memory.")
    story.event(1, "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached")
    fault = told(story.quiet(5.2), "unschedulable")
    assert "memory" in fault.hint


def test_every_code_has_its_own_hint() -> None:
    assert len({code.code for code in ROLLOUT_FAULTS}) == len(ROLLOUT_FAULTS)
    hints = [code.hint for code in ROLLOUT_FAULTS if code.hint != "{repair}"]
    assert len(set(hints)) == len(hints)


def test_a_deadline_that_is_seen_before_its_cause_is_reported_with_the_cause() -> None:
    """Each kind has its own watch, and one may be a little behind another."""
    story = Story(deadline=10).begins()
    gave_up = {"status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out progressing."}
    assert story.deployment(11, Progressing=gave_up) is None
    story.pod(11.1, state={"waiting": {"reason": "ErrImageNeverPull", "message": "not present"}})
    told(story.quiet(12), "image_never_pull")
