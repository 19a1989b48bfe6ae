"""The faults of a rollout: one code for each class of failure, with its repair."""

from __future__ import annotations

from container_kit.stages.contract.fault import FaultCode


def _code(cause: str, means: str, hint: str, *, retryable: bool = False) -> FaultCode:
    return FaultCode(f"kubernetes.{cause}", means=means, hint=hint, retryable=retryable)


POD_SECURITY = _code(
    "pod_security",
    "The namespace's Pod Security level rejects the pods.",
    "Remove the settings in the evidence from the pod's securityContext; generated manifests pass `restricted`.",
)
QUOTA = _code(
    "quota",
    "The namespace's ResourceQuota leaves no room for the pods.",
    "Lower replicas, cpu or memory below what {quota} leaves, or ask for a higher quota.",
)
SERVICE_ACCOUNT_NOT_FOUND = _code(
    "service_account_not_found",
    "The ServiceAccount that the pods run as does not exist.",
    "Create ServiceAccount {account}, or leave serviceAccountName out.",
)
POD_REFUSED = _code(
    "pod_refused",
    "The API rejects the pods for another reason, such as a LimitRange or an admission webhook or policy.",
    "Change the pod template as the API's message in the evidence requires.",
)
UNSCHEDULABLE = _code("unschedulable", "No node can run the pod.", "{repair}")
IMAGE_NOT_FOUND = _code(
    "image_not_found",
    "The registry has no such image.",
    "Push {image} to its registry, or correct the name, tag or digest.",
)
IMAGE_AUTH = _code(
    "image_auth",
    "The registry requires (other) credentials for the image.",
    "Create a pull secret with access to {image} and name it in pull_secret.",
)
PULL_SECRET_NOT_FOUND = _code(
    "pull_secret_not_found",
    "The pod references a pull secret that does not exist, and the image requires it.",
    "Create the pull secret {secret} in the pod's namespace (type kubernetes.io/dockerconfigjson).",
)
IMAGE_REFUSED = _code(
    "image_refused",
    "The node cannot connect to the registry.",
    "Check that the registry of {image} is running, and that its address is reachable from the nodes.",
    retryable=True,
)
IMAGE_DNS = _code(
    "image_dns",
    "The node cannot resolve the registry's name.",
    "Correct the registry's host name in {image}, or the nodes' DNS.",
    retryable=True,
)
IMAGE_PULL_FAILED = _code(
    "image_pull_failed",
    "The image pull fails for another reason, such as TLS, a full disk or a rate limit.",
    "See the container runtime's message in the evidence; the node must be able to pull {image}.",
    retryable=True,
)
IMAGE_NAME_INVALID = _code(
    "image_name_invalid",
    "The image's name is not a valid reference.",
    "Correct {image}: repository names are lower case, then `:tag` or `@sha256:digest`.",
)
IMAGE_NEVER_PULL = _code(
    "image_never_pull",
    "The image is not on the node and imagePullPolicy is Never.",
    "Load {image} into the cluster's nodes first, or allow pulling with imagePullPolicy IfNotPresent.",
)
CONFIG_NOT_FOUND = _code(
    "config_not_found",
    "A Secret, ConfigMap or key that the container's environment references does not exist.",
    "Create {missing} in the pod's namespace, or correct the reference in env or envFrom.",
)
RUNS_AS_ROOT = _code(
    "runs_as_root",
    "The pod must not run as root, but its image does, or names its user instead of a numeric id.",
    "Set a numeric USER other than 0 in the Dockerfile, or runAsUser in the securityContext.",
)
CONTAINER_CONFIG = _code(
    "container_config",
    "The container cannot be created from its specification.",
    "Correct the setting that the kubelet names in the evidence.",
)
VOLUME_NOT_FOUND = _code(
    "volume_not_found",
    "A volume cannot be mounted because its source does not exist or cannot be attached.",
    "Create the source of volume {volume}, which the evidence names, or correct the reference.",
)
SANDBOX_FAILED = _code(
    "sandbox_failed",
    "The node cannot create the pod's sandbox because its network plugin or container runtime fails.",
    "Repair the node or its network plugin, as the evidence says; the pod is not the cause.",
    retryable=True,
)
COMMAND_NOT_FOUND = _code(
    "command_not_found",
    "The container's command does not exist in the image or is not executable.",
    "Correct command/args (or CMD and ENTRYPOINT of the image): {command} cannot be started.",
)
WRONG_ARCHITECTURE = _code(
    "bad_arch",
    "The image is for another processor architecture than the node's.",
    "Build {image} for the nodes' platform, for example linux/amd64.",
)
READ_ONLY_FILESYSTEM = _code(
    "read_only_fs",
    "The program writes to the read-only root file system.",
    "Mount an emptyDir at the folder that it writes to (writable_paths), or write below /tmp.",
)
OUT_OF_MEMORY = _code(
    "oom",
    "The container was killed because it used more memory than its limit.",
    "Raise the memory limit above {limit}, or make the program use less.",
)
EXITED_ZERO = _code(
    "exited_zero",
    "The program exits successfully, but a Deployment needs a program that keeps running.",
    "Start the server in the foreground, or run this as a Job.",
)
CRASH = _code(
    "crash",
    "The program exits with an error soon after its start.",
    "Fix the error in the program's last log lines in the evidence; it exited with code {exit_code}.",
)
INIT_FAILED = _code(
    "init_failed",
    "An init container fails, so the application does not start.",
    "Repair init container {container}: it exited with code {exit_code}.",
)
PROBE_READINESS = _code("probe_readiness", "The readiness probe keeps failing.", "{repair}")
PROBE_STARTUP = _code(
    "probe_startup",
    "The startup probe exhausted its budget, and the container was restarted.",
    "{repair}",
)
PROBE_LIVENESS = _code(
    "probe_liveness",
    "The liveness probe failed, and the container was restarted.",
    "{repair}",
)
EVICTED = _code(
    "evicted",
    "The node evicts the pods.",
    "Reduce the pod's usage, or raise its limits; the evidence names the exhausted resource.",
)
PROGRESS_DEADLINE = _code(
    "progress_deadline",
    "The Deployment made no progress within progressDeadlineSeconds, for an unknown reason.",
    "Raise progressDeadlineSeconds ({deadline} s) above the startup time, or make the start faster.",
)
ENDPOINTS_NOT_FOUND = _code(
    "endpoints_not_found",
    "The pods are ready, but the Service has no ready address.",
    "Make the selector of Service {service} match the pods' labels, and its targetPort one of their ports.",
)

ROLLOUT_FAULTS = (
    POD_SECURITY, QUOTA, SERVICE_ACCOUNT_NOT_FOUND, POD_REFUSED, UNSCHEDULABLE, PULL_SECRET_NOT_FOUND, IMAGE_AUTH,
    IMAGE_NOT_FOUND, IMAGE_REFUSED, IMAGE_DNS, IMAGE_PULL_FAILED, IMAGE_NAME_INVALID, IMAGE_NEVER_PULL,
    CONFIG_NOT_FOUND, RUNS_AS_ROOT, CONTAINER_CONFIG, VOLUME_NOT_FOUND, SANDBOX_FAILED, WRONG_ARCHITECTURE,
    COMMAND_NOT_FOUND, READ_ONLY_FILESYSTEM, OUT_OF_MEMORY, EXITED_ZERO, INIT_FAILED, CRASH, PROBE_STARTUP,
    PROBE_LIVENESS, PROBE_READINESS, EVICTED, ENDPOINTS_NOT_FOUND, PROGRESS_DEADLINE,
)  # fmt: skip
"""All codes, the more specific first: of two simultaneous symptoms, the earlier code is reported."""
