"""The operator's rules on what leaves this machine, for the stages that hand something out."""

from __future__ import annotations

from fnmatch import fnmatchcase

from container_kit.stages.contract.artifact import Artifact

_OWN = "CONTAINER_KIT_"


class OperatorPolicy(Artifact):
    """What the operator allows. By default no variable is handed to a build, and every registry may be pushed to."""

    build_secrets: tuple[str, ...] = ()
    """Names of variables, or patterns with `*` and `?`, that a build may receive as secrets."""
    registries: tuple[str, ...] = ()
    """Registries, or patterns with `*` and `?`, that images may be pushed to. Empty allows every registry."""
    osv_api: str | None = None
    """The address of the API of OSV, or `off`; None means the default of the scanners."""

    def allows_build_secret(self, variable: str) -> bool:
        """Return whether a build may receive a variable of this process. Those of Container Kit never leave it."""
        own = variable.upper().startswith(_OWN)  # on Windows, names ignore case
        return not own and any(fnmatchcase(variable, pattern) for pattern in self.build_secrets)

    def allows_registry(self, registry: str) -> bool:
        """Return whether images may be pushed to a registry.

        Args:
            registry: `host[:port]`.
        """
        name = registry.lower()
        return not self.registries or any(fnmatchcase(name, pattern.lower()) for pattern in self.registries)


DEFAULT = OperatorPolicy()
