"""Who may see and change a run, and who may answer its questions."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from container_kit.pipelines.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class RunScope:
    """The runs of the store that a process may use: those whose folders are all inside its workspace.

    All programs of one user share a store. An assistant in one project must not reach the runs of another project,
    because a retry reads the folders of the run.
    """

    roots: tuple[Path, ...] | None
    """The folders of the workspace; None for a person at the terminal, who may use all runs."""

    def includes(self, run: RunInfo, principal: str | None) -> bool:
        """Return whether a principal may see and change a run in this process. Reads the file system."""
        return run.principal == principal and (self.roots is None or self._contains(run.roots, self.roots))

    @staticmethod
    def _contains(folders: Sequence[str], roots: Sequence[Path]) -> bool:
        resolved = [Path(folder).resolve() for folder in folders]  # a folder may be a link by now
        return bool(resolved) and all(any(path.is_relative_to(root) for root in roots) for path in resolved)


def new_approval_key() -> str:
    """Return the key that answers a run's questions need. Only the connection that started the run gets it."""
    return secrets.token_urlsafe(24)


def digest_of(approval_key: str) -> str:
    """Return the digest of a key, which is stored with the run."""
    return sha256(approval_key.encode("utf-8", "surrogatepass")).hexdigest()


def is_key_of(run: RunInfo, approval_key: str) -> bool:
    """Return whether a key answers the questions of a run."""
    return bool(run.approval_digest) and hmac.compare_digest(digest_of(approval_key), run.approval_digest)
