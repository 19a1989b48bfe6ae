"""PHP: FrankenPHP, one process that is web server and interpreter; Composer runs in a separate stage."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    RuntimeImage,
    cached,
    copy,
    environment,
)
from container_kit.stages.ecosystems.facets.generation.version_ranges import preferred

_VERSIONS = ("8.4", "8.5", "8.3", "8.2")
_CACHE = "/root/.composer/cache"
_FOR_SERVICES = {
    "postgres": "pdo_pgsql",
    "mysql": "pdo_mysql",
    "mariadb": "pdo_mysql",
    "redis": "redis",
    "mongodb": "mongodb",
}
_COPY_ASSETS = "COPY --from=assets /app/public/build /app/public/build"
_BUILT_IN = {"ctype", "curl", "dom", "fileinfo", "filter", "hash", "iconv", "json", "libxml", "mbstring", "openssl",
    "pcre", "pdo", "pdo_sqlite", "phar", "posix", "session", "simplexml", "sodium", "spl", "sqlite3", "tokenizer",
    "xml", "xmlreader", "xmlwriter", "zlib"}  # fmt: skip


def php(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a PHP application."""
    base = bases.pick(
        *(
            Base(f"dunglas/frankenphp:1-php{version}-alpine", family="alpine", probe="wget")
            for version in preferred(app.version, _VERSIONS)
        ),
        rationale="web server and interpreter in one process, in an image without a compiler",
    )
    composer = app.has("composer.json")
    builder = bases.pick(Base("composer:2", family="alpine"), rationale="composer's own") if composer else base
    extensions = _extensions(app)
    root = (
        app.module.output_directory.value or ("public" if app.tree.exists(app.inside("public/index.php")) else ".")
    ).strip("/")
    runtime = RuntimeImage(
        base,
        (
            "frankenphp",
            "php-server",
            "--root",
            app.folder if root == "." else f"{app.folder}/{root}",
            "--listen",
            f"0.0.0.0:{app.port}",
        ),
        copies=(
            copy([app.folder], app.folder, "--from=build"),
            *((_COPY_ASSETS,) if _has_assets(app) else ()),
        ),
        environment={"XDG_CONFIG_HOME": "/tmp/config", "XDG_DATA_HOME": "/tmp/data"} | _laravel(app),  # noqa: S108 - the only writable folder
        setup=(
            *((f"install-php-extensions {' '.join(extensions)}",) if extensions else ()),
            "setcap -r /usr/local/bin/frankenphp",  # a program with capabilities does not start where all are dropped
        ),
        workdir=app.folder,
    )
    reasons = (
        Reason(decision="FrankenPHP", rationale="PHP's own server is for development; FPM needs a second process"),
        *(
            (
                Reason(
                    decision=f"extensions {', '.join(extensions)}", rationale="composer.json or a service asks for them"
                ),
            )
            if extensions
            else ()
        ),
    )
    assets = _assets(app, bases)
    return Recipe(
        (*assets, Build(builder, _lines(app) if composer else ("WORKDIR /app", app.copy_source()))),
        runtime,
        ignore=("**/vendor", "**/storage/logs"),
        reasons=reasons,
    )


def _has_assets(app: App) -> bool:
    """Return whether pages need what Vite builds; Laravel's own layout."""
    scripts = app.tree.json("package.json").get("scripts", {})
    return app.framework == "laravel" and app.module.path == "." and isinstance(scripts, dict) and "build" in scripts


def _assets(app: App, bases: Bases) -> tuple[Build, ...]:
    """Return the stage that builds scripts and styles, if there are any."""
    if not _has_assets(app):
        return ()
    base = bases.pick(*(Base(f"node:{version}-slim") for version in ("24", "22")), rationale="Vite builds the assets")
    locked = app.tree.exists("package-lock.json")
    manifests = ["package.json", *(["package-lock.json"] if locked else [])]
    lines = (
        "WORKDIR /app",
        copy(manifests, "./"),
        cached("/root/.npm", "npm ci" if locked else "npm install"),
        "COPY . .",
        cached("/root/.npm", "npm run build"),
    )
    return (Build(base, lines, name="assets"),)


def _lines(app: App) -> tuple[str, ...]:
    install = (
        "composer install --no-dev --no-interaction --no-scripts --no-autoloader --prefer-dist --ignore-platform-reqs"
    )
    return (
        *environment({"COMPOSER_CACHE_DIR": _CACHE, "COMPOSER_ALLOW_SUPERUSER": "1"}),
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached(_CACHE, install),
        app.copy_source(),
        "RUN composer dump-autoload --no-dev --optimize",
    )


def _extensions(app: App) -> tuple[str, ...]:
    """Extensions that composer.json names or a service needs, without those that PHP always has."""
    required = app.tree.json(app.inside("composer.json")).get("require", {})
    names = (
        [name[4:].lower() for name in required if re.fullmatch(r"ext-[\w-]+", name)]
        if isinstance(required, dict)
        else []
    )
    names += [_FOR_SERVICES[service.kind] for service in app.module.services if service.kind in _FOR_SERVICES]
    return tuple(dict.fromkeys(name for name in names if name not in _BUILT_IN))


def _laravel(app: App) -> dict[str, str]:
    """Laravel writes compiled views and logs below its own folder, which is read-only in a container."""
    return {"LOG_CHANNEL": "stderr", "VIEW_COMPILED_PATH": "/tmp"} if app.framework == "laravel" else {}  # noqa: S108 - as above
