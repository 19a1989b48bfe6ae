"""Why a build failed: what the builder and the failing step said, turned into a fault with a repair."""

from container_kit.stages.build.failures.explain import FAULTS, explain

__all__ = ["FAULTS", "explain"]
