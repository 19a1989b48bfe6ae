"""Static sites: built where there is something to build, then served by nginx as an ordinary user."""

from __future__ import annotations

import re

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.dockerfile.base_images import Base, Bases
from container_kit.stages.dockerfile.generate.app import App
from container_kit.stages.dockerfile.generate.questions import LANGUAGE_UNKNOWN
from container_kit.stages.dockerfile.generate.recipe import Build, Recipe, RuntimeImage, cached, system_packages
from container_kit.stages.ecosystems.dotnet.recipe import publish
from container_kit.stages.ecosystems.javascript.package_managers import node_manager
from container_kit.stages.ecosystems.javascript.recipe import IGNORE, install_lines, node_base, source_and_build
from container_kit.stages.ecosystems.native.program import DEBIANS
from container_kit.stages.ecosystems.python.recipe import python_build
from container_kit.stages.ecosystems.ruby.recipe import gems

_NGINX = Base("nginxinc/nginx-unprivileged:1.29-alpine", family="alpine", probe="wget", user="101:101")
_FLUTTER = Base("ghcr.io/cirruslabs/flutter:3.35.7")
_ROOT = "/srv/www"
_OUTPUT = {"create-react-app": "build", "gatsby": "public", "eleventy": "_site", "docusaurus": "build",
    "sveltekit": "build", "nextjs": "out", "nuxt": ".output/public", "nuxtjs": ".output/public"}  # fmt: skip
_MANY_PAGES = {"astro", "gatsby", "eleventy", "docusaurus", "vitepress", "nextjs", "hugo", "jekyll", "vuepress", "nuxt",
    "mkdocs", "sphinx", "pelican", "zola", "lume"}  # fmt: skip


def static(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a static site."""
    runtime_base = bases.pick(_NGINX, *DEBIANS, rationale="a small web server that runs as an ordinary user")
    one_page = bool(app.build) and app.framework not in _MANY_PAGES
    site = _built(app, bases) if app.build else _as_it_is(app, runtime_base)
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
        "an application of one page answers each path with it" if one_page else "a path that is no file is answered 404"
    )
    reasons = (Reason(decision="nginx", rationale=rationale),)
    return Recipe((Build(site.base, lines),), runtime, ignore=IGNORE if app.build else (), reasons=reasons)


def _built(app: App, bases: Bases) -> Build:
    """The stage that builds the site, with the tools of its language."""
    if app.language == "ruby":
        build = gems(app, bases)
        return Build(build.base, (*build.lines, app.copy_source(), f"RUN {app.build}"))
    if app.language == "python":
        return python_build(app, bases)
    if app.language in {"csharp", "fsharp"}:
        return publish(app, bases)
    if app.language == "dart":
        return _flutter(app, bases)
    if app.language == "html":
        base = bases.pick(*DEBIANS, rationale="its packages include the generator")
        packages = system_packages(base, re.findall(r"^[a-z0-9][a-z0-9+.-]+", app.build or ""))
        return Build(base, (*packages, "WORKDIR /app", app.copy_source(), *app.enter(), f"RUN {app.build}"))
    if app.language not in {"javascript", "typescript"}:
        languages = "JavaScript, TypeScript, Python, Ruby, C#, F#, Dart and plain HTML"
        raise LANGUAGE_UNKNOWN(f"there is no recipe for a static site in {app.language}", languages=languages)
    base, manager = node_base(app, bases), node_manager(app)
    return Build(base, install_lines(app, base, manager) + source_and_build(app, manager))


def _flutter(app: App, bases: Bases) -> Build:
    base = bases.pick(_FLUTTER, rationale="Flutter has no image of its own; this is the one that is in general use")
    lines = (
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached("/root/.pub-cache", f"flutter pub get{' --enforce-lockfile' if app.has('pubspec.lock') else ''}"),
        "WORKDIR /app",
        app.copy_source(),
        *app.enter(),
        cached("/root/.pub-cache", "flutter build web --release"),
    )
    return Build(base, lines)


def _as_it_is(app: App, base: Base) -> Build:
    return Build(base, ("WORKDIR /app", app.copy_source()))


def _output(app: App) -> str:
    if app.build and app.language in {"csharp", "fsharp"}:
        return "/out/wwwroot"  # Blazor WebAssembly: all that the browser loads
    if app.build and app.language == "dart":
        return f"{app.folder}/build/web"
    if not app.build:
        found = app.module.output_directory.value
    else:
        found = app.module.output_directory.value or _OUTPUT.get(app.framework, "dist")
    return f"{app.folder}/{found.strip('/')}" if found and found.strip("./") else app.folder


def _configuration(port: int, one_page: bool) -> str:
    """The instruction that writes nginx's configuration: all that it writes lies below /tmp."""
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
