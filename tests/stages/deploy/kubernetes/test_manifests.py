"""Generated manifests: valid by the strict schemas, restricted, without secrets, whatever was asked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from container_kit.stages.artifacts.analysis import Finding, Module, Service
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import ClusterImage, KubernetesOptions, Layout, Manifests
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.manifests.application import combine
from container_kit.stages.deploy.kubernetes.manifests.generate import objects, restricted_namespace
from container_kit.stages.deploy.kubernetes.manifests.layouts import render_layout

Json = dict[str, Any]
DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = ClusterImage(reference=f"registry.test/shop/web:1.4@{DIGEST}")
FULL = KubernetesOptions(
    name="web",
    replicas=2,
    max_replicas=6,
    port=8080,
    health_path="/healthz",
    host="shop.example.com",
    ingress_class="nginx",
    tls_secret="shop-tls",
    pull_secret="regcred",
    env={"LOG_LEVEL": "debug", "GREETING": "cost: $(PRICE) {{ .Values.x }}"},
    secret_env={"DATABASE_URL": "shop-db/url"},
    config_env={"FEATURES": "shop-settings/features"},
    writable_paths=("/app/cache",),
    labels={"team": "shop"},
    command=("python",),
    args=("-m", "app", "$HOME"),
)


def made(options: KubernetesOptions, module: Module | None = None, built: Image | None = None) -> list[Json]:
    return objects(combine(options, IMAGE, "shop", module, built))


def of_kind(found: list[Json], kind: str) -> Json:
    (one,) = [o for o in found if o["kind"] == kind]
    return one


@pytest.mark.parametrize("version", ["1.27", "1.31", "1.36"])
def test_every_object_is_valid_by_the_strict_schema(version: str) -> None:
    found = [*made(FULL), *made(KubernetesOptions(port=80)), restricted_namespace("shop")]
    assert {o["kind"] for o in found} >= {
        "ServiceAccount", "Deployment", "Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget",
        "NetworkPolicy", "Namespace",
    }  # fmt: skip
    for one in found:
        kubernetes_validate.validate(one, version, strict=True)


def test_the_strict_schema_would_refuse_a_wrong_field() -> None:
    """The check above can fail."""
    deployment = of_kind(made(FULL), "Deployment")
    deployment["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.36", strict=True)


def pod_security_violations(deployment: Json) -> list[str]:
    """The controls of the Pod Security Standard `restricted` (and `baseline`, which it includes)."""
    pod = deployment["spec"]["template"]["spec"]
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    found += ["volumes" for volume in pod["volumes"] if set(volume) - {"name", "emptyDir"}]
    safe_sysctls = {"net.ipv4.ip_unprivileged_port_start"}
    found += ["sysctls" for s in pod["securityContext"].get("sysctls", []) if s["name"] not in safe_sysctls]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        context = {**pod["securityContext"], **container["securityContext"]}
        wanted = {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}}
        found += [key for key, value in wanted.items() if context.get(key) != value]
        found += ["privileged"] if context.get("privileged") else []
        found += ["seccomp"] if context["seccompProfile"]["type"] not in ("RuntimeDefault", "Localhost") else []
        found += ["runAsUser"] if context["runAsUser"] == 0 else []
        found += ["hostPort" for port in container.get("ports", []) if "hostPort" in port]
    return found


@pytest.mark.parametrize("options", [FULL, KubernetesOptions(port=80), KubernetesOptions(port=3000, replicas=1)])
def test_the_pods_meet_pod_security_restricted(options: KubernetesOptions) -> None:
    assert pod_security_violations(of_kind(made(options), "Deployment")) == []


def test_a_rollout_has_a_probe_and_must_stay_up() -> None:
    deployment = of_kind(made(FULL), "Deployment")["spec"]
    container = deployment["template"]["spec"]["containers"][0]
    assert deployment["minReadySeconds"] >= 5
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 60
    assert deployment["progressDeadlineSeconds"] > 60 + deployment["minReadySeconds"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert container["image"].endswith(DIGEST)


def test_without_a_health_path_the_probes_try_the_port() -> None:
    container = of_kind(made(KubernetesOptions(port=3000)), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["tcpSocket"] == {"port": "http"}


def test_an_autoscaler_owns_the_number_of_replicas() -> None:
    found = made(FULL)
    assert "replicas" not in of_kind(found, "Deployment")["spec"]
    scaler = of_kind(found, "HorizontalPodAutoscaler")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)


def test_selectors_match_the_pods_labels() -> None:
    found = made(FULL)
    labels = of_kind(found, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        of_kind(found, "Deployment")["spec"]["selector"]["matchLabels"],
        of_kind(found, "Service")["spec"]["selector"],
        of_kind(found, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind(found, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    assert all("version" not in key for selector in selectors for key in selector), "a selector cannot be changed later"


def test_secrets_and_settings_are_given_by_reference() -> None:
    env = of_kind(made(FULL), "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    by_name = {entry["name"]: entry for entry in env}
    assert by_name["DATABASE_URL"]["valueFrom"] == {"secretKeyRef": {"name": "shop-db", "key": "url"}}
    assert by_name["FEATURES"]["valueFrom"] == {"configMapKeyRef": {"name": "shop-settings", "key": "features"}}


@pytest.mark.parametrize(
    "env",
    [{"DB_PASSWORD": "hunter22"}, {"URL": "postgres://app:hunter22@db/shop"}, {"X": "AKIAIOSFODNN7EXAMPLE"}],
)
def test_a_literal_secret_is_refused_and_not_repeated(env: dict[str, str]) -> None:
    with pytest.raises(StageFailure) as caught:
        made(KubernetesOptions(port=80, env=env))
    fault = caught.value.fault
    assert fault.code == "kubernetes.secret_literal"
    assert next(iter(env)) in fault.message
    assert "secret_env=" in fault.hint
    assert next(iter(env.values())) not in fault.model_dump_json()


def test_a_dollar_reaches_the_program_as_it_was_written() -> None:
    """Kubernetes expands $(NAME) in env, command and args, and reads $$ as $."""
    container = of_kind(made(FULL), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    value = next(entry["value"] for entry in container["env"] if entry["name"] == "GREETING")
    assert value == "cost: $$(PRICE) {{ .Values.x }}"
    assert container["args"] == ["-m", "app", "$$HOME"]


def test_the_analysis_fills_in_what_was_not_asked() -> None:
    module = Module(
        path=".",
        name="@shop/My Web",
        role=Finding(value="web"),
        language=Finding(value="python"),
        port=Finding(value=5000),
        health_endpoint=Finding(value="/health"),
        services=(Service(kind="postgres", confidence=0.9),),
    )
    found = made(KubernetesOptions(), module)
    container = of_kind(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert of_kind(found, "Deployment")["metadata"]["name"] == "shop-my-web"
    assert container["ports"][0]["containerPort"] == 5000
    assert container["startupProbe"]["httpGet"]["path"] == "/health"
    ports = [port["port"] for rule in of_kind(found, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]]
    assert 5432 in ports


def test_the_images_port_and_numeric_user_are_used() -> None:
    built = Image(id="sha256:1", reference="web:1", ports=(9000,), user="1234:5678")
    pod = of_kind(made(KubernetesOptions(), None, built), "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["ports"][0]["containerPort"] == 9000
    assert pod["securityContext"]["runAsUser"] == 1234


def test_a_worker_needs_neither_port_nor_service() -> None:
    module = Module(path=".", name="jobs", role=Finding(value="worker"), language=Finding(value="python"))
    found = made(KubernetesOptions(), module)
    assert not [o for o in found if o["kind"] in ("Service", "Ingress")]
    assert of_kind(found, "NetworkPolicy")["spec"]["ingress"] == []


def test_an_unknown_port_is_requested() -> None:
    with pytest.raises(StageFailure, match="port_not_found"):
        made(KubernetesOptions())


def in_layout(layout: Layout, options: KubernetesOptions = FULL) -> dict[str, str]:
    return render_layout(Manifests(name="web", namespace="shop", objects=tuple(made(options))), layout).files


def parsed(files: dict[str, str]) -> list[Json]:
    return [document for text in files.values() for document in yaml.safe_load_all(text)]


def by_key(found: list[Json]) -> dict[str, Json]:
    return {f"{o['kind']}/{o['metadata']['name']}": o for o in found}


def test_files_read_back_as_the_same_objects() -> None:
    assert by_key(parsed(in_layout("files"))) == by_key(made(FULL))


def test_a_kustomize_base_names_all_its_files() -> None:
    files = in_layout("kustomize")
    kustomization = yaml.safe_load(files.pop("kustomization.yaml"))
    assert kustomization["namespace"] == "shop"
    assert set(kustomization["resources"]) == set(files)
    assert all("namespace" not in o["metadata"] for o in parsed(files))


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed here")
def test_kustomize_itself_builds_the_base(tmp_path: Path) -> None:
    for name, text in in_layout("kustomize").items():
        (tmp_path / name).write_text(text)
    command = ["kubectl", "kustomize", str(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert by_key(list(yaml.safe_load_all(built))) == by_key(made(FULL))


def rendered(files: dict[str, str], values: Json | None = None) -> list[Json]:
    """Fill in a chart as Helm does. Helm cannot be had here: this knows `toJson` of a value and a quoted text only."""
    scope = {"Values": values or yaml.safe_load(files["values.yaml"]), "Release": {"Namespace": "shop"}}

    def fill(found: re.Match[str]) -> str:
        if found.group(1) == '"{{"':
            return "{{"
        value: Any = scope
        for key in found.group(1).removeprefix("toJson .").split("."):
            value = value[key]
        return json.dumps(value)

    texts = {n: re.sub(r"\{\{ (.*?) \}\}", fill, t) for n, t in files.items() if n.startswith("templates/")}
    return parsed(texts)


def test_a_helm_chart_with_its_own_values_gives_the_same_objects() -> None:
    files = in_layout("helm")
    assert by_key(rendered(files)) == by_key(made(FULL))
    chart = yaml.safe_load(files["Chart.yaml"])
    assert (chart["apiVersion"], chart["name"]) == ("v2", "web")


def test_a_helm_chart_takes_other_values() -> None:
    files = in_layout("helm")
    values = {**yaml.safe_load(files["values.yaml"]), "image": "registry.test/web:2", "host": "other.example.com"}
    found = rendered(files, values)
    pod = of_kind(found, "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.test/web:2"
    assert of_kind(found, "Ingress")["spec"]["rules"][0]["host"] == "other.example.com"


def test_braces_in_a_text_are_not_helms() -> None:
    options = FULL.model_copy(update={"args": ("{{ .Release.Name }}", "}}{{"), "health_path": None})
    assert by_key(rendered(in_layout("helm", options))) == by_key(made(options))
