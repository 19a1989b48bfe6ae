"""The pages of a site are found, whatever its configuration calls their folder, and served at the right path."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.ecosystems.javascript.generated import generate, package, runs

VITE = {"package.json": package(scripts={"build": "vite build"}, devDependencies={"vite": "^5"}), "index.html": "<p>"}


@pytest.mark.parametrize(
    ("config", "folder"),
    [
        ("export default { build: { outDir: 'www/out' } }\n", "www/out"),
        ('export default { build: { outDir: "./site" } }\n', "site"),
        ("export default {\n  root: 'client',\n  build: { outDir: '../public_dist' },\n}\n", "public_dist"),
        ("export default { root: 'client', build: { outDir: 'out' } }\n", "client/out"),
        ("export default { build: { outDir: path.resolve(__dirname, 'bundle') } }\n", "bundle"),
        ("export default { // outDir: 'old'\n}\n", "dist"),
    ],
)
def test_the_folder_that_the_configuration_names_comes_first(config: str, folder: str, tmp_path: Path) -> None:
    made = runs(generate(tmp_path, {**VITE, "vite.config.js": config}))
    assert f"for pages in /app/{folder} " in made


@pytest.mark.parametrize("option", ["--outDir site", "--outDir=site", "--out-dir site"])
def test_the_folder_that_the_build_script_names_comes_first(option: str, tmp_path: Path) -> None:
    manifest = package(scripts={"build": f"vite build {option}"}, devDependencies={"vite": "^5"})
    assert "for pages in /app/site " in runs(generate(tmp_path, {**VITE, "package.json": manifest}))


@pytest.mark.parametrize("outside", ["../../elsewhere", "/etc", "$(id)"])
def test_a_folder_outside_the_module_is_not_taken(outside: str, tmp_path: Path) -> None:
    made = runs(
        generate(tmp_path, {**VITE, "vite.config.js": f"export default {{ build: {{ outDir: '{outside}' }} }}\n"})
    )
    assert not any(f"in {word} " in made for word in ("/app/../../elsewhere", "/etc", "/app/$(id)"))


@pytest.mark.parametrize(
    ("files", "base"),
    [
        ({"vite.config.js": "export default { base: '/shop/' }\n"}, "/shop"),
        (
            {"package.json": package(scripts={"build": "vite build --base=/shop/"}, devDependencies={"vite": "^5"})},
            "/shop",
        ),
        (
            {
                "package.json": package(
                    homepage="https://me.github.io/shop",
                    scripts={"build": "react-scripts build"},
                    dependencies={"react-scripts": "5.0.1"},
                )
            },
            "/shop",
        ),
    ],
)
def test_a_site_that_is_built_for_a_path_is_served_there(files: dict[str, str], base: str, tmp_path: Path) -> None:
    made = runs(generate(tmp_path, {**VITE, **files}))
    assert f"location = / {{ return 302 {base}/; }}" in made
    assert f"mkdir -p /srv/www{base}" in made


@pytest.mark.parametrize("folder", ["htdocs", "public_html", "www", "site", "docs", "wwwroot", "web"])
def test_pages_without_a_build_are_found_in_the_usual_folders(folder: str, tmp_path: Path) -> None:
    made = runs(generate(tmp_path, {f"{folder}/index.html": "<p>", "README.md": "a site"}))
    assert f"cp -R /app/{folder}/. /srv/www/" in made


def test_a_single_page_application_answers_only_navigations_with_its_page(tmp_path: Path) -> None:
    made = runs(generate(tmp_path, VITE))
    assert "location / { try_files $uri $uri.html $uri/ /index.html; }" in made
    assert "location /api/ { try_files $uri =404; }" in made


@pytest.mark.parametrize(
    ("scripts", "tool", "build"),
    [
        ({"docs:dev": "vitepress dev docs", "docs:build": "vitepress build docs"}, "vitepress", "npm run docs:build"),
        ({"dev": "vitepress dev docs"}, "vitepress", "npx vitepress build docs"),
        ({"dev": "vite"}, "vite", "npx vite build"),
        ({"start": "astro dev"}, "astro", "npx astro build"),
    ],
)
def test_a_site_without_a_script_named_build_is_built_anyway(
    scripts: dict[str, str], tool: str, build: str, tmp_path: Path
) -> None:
    manifest = package(scripts=scripts, devDependencies={tool: "*"})
    assert build in runs(generate(tmp_path, {"package.json": manifest, "index.html": "<p>"}))


@pytest.mark.parametrize(
    ("scripts", "build"), [({"generate": "nuxt generate"}, "npm run generate"), ({}, "nuxt generate")]
)
def test_the_pages_of_nuxt_without_a_server_are_generated(scripts: dict[str, str], build: str, tmp_path: Path) -> None:
    manifest = package(scripts={"build": "nuxt build", **scripts}, dependencies={"nuxt": "^3"})
    config = {
        "nuxt.config.ts": "export default defineNuxtConfig({ ssr: false })\n",
        "app.vue": "<template>hi</template>",
    }
    made = runs(generate(tmp_path, {"package.json": manifest, **config}))
    assert build in made
    assert "nuxt build" not in made
