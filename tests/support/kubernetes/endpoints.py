"""The EndpointSlice controller of the emulated API."""

from __future__ import annotations

from support.kubernetes.store import Json, Store


def reach(store: Store, namespace: str) -> None:
    """Bring the addresses of a namespace's Services in step with its pods, whichever of the two came later."""
    there = list(store.objects.items())
    pods = [found for (plural, where, _), found in there if plural == "pods" and where == namespace]
    for (plural, where, name), service in there:
        selector = service["spec"].get("selector") if (plural, where) == ("services", namespace) else None
        if selector:
            taken = [pod for pod in pods if selector.items() <= pod["metadata"].get("labels", {}).items()]
            _put(store, namespace, name, [_endpoint(pod, number) for number, pod in enumerate(taken, 7)])


def _put(store: Store, namespace: str, service: str, endpoints: list[Json]) -> None:
    name = f"{service}-x1"
    metadata = {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}}
    found = {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": metadata}
    store.put(("endpointslices", namespace, name), {**found, "addressType": "IPv4", "endpoints": endpoints})


def _endpoint(pod: Json, number: int) -> Json:
    conditions = {one["type"]: one["status"] == "True" for one in pod.get("status", {}).get("conditions") or []}
    return {"addresses": [f"10.0.0.{number}"], "conditions": {"ready": conditions.get("Ready", False)}}
