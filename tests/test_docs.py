"""The documentation's examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.examples import python_blocks, run_example

DOCS = Path(__file__).parent.parent / "docs"

pytestmark = pytest.mark.anyio


async def test_the_engines_examples_hold_one_after_the_other() -> None:
    blocks = python_blocks(DOCS / "engine.md")
    assert len(blocks) >= 5
    await run_example("\n".join(blocks))
