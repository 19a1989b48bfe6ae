"""The controllers of the emulated API: they replay what a real control plane did with such a Deployment."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import anyio

from support.kubernetes.endpoints import reach
from support.kubernetes.store import KINDS, Json, Store, now

STREAMS = Path(__file__).parents[2] / "stages/deploy/kubernetes/streams"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


async def replay(store: Store, deployment: Json, stream: str, speed: float) -> None:
    """Play a recorded stream for a Deployment that was applied, under its name, `speed` times as fast."""
    recorded = [json.loads(line) for line in (STREAMS / f"{stream}.jsonl").read_text().splitlines()]
    rewrite = _Rewriting(recorded, deployment)
    start = anyio.current_time()
    for seen in recorded:
        await anyio.sleep(max(0.0, seen["t"] / speed - (anyio.current_time() - start)))
        if not _is_current(store, deployment):
            return
        _store(store, rewrite(seen["object"]), deployment)
        reach(store, deployment["metadata"]["namespace"])


def _is_current(store: Store, deployment: Json) -> bool:
    live = store.objects.get(("deployments", deployment["metadata"]["namespace"], deployment["metadata"]["name"]))
    same = live is not None and live["metadata"]["uid"] == deployment["metadata"]["uid"]
    return same and live is not None and live["metadata"]["generation"] == deployment["metadata"]["generation"]


class _Rewriting:
    """Puts the names, labels and times of the present Deployment in the place of the recorded ones."""

    def __init__(self, recorded: list[Json], deployment: Json) -> None:
        found = _found_spec(recorded)
        self._old, self._new = found["metadata"], deployment["metadata"]
        self._template = deployment["spec"]["template"]
        self._images = tuple(_image(one) for one in (found, deployment))
        self._generation = str(self._new["generation"])

    def __call__(self, found: Json) -> Json:
        text = json.dumps(found).replace(*self._images)
        text = text.replace(self._old["uid"], self._new["uid"])
        text = text.replace(f'"{self._old["namespace"]}"', f'"{self._new["namespace"]}"')
        name = re.escape(self._old["name"])
        text = re.sub(rf'(?<![\w-]){name}(?=[-."])', self._new["name"], text)
        text = re.sub(r"-([0-9a-f]{8,10})(?=[-.\"\\])", rf"-\g<1>g{self._generation}", text)
        text = _TIME.sub(now(), text)
        made: Json = json.loads(text)
        made["metadata"].pop("resourceVersion", None)
        if made["metadata"].get("uid") != self._new["uid"]:
            made["metadata"]["uid"] = f"{made['metadata']['uid']}-{self._new['uid'][:8]}-{self._generation}"
        others = [one for one in made["metadata"].get("ownerReferences") or [] if one["kind"] == "ReplicaSet"]
        if "involvedObject" in made and made["involvedObject"]["kind"] != "Deployment":
            others.append(made["involvedObject"])
        for reference in others:
            reference["uid"] = f"{reference['uid']}-{self._new['uid'][:8]}-{self._generation}"
        return self._revised(made)

    def _revised(self, made: Json) -> Json:
        """The revision, the generation and the pod template are those of the Deployment at hand."""
        annotations = made["metadata"].get("annotations") or {}
        if "deployment.kubernetes.io/revision" in annotations:
            annotations["deployment.kubernetes.io/revision"] = self._generation
        if made.get("kind") in ("Deployment", "ReplicaSet"):
            status = made.get("status") or {}
            if "observedGeneration" in status and made["kind"] == "Deployment":
                status["observedGeneration"] = int(self._generation)
            made["spec"]["template"] = copy.deepcopy(self._template)
        if made.get("kind") == "Pod":
            made["metadata"]["labels"] = {**self._template["metadata"]["labels"]}
            names = [container["name"] for container in self._template["spec"]["containers"]]
            text = json.dumps(made).replace('"name": "app"', f'"name": "{names[0]}"')
            made = json.loads(text)
        return made


def _found_spec(recorded: list[Json]) -> Json:
    found: Json = next(seen["object"] for seen in recorded if seen["kind"] == "Deployment")
    return found


def _image(deployment: Json) -> str:
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def _store(store: Store, found: Json, deployment: Json) -> None:
    metadata = deployment["metadata"]
    if found["kind"] == "Deployment":
        key = ("deployments", metadata["namespace"], metadata["name"])
        live = copy.deepcopy(store.objects[key])
        live["status"] = _with_availability(found.get("status") or {}, live.get("status") or {})
        revision = (found["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
        if revision:
            live["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = revision
        store.put(key, _scaled(live))
        return
    plural = next(kinds[found["kind"]][0] for kinds in KINDS.values() if found["kind"] in kinds)
    if found["kind"] == "Event":
        text = json.dumps(found)
        found = json.loads(
            text.replace("{app}", f"{{{deployment['spec']['template']['spec']['containers'][0]['name']}}}")
        )
    store.put((plural, metadata["namespace"], found["metadata"]["name"]), found)


def _with_availability(status: Json, before: Json) -> Json:
    """A Deployment that was available stays so: with `maxUnavailable: 0` its old pods serve until the new ones do."""
    available = [c for c in before.get("conditions") or [] if c["type"] == "Available" and c["status"] == "True"]
    others = [c for c in status.get("conditions") or [] if c["type"] != "Available" or not available]
    return {**status, "conditions": [*others, *available]}


def _scaled(live: Json) -> Json:
    """The recorded counts, brought to the number of replicas that is asked for."""
    status, wanted = live["status"], live["spec"].get("replicas", 1)
    complete = status.get("availableReplicas") and status.get("availableReplicas") == status.get("replicas")
    for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        if key in status and (complete or key in ("replicas", "updatedReplicas")):
            status[key] = wanted
    return live
