"""Looking at a deployment after it was made. Others know this room by `Verify` and `Verification`."""

from container_kit.stages.verify.stage import Verify

__all__ = ["Verify"]
