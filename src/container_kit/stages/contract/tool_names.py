"""The names of the built-in tools, which faults of lower layers mention in their next actions."""

from __future__ import annotations

from enum import StrEnum


class ToolName(StrEnum):
    """A built-in tool. A test compares the members with the registry of tools."""

    FULL_DEPLOYMENT = "full-deployment"
    ANALYZE = "analyze"
    WRITE_DOCKERFILE = "write-dockerfile"
    REVIEW_DOCKERFILE = "review-dockerfile"
    PATCH_DOCKERFILE = "patch-dockerfile"
    BUILD = "build"
    SCAN = "scan"
    DEPLOY = "deploy"
    TAG = "tag"
    PUSH = "push"
    LIST_DEPLOYMENTS = "list-deployments"
    DEPLOYMENT_LOGS = "deployment-logs"
    VERIFY = "verify"
    ROLLBACK_DEPLOYMENT = "rollback-deployment"
    REMOVE_DEPLOYMENT = "remove-deployment"
    CONTROL_DEPLOYMENT = "control-deployment"
    EXEC_DEPLOYMENT = "exec-deployment"
    DEPLOY_KUBERNETES = "deploy-kubernetes"
    VERIFY_KUBERNETES = "verify-kubernetes"
    WRITE_MANIFESTS = "write-manifests"
    LIST_RUNS = "list-runs"
    GET_RUN = "get-run"
    RETRY_RUN = "retry-run"
    CANCEL_RUN = "cancel-run"
    ROLLBACK_RUN = "rollback-run"
