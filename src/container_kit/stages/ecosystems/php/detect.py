"""PHP: Composer applications, Laravel, Symfony, WordPress and plain pages."""

from __future__ import annotations

from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.values import table_in
from container_kit.stages.ecosystems.php.system_packages import SYSTEM_PACKAGES

FRAMEWORKS = (
    Framework("laravel", ("laravel/framework",), 8000),
    Framework("lumen", ("laravel/lumen-framework",), 8000),
    Framework("symfony", ("symfony/framework-bundle", "symfony/symfony", "symfony/runtime"), 8000),
    Framework("slim", ("slim/slim",), 8080),
    Framework("cakephp", ("cakephp/cakephp",), 8765),
    Framework("codeigniter", ("codeigniter4/framework", "codeigniter/framework"), 8080),
    Framework("yii", ("yiisoft/yii2", "yiisoft/yii"), 8080),
    Framework("laminas", ("laminas/laminas-mvc", "mezzio/mezzio"), 8080),
    Framework("phalcon", ("phalcon/devtools",), 8000),
    Framework("drupal", ("drupal/core", "drupal/core-recommended"), 80),
    Framework("wordpress", ("roots/wordpress", "johnpbloch/wordpress"), 80),
    Framework("magento", ("magento/product-community-edition",), 80),
    Framework("statamic", ("statamic/cms",), 8000),
    Framework("fatfree", ("bcosca/fatfree",), 80),
    Framework("silex", ("silex/silex",), 8080),
    Framework("reactphp", ("react/http",), 8080),
    Framework("hyperf", ("hyperf/framework", "hyperf/http-server"), 9501),
    Framework("webman", ("workerman/webman-framework",), 8787),
    Framework("workerman", ("workerman/workerman",), 2345),
    Framework("swoole", ("swoole/ide-helper", "openswoole/core"), 9501),
    Framework("ratchet", ("cboden/ratchet",), 8080),
    Framework("amphp", ("amphp/http-server",), 1337),
    Framework("flight", ("flightphp/core", "mikecao/flight"), 8000),
    Framework("leaf", ("leafs/leaf",), 5500),
    Framework("spiral", ("spiral/framework",), 8080),
    Framework("nette", ("nette/application",), 8000),
    Framework("typo3", ("typo3/cms-core",), 80),
    Framework("craft", ("craftcms/cms",), 8080),
    Framework("kirby", ("getkirby/cms",), 8000),
)
_HOMES = (
    "public/index.php",
    "web/index.php",
    "webroot/index.php",
    "htdocs/index.php",
    "www/index.php",
    "index.php",
    "src/index.php",
)
_PUBLIC_HOMES = _HOMES[:6]
"""Front controllers that are pages even in a package of another type."""
_CONSOLES = (
    ("spark", "php spark serve --host 0.0.0.0"),
    ("bin/cake", "bin/cake server -H 0.0.0.0"),
    ("yii", "php yii serve 0.0.0.0"),
    ("bin/hyperf.php", "php bin/hyperf.php start"),
    ("start.php", "php start.php start"),
)
"""Files of frameworks that start their own server, with the command."""


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `composer.json`, then where the front controller is."""
    data = folder.json("composer.json") if folder.has("composer.json") else {}
    home = folder.first(*_HOMES) or next(iter(folder.matching("*.php")), None)
    manifest = folder.first("composer.json")
    place = folder.place(manifest or home or "index.php")
    draft.language.add("php", "declared", place)
    if manifest:
        draft.package_manager.add("composer", "declared", place)
    draft.manifests.extend(name for name in ("composer.json", "composer.lock") if folder.has(name))
    draft.locked = folder.has("composer.lock")
    draft.name = str(data.get("name") or "")
    for key, into in (("require", draft.dependencies), ("require-dev", draft.tools)):
        for name in table_in(data, key):
            into[name.lower()] = folder.place("composer.json", f'"{name}"')
    version = table_in(data, "require").get("php")
    draft.version.add(version if isinstance(version, str) else None, "declared", folder.place("composer.json", '"php"'))
    draft.version.add(folder.text(".php-version").strip()[:20], "declared", folder.place(".php-version"))
    _claim_start(folder, draft, home, data)


def _claim_start(folder: Folder, draft: ModuleDraft, home: str | None, data: dict[str, Any]) -> None:
    if folder.has("artisan"):
        _claim_artisan(folder, draft)
        return
    _claim_by_files(folder, draft)
    kind = str(data.get("type") or "project")
    library = kind != "project" or (bool(data) and home is None)
    if home is None or "plugin" in kind or (library and home not in _PUBLIC_HOMES):
        draft.role.add("library", "declared" if library else "guess", confidence=0.8)
        return
    _claim_pages(folder, draft, home)
    for console, command in _CONSOLES:
        if folder.has(console):
            draft.start.add(command, "framework", folder.place(console), confidence=0.65)
    _claim_script(folder, draft, table_in(data, "scripts"))


def _claim_artisan(folder: Folder, draft: ModuleDraft) -> None:
    place = folder.place("artisan")
    if "laravel/lumen-framework" not in draft.dependencies:
        draft.framework.add("laravel", "code", draft.dependencies.get("laravel/framework"), place, confidence=0.97)
    draft.start.add("php artisan serve --host=0.0.0.0 --port=8000", "framework", place, confidence=0.8)
    draft.port.add(8000, "framework", place, confidence=0.7)


def _claim_by_files(folder: Folder, draft: ModuleDraft) -> None:
    """Claim frameworks that files show without a dependency."""
    if "Illuminate\\" in folder.source("routes/web.php"):  # laid over the files that the installer makes
        draft.framework.add("laravel", "code", folder.place("routes/web.php", "Illuminate"), confidence=0.85)
    if wordpress := folder.first("wp-load.php", "wp-config.php", "wp-config-sample.php"):
        draft.framework.add("wordpress", "code", folder.place(wordpress))


def _claim_pages(folder: Folder, draft: ModuleDraft, home: str) -> None:
    """Claim the pages below a front controller, and PHP's own server for them."""
    root, place = home.rpartition("/")[0], folder.place(home)
    draft.entrypoint.add(home, "code", place)
    draft.role.add("web", "code", place, confidence=0.9)
    draft.output.add(root or ".", "code", place)
    framework = next((f for f in FRAMEWORKS if any(name in draft.dependencies for name in f.packages)), None)
    port = (framework.port if framework else None) or (8000 if not framework else 80)
    draft.start.add(f"php -S 0.0.0.0:{port}" + (f" -t {root}" if root else ""), "framework", place, confidence=0.6)
    draft.port.add(80, "framework", place, confidence=0.5)


def _claim_script(folder: Folder, draft: ModuleDraft, scripts: dict[str, Any]) -> None:
    """Claim the first script of a usual name, and the port that it serves on."""
    name = next((name for name in ("start", "serve", "server") if isinstance(scripts.get(name), str | list)), None)
    if name is None:
        return
    command = scripts[name] if isinstance(scripts[name], str) else " ".join(map(str, scripts[name]))
    place = folder.place("composer.json", f'"{name}"')
    draft.start.add(f"composer {name}", "declared", place, confidence=0.62)
    if served := re.search(r"\bphp\s.*?-S\s+\S+:(\d{2,5})\b", command):
        draft.port.add(int(served[1]), "configuration", place, confidence=0.8)


DETECTORS = (
    Detector(
        "php",
        describe,
        version_tools=("php",),
        system_packages=SYSTEM_PACKAGES,
        manifests=("composer.json", "artisan"),
        entry_files=("index.php", "public/index.php", "*.php"),
        frameworks=FRAMEWORKS,
        sources=(".php",),
        proxied_except=frozenset(["reactphp", "swoole", "workerman", "hyperf", "webman", "ratchet", "amphp"]),
        rank=25,
    ),
)
