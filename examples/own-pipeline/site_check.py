"""A custom pipeline: check whether a folder of web pages can be published."""

import re
from pathlib import Path

import anyio.to_thread

from container_kit import Artifact, AtomicPipeline, Evidence, FaultCode, NextAction, Stage, StageContext, minutes

LINK_BROKEN = FaultCode(
    "site.link_broken",
    means="A page links to a file that does not exist.",
    hint="Correct the link in {where} or add the file {target}.",
)


class Site(Artifact):
    site: str
    """The folder with the pages."""
    ignore: tuple[str, ...] = ()
    """Link targets that may be missing."""


class Pages(Artifact):
    root: str
    files: tuple[str, ...]


class SiteReport(Artifact):
    pages: int
    links: int


class CollectPages(Stage[Pages]):
    """Find the pages of the site."""

    read_only = True

    async def execute(self, ctx: StageContext, site: Site) -> Pages:
        root = ctx.workspace.directory(site.site)
        files = await anyio.to_thread.run_sync(lambda: sorted(str(p.relative_to(root)) for p in root.rglob("*.html")))
        ctx.progress(f"found {len(files)} pages", 1.0)
        return Pages(root=str(root), files=tuple(files))


class CheckLinks(Stage[SiteReport]):
    """Check that every relative link leads to a file."""

    read_only = True
    faults = (LINK_BROKEN,)

    async def execute(self, ctx: StageContext, site: Site, pages: Pages) -> SiteReport:
        links = 0
        for number, name in enumerate(pages.files, 1):
            text = await anyio.to_thread.run_sync((Path(pages.root) / name).read_text)
            links += self._check(name, text, pages, site)
            ctx.progress(f"checked {name}", number / len(pages.files))
        return SiteReport(pages=len(pages.files), links=links)

    def _check(self, name: str, text: str, pages: Pages, site: Site) -> int:
        links = 0
        for number, line in enumerate(text.splitlines(), 1):
            for target in re.findall(r'href="([^":#?]+)"', line):
                links += 1
                file = (Path(pages.root) / name).parent / target
                if target not in site.ignore and not file.exists():
                    where = f"{name}:{number}"
                    raise LINK_BROKEN(
                        f"{where} links to {target}, which does not exist",
                        evidence=[Evidence(kind="file", where=where, text=line.strip())],
                        next_actions=[
                            NextAction(why=f"accept that {target} is missing", arguments={"ignore": [target]})
                        ],
                        where=where,
                        target=target,
                    )
        return links


check_site = (
    AtomicPipeline("check-site", inputs=Site, summary="Check whether a folder of web pages can be published.")
    .add_stage(CollectPages())
    .add_stage(CheckLinks())
    .with_timeout(minutes(1))
)
