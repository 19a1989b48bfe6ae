"""The owners of deployments on one store: only the principal that made a deployment, or an operator, changes it."""

from __future__ import annotations

import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from container_kit.pipelines.durable.store import owners_table
from container_kit.stages.contract.fault import FaultCode

DEPLOYMENT_OWNED = FaultCode(
    "deployment.owned",
    means="The deployment belongs to another principal, or to the user who runs the server.",
    hint="Deploy under another name, or ask somebody with the role operator to make the change.",
)

FAULTS = (DEPLOYMENT_OWNED,)

_REMOVAL = "remove-deployment"
_CLAIMING = ("deploy", "full-deployment")
"""The beginnings of the names of the pipelines that make deployments."""
_LOCAL = ""


class Owners:
    """Reads and writes the owners, by the concurrency key of runs, which names the deployment."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    async def check(self, key: str, pipeline: str, principal: str | None, *, is_operator: bool) -> None:
        """Make a principal the owner of a new deployment, or check that it may change an existing one.

        Args:
            key: Names the deployment.
            pipeline: The pipeline that makes, changes or removes it.
            principal: The caller; None for the local user.
            is_operator: Whether the caller may change the deployments of others.

        Raises:
            StageFailure: `deployment.owned`.
        """
        makes = pipeline.startswith(_CLAIMING)
        owner = await anyio.to_thread.run_sync(self._owner, key, (principal or _LOCAL) if makes else None)
        if not is_operator and owner != (principal or _LOCAL):
            raise DEPLOYMENT_OWNED(f"the {key} belongs to somebody else")

    def release(self, key: str, pipeline: str) -> None:
        """Forget the owner of a deployment that a pipeline removed. Blocking."""
        if pipeline == _REMOVAL:
            with self._engine.begin() as connection:
                connection.execute(sa.delete(owners_table).where(owners_table.c.key == key))

    def _owner(self, key: str, claimant: str | None) -> str | None:
        """Return the owner of a deployment. The claimant, if any, becomes the owner of one without."""
        query = sa.select(owners_table.c.principal).where(owners_table.c.key == key)
        with self._engine.connect() as connection:
            owner: str | None = connection.scalar(query)
        if owner is not None or claimant is None:
            return owner
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(owners_table).values(key=key, principal=claimant))
        except IntegrityError:  # another caller was faster
            return self._owner(key, None)
        return claimant
