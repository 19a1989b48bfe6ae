"""Rolling out against the emulated API: what is checked, applied, watched, undone and told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.responses import JSONResponse

from container_kit.stages.artifacts.kubernetes import KubernetesOptions, Manifests
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.deploy.kubernetes.deploy import DeployToKubernetes
from support.kubernetes.api_server import ApiServer
from support.kubernetes.application import CLUSTER, manifests, quick
from support.kubernetes.server_side_apply import owned_fields
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute, preview, validate

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

Json = dict[str, Any]
KINDS = ("serviceaccounts", "networkpolicies", "deployments", "poddisruptionbudgets", "services")


@pytest.fixture
def stage(kubeconfig: str) -> DeployToKubernetes:
    return DeployToKubernetes(kubeconfig, stable_seconds=0.2)


async def failed(stage: DeployToKubernetes, ctx: Contexts, made: Manifests, **options: Any) -> Fault:
    """The fault of a rollout that must be stable for 5 s: longer than a busy machine holds a replayed failure back."""
    with pytest.raises(StageFailure) as caught:
        await execute(stage, ctx(), made, KubernetesOptions(**options), CLUSTER)
    return caught.value.fault


async def test_a_rollout_is_applied_watched_and_reported(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    made = await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    assert made.deployments == ("web",)
    assert made.services == ("web",)
    assert made.image == "registry.test/ok:1"
    assert made.revision == "1"
    assert {one.change for one in made.applied} == {"created"}
    assert all(cluster.get(kind, "web") for kind in KINDS)
    assert "2 of 2 replicas ready" in " ".join(ctx.messages)
    assert ctx.fractions[-1] == 1.0


async def test_a_success_waits_until_the_rollout_stayed_stable(kubeconfig: str, ctx: Contexts) -> None:
    with anyio.fail_after(50):
        start = anyio.current_time()
        await execute(DeployToKubernetes(kubeconfig), ctx(), manifests(), KubernetesOptions(), CLUSTER)
    assert anyio.current_time() - start >= 5


async def test_nothing_is_left_watching_after_a_rollout(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    await until(lambda: cluster.watches == 0)


async def until(condition: Any) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.01)


@pytest.mark.parametrize(
    ("behaves", "cause"),
    [
        ("crash", "crash"),
        ("img-404", "image_not_found"),
        ("img-never", "image_never_pull"),
        ("oom", "oom"),
        ("psa", "pod_security"),
        ("ready-503", "probe_readiness"),
        ("live-fail", "probe_liveness"),
        ("secret-missing", "config_not_found"),
        ("cm-vol-missing", "volume_not_found"),
    ],
)
async def test_a_failed_first_rollout_says_why_and_leaves_nothing(
    behaves: str, cause: str, stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    with anyio.fail_after(50):
        fault = await failed(stage, ctx, manifests(behaves))
    assert fault.code == f"kubernetes.{cause}"
    assert fault.evidence
    assert [kind for kind in KINDS if cluster.get(kind, "web")] == []
    assert not [key for key in cluster.store.objects if key[0] in ("pods", "replicasets")]
    await until(lambda: cluster.watches == 0)


async def test_the_last_words_of_the_container_are_reported(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    fault = await failed(stage, ctx, manifests("crash"))
    logs = [evidence.text for evidence in fault.evidence if evidence.kind == "log"]
    assert logs == ["RuntimeError: DATABASE_URL is not set"]
    cluster.log = "Fatal: /config is missing\n"
    fault = await failed(stage, ctx, manifests("ready-503"))
    assert any(evidence.text == "Fatal: /config is missing" for evidence in fault.evidence)


async def test_a_failed_second_rollout_restores_the_first(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    await execute(stage, ctx(), quick(manifests(env={"LEVEL": "1"})), KubernetesOptions(), CLUSTER)
    before = cluster.get("deployments", "web")
    assert before is not None
    fault = await failed(stage, ctx, manifests("crash", env={"LEVEL": "2", "MORE": "x"}))
    assert fault.code == "kubernetes.crash"
    after = cluster.get("deployments", "web")
    assert after is not None
    assert after["spec"] == before["spec"]
    (entry,) = [e for e in after["metadata"]["managedFields"] if e["operation"] == "Apply"]
    assert entry["fieldsV1"] == owned_fields(quick(manifests(env={"LEVEL": "1"})).of_kind("Deployment")[0])


async def test_undoing_a_deployment_restores_the_one_before(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    await execute(stage, ctx(), quick(manifests(version="1")), KubernetesOptions(), CLUSTER)
    made = await execute(
        stage, ctx(), quick(manifests(version="2", host="a.example.com")), KubernetesOptions(), CLUSTER
    )
    assert [one.change for one in made.applied if one.kind == "Deployment"] == ["changed"]
    restored = type(made).model_validate_json(made.model_dump_json())  # it was journaled meanwhile
    await stage.rollback(ctx(), restored)
    deployment = cluster.get("deployments", "web")
    assert deployment is not None
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.test/ok:1"
    assert cluster.get("ingresses", "web") is None
    await stage.rollback(ctx(), restored)  # a second time does no harm


async def test_undoing_a_first_deployment_removes_it_or_scales_it_to_zero(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    options = KubernetesOptions(on_first_failure="scale_to_zero")
    made = await execute(stage, ctx(), quick(manifests()), options, CLUSTER)
    await stage.rollback(ctx(), made)
    deployment = cluster.get("deployments", "web")
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 0
    await stage.rollback(ctx(), made.model_copy(update={"on_first_failure": "delete"}))
    assert cluster.get("deployments", "web") is None


async def test_what_was_made_again_by_somebody_else_is_not_deleted(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    made = await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    cluster.store.delete(("services", "shop", "web"))
    cluster.add("v1", "Service", "web", "shop", spec={"selector": {"app": "theirs"}})
    await stage.rollback(ctx(), made)
    assert cluster.get("services", "web") is not None
    assert cluster.get("deployments", "web") is None


async def test_the_same_again_changes_nothing_and_succeeds(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    generation = cluster.get("deployments", "web")["metadata"]["generation"]  # type: ignore[index]
    made = await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    assert {one.change for one in made.applied} == {"unchanged"}
    assert cluster.get("deployments", "web")["metadata"]["generation"] == generation  # type: ignore[index]


async def test_an_ingress_that_is_requested_no_more_is_removed_and_comes_back_on_undo(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    await execute(stage, ctx(), quick(manifests(host="a.example.com")), KubernetesOptions(), CLUSTER)
    assert cluster.get("ingresses", "web") is not None
    made = await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    assert cluster.get("ingresses", "web") is None
    await stage.rollback(ctx(), made)
    ingress = cluster.get("ingresses", "web")
    assert ingress is not None
    assert ingress["spec"]["rules"][0]["host"] == "a.example.com"


async def test_a_conflict_is_found_before_anything_is_changed(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    theirs = quick(manifests(version="7")).of_kind("Deployment")[0]
    cluster.store.apply(("deployments", "shop", "web"), theirs, "kubectl", force=False, dry_run=False)
    fault = await failed(stage, ctx, manifests(version="8"))
    assert fault.code == "kubernetes.conflict"
    assert "image" in fault.hint
    assert "kubectl" in fault.hint
    assert cluster.get("services", "web") is None, "nothing was applied"


async def test_fields_of_others_are_taken_over_when_asked(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    theirs = quick(manifests(version="7")).of_kind("Deployment")[0]
    cluster.store.apply(("deployments", "shop", "web"), theirs, "kubectl", force=False, dry_run=False)
    made = await execute(stage, ctx(), quick(manifests(version="8")), KubernetesOptions(force_conflicts=True), CLUSTER)
    assert made.image == "registry.test/ok:8"


async def test_an_immutable_selector_is_reported_as_such(stage: DeployToKubernetes, ctx: Contexts) -> None:
    await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    changed = quick(manifests())
    spec = changed.of_kind("Deployment")[0]["spec"]
    spec["selector"]["matchLabels"]["app"] = spec["template"]["metadata"]["labels"]["app"] = "other"
    fault = await failed(stage, ctx, changed)
    assert fault.code == "kubernetes.immutable"
    assert "spec.selector" in fault.hint


async def test_invalid_content_is_reported_with_its_field(stage: DeployToKubernetes, ctx: Contexts) -> None:
    wrong = quick(manifests())
    wrong.of_kind("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["imagePullPolicies"] = "Always"
    fault = await failed(stage, ctx, wrong)
    assert fault.code == "kubernetes.invalid"
    assert "imagePullPolicies" in str(fault.evidence)


async def test_a_missing_permission_is_reported_before_anything_is_changed(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.denied.add(("patch", "deployments"))
    fault = await failed(stage, ctx, manifests())
    assert fault.code == "kubernetes.forbidden"
    assert "patch deployments" in fault.hint
    assert cluster.get("serviceaccounts", "web") is None


async def test_pods_that_the_namespace_will_refuse_are_reported_by_the_servers_warning(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    cluster.add("v1", "Namespace", "shop", labels=levels)
    wrong = quick(manifests())
    wrong.of_kind("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {
        "privileged": True
    }
    fault = await failed(stage, ctx, wrong)
    assert fault.code == "kubernetes.pod_security"
    assert cluster.get("serviceaccounts", "web") is None
    made = await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    assert made.warnings == ()


async def test_a_warning_that_refuses_nothing_is_reported(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.add("v1", "Namespace", "shop", labels={"pod-security.kubernetes.io/warn": "restricted"})
    wrong = quick(manifests())
    wrong.of_kind("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {
        "privileged": True
    }
    made = await execute(stage, ctx(), wrong, KubernetesOptions(), CLUSTER)
    assert 'would violate PodSecurity "restricted:latest"' in made.warnings[0]


async def test_an_apply_that_breaks_in_the_middle_is_undone(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    broken = JSONResponse({"kind": "Status", "message": "etcdserver: request timed out", "code": 500}, 500)
    cluster.failing = [None, None, broken]
    fault = await failed(stage, ctx, manifests())
    assert fault.code == "kubernetes.api_error"
    assert "etcdserver" in fault.message
    assert [kind for kind in KINDS if cluster.get(kind, "web")] == []


async def test_a_cancelled_rollout_rolls_back_and_closes_its_watches(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.speed = 0.01
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(execute, stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
        await until(lambda: cluster.watches == 5)
        tasks.cancel_scope.cancel()
    assert [kind for kind in KINDS if cluster.get(kind, "web")] == []
    await until(lambda: cluster.watches == 0)


async def test_a_watch_that_became_too_old_begins_again(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.paused = True

    async def compact() -> None:
        for times in (1, 2):
            await until(lambda: cluster.watches == 5 and len(lists()) == times)  # noqa: B023 - it is awaited here
            cluster.store.compact()
        cluster.paused = False

    def lists() -> list[bool]:
        return [watched for path, watched in cluster.reads if path.endswith("/pods") and not watched]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(compact)
        with anyio.fail_after(50):
            made = await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    assert made.revision == "1"
    assert len(lists()) == 3


async def test_a_rollout_that_is_never_decided_ends_with_its_state(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.speed = 0.05
    fault = await failed(stage, ctx, manifests("cpu-huge"), rollout_timeout=6)
    assert fault.code == "kubernetes.rollout_timeout"
    assert "Insufficient cpu" in fault.model_dump_json()
    assert cluster.get("deployments", "web") is None


async def test_a_preview_shows_the_changed_fields_and_changes_nothing(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    first = await preview(stage, ctx(dry_run=True), quick(manifests()), KubernetesOptions(), CLUSTER)
    assert "Deployment/web: new" in first.changes
    assert cluster.get("deployments", "web") is None
    await execute(stage, ctx(), quick(manifests()), KubernetesOptions(), CLUSTER)
    version = cluster.store.version
    changed = await preview(stage, ctx(dry_run=True), quick(manifests(version="2")), KubernetesOptions(), CLUSTER)
    path = "spec.template.spec.containers[web].image"
    assert f"Deployment/web: {path}: registry.test/ok:1 → registry.test/ok:2" in changed.changes
    same = await preview(stage, ctx(dry_run=True), quick(manifests()), KubernetesOptions(), CLUSTER)
    assert same.changes == ("nothing would change",)
    assert cluster.store.version == version


async def test_an_unknown_kind_is_named(stage: DeployToKubernetes, ctx: Contexts) -> None:
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    found = Manifests(name="w", namespace="shop", objects=(widget,), generated=False)
    fault = await failed(stage, ctx, found)
    assert fault.code == "kubernetes.kind_not_found"
    assert "Widget" in fault.hint


async def test_what_is_not_watched_is_said(stage: DeployToKubernetes, ctx: Contexts) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"serviceName": "db", "selector": {"matchLabels": {"a": "b"}}, "template": template}
    db = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec}
    found = Manifests(name="db", namespace="shop", objects=(db,), generated=False)  # type: ignore[arg-type]
    made = await execute(stage, ctx(), found, KubernetesOptions(), CLUSTER)
    assert "StatefulSet/db was applied, but not watched" in made.warnings


async def test_a_cluster_that_does_not_answer_is_reported_with_its_context(
    kubeconfig: str, ctx: Contexts, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    text = Path(kubeconfig).read_text()
    path.write_text(text.replace(text.split("127.0.0.1:")[1].split("\n")[0], "1"))
    stage = DeployToKubernetes(str(path))
    with pytest.raises(StageFailure) as caught:
        await execute(stage, ctx(), manifests(), KubernetesOptions(), CLUSTER)
    assert caught.value.fault.code == "kubernetes.unreachable"
    assert "context test" in caught.value.fault.hint


async def test_an_undo_that_the_api_refuses_in_part_shows_what_is_left_and_can_be_requested_again(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    await execute(stage, ctx(), quick(manifests(version="1")), KubernetesOptions(), CLUSTER)
    made = await execute(stage, ctx(), quick(manifests(version="2")), KubernetesOptions(), CLUSTER)
    changed = [f"{one.kind}/{one.name}" for one in made.applied if one.change == "changed"]
    cluster.failing = [JSONResponse({"kind": "Status", "message": "denied by policy", "code": 403}, 403)]
    with pytest.raises(StageFailure) as caught:
        await stage.rollback(ctx(), made)
    fault = caught.value.fault
    assert (fault.code, fault.retryable) == ("kubernetes.undo_incomplete", True)
    assert [evidence.text.partition(":")[0] for evidence in fault.evidence] == changed[-1:]
    assert "denied by policy" in fault.evidence[0].text
    await stage.rollback(ctx(), made)
    deployment = cluster.get("deployments", "web")
    assert deployment is not None
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.test/ok:1"


async def test_manifests_without_an_object_are_refused(stage: DeployToKubernetes, ctx: Contexts) -> None:
    nothing = Manifests(name="web", namespace="shop", objects=())
    with pytest.raises(StageFailure, match=r"kubernetes\.nothing_to_apply"):
        await validate(stage, ctx(), nothing, KubernetesOptions(), CLUSTER)
