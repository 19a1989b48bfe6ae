"""Static sites: built if there is something to build, then served by nginx as an ordinary user."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.declaration import SiteBuild
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS
from container_kit.stages.ecosystems.facets.generation.questions import LANGUAGE_UNKNOWN
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    RuntimeImage,
    system_packages,
)
from container_kit.stages.ecosystems.javascript.recipe import IGNORE
from container_kit.stages.ecosystems.static.nginx import ROOT, configuration
from container_kit.stages.ecosystems.static.pages import collect

_NGINX = Base("nginxinc/nginx-unprivileged:1.29-alpine", family="alpine", probe="wget", user="101:101")
_OUTPUT = {"create-react-app": "build", "gatsby": "public", "eleventy": "_site", "docusaurus": "build",
    "sveltekit": "build", "nextjs": "out", "nuxt": ".output/public", "nuxtjs": ".output/public"}  # fmt: skip
_MANY_PAGES = {"astro", "gatsby", "eleventy", "docusaurus", "vitepress", "nextjs", "hugo", "jekyll", "vuepress", "nuxt",
    "sveltekit", "react-router",
    "mkdocs", "sphinx", "pelican", "zola", "lume"}  # fmt: skip


def static(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a static site."""
    runtime_base = bases.pick(_NGINX, *DEBIANS, rationale="a small web server that runs as an ordinary user")
    one_page = bool(app.build) and app.framework not in _MANY_PAGES
    base_path = _site_of(app).base_path(app) if app.build else ""
    site = _site_of(app).stage(app, bases) if app.build else _as_it_is(app, runtime_base)
    at = next(number for number, line in enumerate(site.lines) if line.startswith("COPY"))  # so that it stays cached
    configured = configuration(app.port or 8080, one_page=one_page, base=base_path)
    lines = (*site.lines[:at], configured, *site.lines[at:], collect(app, _folders(app), base_path))
    runtime = RuntimeImage(
        runtime_base,
        ("nginx", "-e", "/dev/stderr", "-c", "/etc/nginx/site.conf"),
        copies=(
            "COPY --from=build /tmp/site.conf /etc/nginx/site.conf",
            f"COPY --from=build {ROOT} {ROOT}",
        ),
        packages=("nginx-light",) if runtime_base.family == "debian" else (),
        workdir=ROOT,
        stop_signal="SIGQUIT",  # nginx then answers what it has begun
    )
    rationale = (
        "an application of one page answers each navigation with it; a missing asset is answered 404"
        if one_page
        else "a path that is not a file is answered 404"
    )
    served = (Reason(decision=f"served below {base_path}/", rationale="the site is built for this path"),)
    reasons = (Reason(decision="nginx", rationale=rationale), *(served if base_path else ()))
    return Recipe((Build(site.base, lines),), runtime, ignore=IGNORE if app.build else (), reasons=reasons)


def build_site(app: App, bases: Bases) -> Build:
    """Return the stage that runs a generator from Debian's packages."""
    base = bases.pick(*DEBIANS, rationale="its packages include the generator")
    packages = system_packages(base, re.findall(r"^[a-z0-9][a-z0-9+.-]+", app.build or ""))
    return Build(base, (*packages, "WORKDIR /app", app.copy_source(), *app.enter(), f"RUN {app.build}"))


def _site_of(app: App) -> SiteBuild:
    languages = catalog().languages
    language = languages.get(app.language)
    if language is None or language.site is None:
        known = ", ".join(sorted(name for name, language in languages.items() if language.site))
        raise LANGUAGE_UNKNOWN(f"there is no recipe for a static site in {app.language}", languages=known)
    return language.site


def _as_it_is(app: App, base: Base) -> Build:
    return Build(base, ("WORKDIR /app", app.copy_source()))


def _folders(app: App) -> tuple[str, ...]:
    """Return the folders that may hold the pages, the likeliest first."""
    found = app.module.output_directory.value
    if not app.build:
        return (f"{app.folder}/{found.strip('/')}" if found and found.strip("./") else app.folder,)
    site = _site_of(app)
    if site.output:
        return (site.output.format(folder=app.folder),)
    default = found or _OUTPUT.get(app.framework, "dist")
    known = (*site.configured_output(app), default, _OUTPUT.get(app.framework, default))
    return tuple(f"{app.folder}/{name.strip('/')}" for name in known if name.strip("./"))
