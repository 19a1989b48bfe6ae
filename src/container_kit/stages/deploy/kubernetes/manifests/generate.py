"""Generates objects that pass Pod Security `restricted` and checkov, in the order of applying."""

from __future__ import annotations

import math
from typing import Any

from container_kit.stages.deploy.kubernetes.manifests.application import ManifestValues

Json = dict[str, Any]

MANAGED_BY = "container-kit"
MIN_READY_SECONDS = 5
"""Without it, a container that exits immediately counts as available."""
_UNPRIVILEGED_PORTS = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
"""Lets a user other than root listen on ports below 1024; `restricted` allows this sysctl."""


def objects(app: ManifestValues) -> list[Json]:
    """Return all objects of an application."""
    generated = [_service_account(app), _network_policy(app), _deployment(app), _disruption_budget(app)]
    if app.port is not None:
        generated.append(_service(app))
    if app.options.max_replicas is not None and app.options.max_replicas > app.options.initial_replicas:
        generated.append(_autoscaler(app))
    if app.options.host is not None and app.port is not None:
        generated.append(_ingress(app))
    return generated


def restricted_namespace(name: str) -> Json:
    """Return a namespace that enforces Pod Security `restricted`."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    labels = {"app.kubernetes.io/managed-by": MANAGED_BY, **levels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _metadata(app: ManifestValues) -> Json:
    return {"name": app.name, "namespace": app.namespace, "labels": _labels(app)}


def _selector(app: ManifestValues) -> dict[str, str]:
    return {"app.kubernetes.io/name": app.name}


def _labels(app: ManifestValues) -> dict[str, str]:
    ours = {**_selector(app), "app.kubernetes.io/version": app.version, "app.kubernetes.io/managed-by": MANAGED_BY}
    return {**app.labels, **ours}


def _object(app: ManifestValues, api_version: str, kind: str, **content: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": _metadata(app), **content}


def _service_account(app: ManifestValues) -> Json:
    return _object(app, "v1", "ServiceAccount", automountServiceAccountToken=False)


def _deployment(app: ManifestValues) -> Json:
    # a minute to schedule the pod and pull the image
    deadline = app.options.startup_timeout + 60 + MIN_READY_SECONDS
    spec: Json = {
        "minReadySeconds": MIN_READY_SECONDS,
        "progressDeadlineSeconds": deadline,
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": _selector(app)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": {"labels": _labels(app)}, "spec": _pod(app)},
    }
    if app.options.max_replicas is None or app.options.max_replicas <= app.options.initial_replicas:
        spec = {"replicas": app.options.initial_replicas, **spec}  # otherwise an autoscaler sets them
    return _object(app, "apps/v1", "Deployment", spec=spec)


def _pod(app: ManifestValues) -> Json:
    on_nodes = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": _selector(app)}}
    security: Json = {
        "runAsNonRoot": True,
        "runAsUser": app.user,
        "runAsGroup": app.user,
        "fsGroup": app.user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if app.port is not None and app.port < 1024:
        security["sysctls"] = [_UNPRIVILEGED_PORTS]
    pod: Json = {
        "serviceAccountName": app.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": security,
        "topologySpreadConstraints": [{"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", **on_nodes}],
        "volumes": [{"name": name, "emptyDir": {"sizeLimit": "64Mi"}} for name, _ in _volumes(app)],
        "containers": [_container(app)],
    }
    if app.options.pull_secret is not None:
        pod["imagePullSecrets"] = [{"name": app.options.pull_secret}]
    return pod


def _volumes(app: ManifestValues) -> list[tuple[str, str]]:
    paths = ["/tmp", *(path for path in app.writable_paths if path != "/tmp")]  # noqa: S108 - in the container
    return [(f"writable-{index}", path) for index, path in enumerate(paths)]


def _container(app: ManifestValues) -> Json:
    options = app.options
    container: Json = {
        "name": app.name,
        "image": app.image,
        "imagePullPolicy": app.pull_policy,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": app.user,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {
            "requests": {"cpu": options.cpu, "memory": options.memory, "ephemeral-storage": "64Mi"},
            "limits": {"cpu": options.cpu_limit, "memory": options.memory_limit, "ephemeral-storage": "512Mi"},
        },
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in _volumes(app)],
    }
    if app.env:
        container["env"] = app.env
    for field in ("command", "args"):
        if words := getattr(options, field):
            container[field] = [word.replace("$", "$$") for word in words]
    if app.port is not None:
        container["ports"] = [{"name": "http", "containerPort": app.port, "protocol": "TCP"}]
        container.update(_probes(app))
    return container


def _probes(app: ManifestValues) -> Json:
    """Return the probes. The startup probe allows for a slow start, so that the others can be fast."""
    path = app.options.health_path
    check: Json = {"httpGet": {"path": path, "port": "http"}} if path else {"tcpSocket": {"port": "http"}}
    budget = math.ceil(app.options.startup_timeout / 2)
    return {
        "startupProbe": {**check, "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": budget},
        "readinessProbe": {**check, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3},
        "livenessProbe": {**check, "periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 6},
    }


def _service(app: ManifestValues) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return _object(app, "v1", "Service", spec={"type": "ClusterIP", "selector": _selector(app), "ports": ports})


def _ingress(app: ManifestValues) -> Json:
    backend = {"service": {"name": app.name, "port": {"name": "http"}}}
    rule = {"host": app.options.host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec: Json = {"rules": [rule]}
    if app.options.ingress_class is not None:
        spec["ingressClassName"] = app.options.ingress_class
    if app.options.tls_secret is not None:
        spec["tls"] = [{"hosts": [app.options.host], "secretName": app.options.tls_secret}]
    return _object(app, "networking.k8s.io/v1", "Ingress", spec=spec)


def _autoscaler(app: ManifestValues) -> Json:
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": app.name},
        "minReplicas": app.options.initial_replicas,
        "maxReplicas": app.options.max_replicas,
        "metrics": [cpu],
    }
    return _object(app, "autoscaling/v2", "HorizontalPodAutoscaler", spec=spec)


def _disruption_budget(app: ManifestValues) -> Json:
    selector = {"matchLabels": _selector(app)}
    spec = {"maxUnavailable": 1, "selector": selector, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    return _object(app, "policy/v1", "PodDisruptionBudget", spec=spec)


def _network_policy(app: ManifestValues) -> Json:
    """Allow traffic from the namespace and the ingress controller to the port, and to DNS and the egress ports."""
    dns: Json = {
        "to": [{"namespaceSelector": {}}],
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
    }
    egress = [dns]
    if app.egress_ports:
        egress.append({"ports": [{"port": port, "protocol": "TCP"} for port in app.egress_ports]})
    spec: Json = {
        "podSelector": {"matchLabels": _selector(app)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": egress,
    }
    if app.port is not None:
        sources: list[Json] = [{"podSelector": {}}]
        if app.options.host is not None:
            name = {"kubernetes.io/metadata.name": app.options.ingress_namespace}
            sources.append({"namespaceSelector": {"matchLabels": name}})
        spec["ingress"] = [{"from": sources, "ports": [{"port": "http", "protocol": "TCP"}]}]
    return _object(app, "networking.k8s.io/v1", "NetworkPolicy", spec=spec)
