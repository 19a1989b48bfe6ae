"""Small stages and artifacts without effects, for tests of the engine."""

from __future__ import annotations

import anyio
from pydantic import Field

from container_kit import Artifact, Fault, FaultCode, Preview, Stage, StageContext


class Flour(Artifact):
    grams: int = 500
    mill: dict[str, str] = Field(default_factory=dict)


class Dough(Artifact):
    grams: int


class Bread(Artifact):
    loaves: int


class Jam(Artifact):
    kind: str


class Meal(Artifact):
    loaves: int
    jam: str | None = None


OVEN_COLD = FaultCode("oven.cold", means="The oven is cold.", hint="Heat it to {degrees} degrees.", retryable=True)
BURNT = FaultCode("bread.burnt", means="The bread is burnt.", hint="Bake it for a shorter time.")


def cold() -> Fault:
    return OVEN_COLD("the oven is cold", degrees=230).fault


def burnt() -> Fault:
    return BURNT("the bread is burnt").fault


class Knead(Stage[Dough]):
    """Knead flour to a dough."""

    def __init__(self) -> None:
        self.undone: list[Dough] = []

    async def execute(self, ctx: StageContext, flour: Flour) -> Dough:
        ctx.progress("kneading", 0.5)
        return Dough(grams=flour.grams * 2)

    async def rollback(self, ctx: StageContext, output: Dough) -> None:
        self.undone.append(output)

    async def preview(self, ctx: StageContext, flour: Flour) -> Preview[Dough]:
        return Preview((f"knead {flour.grams} g of flour",), Dough(grams=flour.grams * 2))


class Bake(Stage[Bread]):
    """Bake the dough."""

    async def execute(self, ctx: StageContext, dough: Dough) -> Bread:
        return Bread(loaves=dough.grams // 500)


class OpenJam(Stage[Jam]):
    """Open a jar of jam."""

    async def execute(self, ctx: StageContext, flour: Flour) -> Jam:
        return Jam(kind="plum")


class Serve(Stage[Meal]):
    """Put it on the table."""

    async def execute(self, ctx: StageContext, bread: Bread, jam: Jam | None) -> Meal:
        return Meal(loaves=bread.loaves, jam=jam.kind if jam else None)


class Prove(Stage[Bread]):
    """Wait until cancelled; `tidied` is set when the clean-up has ended."""

    def __init__(self) -> None:
        self.started = anyio.Event()
        self.tidied = False

    async def execute(self, ctx: StageContext, dough: Dough) -> Bread:
        try:
            self.started.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
                self.tidied = True
        raise AssertionError
