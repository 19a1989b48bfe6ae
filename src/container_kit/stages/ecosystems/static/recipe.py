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

_NGINX = Base("nginxinc/nginx-unprivileged:1.29-alpine", family="alpine", probe="wget", user="101:101")
_ROOT = "/srv/www"
_OUTPUT = {"create-react-app": "build", "gatsby": "public", "eleventy": "_site", "docusaurus": "build",
    "sveltekit": "build", "nextjs": "out", "nuxt": ".output/public", "nuxtjs": ".output/public"}  # fmt: skip
_MANY_PAGES = {"astro", "gatsby", "eleventy", "docusaurus", "vitepress", "nextjs", "hugo", "jekyll", "vuepress", "nuxt",
    "mkdocs", "sphinx", "pelican", "zola", "lume"}  # fmt: skip


def static(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a static site."""
    runtime_base = bases.pick(_NGINX, *DEBIANS, rationale="a small web server that runs as an ordinary user")
    one_page = bool(app.build) and app.framework not in _MANY_PAGES
    site = _site_of(app).stage(app, bases) if app.build else _as_it_is(app, runtime_base)
    at = next(number for number, line in enumerate(site.lines) if line.startswith("COPY"))  # so that it stays cached
    lines = (*site.lines[:at], _configuration(app.port or 8080, one_page), *site.lines[at:])
    runtime = RuntimeImage(
        runtime_base,
        ("nginx", "-e", "/dev/stderr", "-c", "/etc/nginx/site.conf"),
        copies=(
            "COPY --from=build /tmp/site.conf /etc/nginx/site.conf",
            f"COPY --from=build {_output(app)} {_ROOT}",
        ),
        packages=("nginx-light",) if runtime_base.family == "debian" else (),
        workdir=_ROOT,
        stop_signal="SIGQUIT",  # nginx then answers what it has begun
    )
    rationale = (
        "an application of one page answers each path with it"
        if one_page
        else "a path that is not a file is answered 404"
    )
    reasons = (Reason(decision="nginx", rationale=rationale),)
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


def _output(app: App) -> str:
    site = _site_of(app) if app.build else None
    if site and site.output:
        return site.output.format(folder=app.folder)
    if not app.build:
        found = app.module.output_directory.value
    else:
        found = app.module.output_directory.value or _OUTPUT.get(app.framework, "dist")
    return f"{app.folder}/{found.strip('/')}" if found and found.strip("./") else app.folder


def _configuration(port: int, one_page: bool) -> str:
    """Return the instruction that writes nginx's configuration: all that it writes lies below /tmp."""
    fallback = "/index.html" if one_page else "=404"
    lines = (
        "daemon off;",
        "worker_processes auto;",
        "pid /tmp/nginx.pid;",
        "error_log /dev/stderr warn;",
        "events { worker_connections 1024; }",
        "http {",
        "  include /etc/nginx/mime.types;",
        "  default_type application/octet-stream;",
        "  charset utf-8;",
        "  access_log /dev/stdout;",
        "  client_body_temp_path /tmp/client_body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;",
        "  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;",
        "  sendfile on; server_tokens off; absolute_redirect off;",
        "  gzip on; gzip_types text/css application/javascript application/json image/svg+xml;",
        "  server {",
        f"    listen {port};",
        f"    root {_ROOT};",
        f"    location / {{ try_files $uri $uri/ $uri.html {fallback}; }}",
        "  }",
        "}",
    )
    written = " \\\n    ".join(f"'{line}'" for line in lines)
    why = "# The variables are nginx's own.\n# hadolint ignore=SC2016\n"
    return f"{why}RUN printf '%s\\n' \\\n    {written} \\\n    > /tmp/site.conf"
