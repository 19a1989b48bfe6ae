"""The process of an image follows from the start script, without what belongs to development or to the build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.ecosystems.javascript.generated import SERVER, command, generate, package, runs

TYPED = "import { createServer } from 'node:http'\ncreateServer(() => {}).listen(3000)\n"


def files(start: str, tools: tuple[str, ...] = (), **scripts: str) -> dict[str, str]:
    manifest = package(scripts={"start": start, **scripts}, devDependencies=dict.fromkeys(tools, "*"))
    return {"package.json": manifest, "src/index.ts": TYPED, "index.js": SERVER}


@pytest.mark.parametrize(
    ("start", "tools", "process"),
    [
        ("tsx src/index.ts", ("tsx",), "tsx src/index.ts"),
        ("tsx watch src/index.ts", ("tsx",), "tsx src/index.ts"),
        ("tsx watch --clear-screen=false src/index.ts", ("tsx",), "tsx src/index.ts"),
        ("ts-node src/index.ts", ("ts-node",), "ts-node src/index.ts"),
        ("node --import tsx src/index.ts", ("tsx",), "node --import tsx src/index.ts"),
        ("node -r ts-node/register src/index.ts", ("ts-node",), "node -r ts-node/register src/index.ts"),
        ("nodemon --exec tsx src/index.ts", ("nodemon", "tsx"), "tsx src/index.ts"),
        ("nodemon --watch src --exec 'tsx src/index.ts'", ("nodemon", "tsx"), "tsx src/index.ts"),
        ("nodemon src/index.ts", ("nodemon", "ts-node"), "ts-node src/index.ts"),
        ("concurrently 'node index.js'", ("concurrently",), "concurrently node index.js"),
    ],
)
def test_a_start_that_needs_development_packages_keeps_them(
    start: str, tools: tuple[str, ...], process: str, tmp_path: Path
) -> None:
    made = generate(tmp_path, files(start, tools))
    assert " ".join(command(made)) == process
    assert "prune" not in runs(made)


@pytest.mark.parametrize(
    ("start", "process"),
    [
        ("nodemon index.js", "node index.js"),
        ("nodemon --watch lib -e js,json index.js", "node index.js"),
        ("node --watch index.js", "node index.js"),
        ("node --env-file=.env index.js", "node index.js"),
        ("node -r dotenv/config index.js", "node index.js"),
        ("node --inspect=0.0.0.0:9229 index.js", "node index.js"),
        ("pm2 start index.js --name web", "node index.js"),
        ("env-cmd -f .env node index.js", "node index.js"),
        ("dotenv -e .env -- node index.js", "node index.js"),
        ("npm run build && node index.js", "node index.js"),
        ("tsc -p . && node index.js", "node index.js"),
        ("npm install && rimraf dist && npm run build && node index.js", "node index.js"),
    ],
)
def test_an_image_starts_without_what_belongs_to_development(start: str, process: str, tmp_path: Path) -> None:
    made = generate(tmp_path, files(start, ("typescript", "nodemon", "rimraf"), build="tsc"))
    assert " ".join(command(made)) == process
    assert "npm prune" in runs(made)


def test_pm2_starts_the_script_that_its_configuration_names(tmp_path: Path) -> None:
    config = {"ecosystem.config.js": "module.exports = { apps: [{ name: 'web', script: './index.js' }] }\n"}
    made = generate(tmp_path, {**files("pm2 start ecosystem.config.js"), **config})
    assert command(made) == ["node", "./index.js"]


def test_nodemon_runs_the_program_that_its_configuration_names(tmp_path: Path) -> None:
    made = generate(
        tmp_path, {**files("nodemon", ("nodemon", "tsx")), "nodemon.json": json.dumps({"exec": "tsx src/index.ts"})}
    )
    assert command(made) == ["tsx", "src/index.ts"]


@pytest.mark.parametrize("scripts", [{"start": "node index.js", "prestart": "tsc"}, {"start": "tsc && node index.js"}])
def test_a_compilation_in_the_start_script_belongs_to_the_build(scripts: dict[str, str], tmp_path: Path) -> None:
    manifest = package(scripts=scripts, devDependencies={"typescript": "*"})
    made = generate(tmp_path, {"package.json": manifest, "index.js": SERVER})
    assert "tsc" in runs(made)
    assert command(made) == ["node", "index.js"]


@pytest.mark.parametrize(
    "text", ["import 'dotenv/config'\n", "const v = await import('vite')\n", "require('morgan')\n"]
)
def test_a_development_package_that_the_entry_file_loads_is_kept(text: str, tmp_path: Path) -> None:
    name = text.split("'")[1].split("/")[0]
    manifest = package(scripts={"start": "node index.js"}, devDependencies={name: "*"})
    assert "prune" not in runs(generate(tmp_path, {"package.json": manifest, "index.js": text + SERVER}))


def test_types_that_the_entry_file_imports_are_dropped(tmp_path: Path) -> None:
    scripts = {"build": "tsc", "start": "node dist/index.js"}
    manifest = package(scripts=scripts, devDependencies={"type-fest": "*", "typescript": "*"})
    typed = {"package.json": manifest, "src/index.ts": f"import type {{ A }} from 'type-fest'\n{TYPED}"}
    assert "npm prune" in runs(generate(tmp_path, typed))


@pytest.mark.parametrize(
    ("kit", "adapter", "version"),
    [("^2.0.0", "auto", "5"), ("^2.5.0", "vercel", "5"), ("^1.30.0", "netlify", "1"), ("^3.0.0", "auto", "latest")],
)
def test_an_adapter_of_a_hosting_platform_is_replaced_by_the_one_for_node(
    kit: str, adapter: str, version: str, tmp_path: Path
) -> None:
    tools = {"@sveltejs/kit": kit, f"@sveltejs/adapter-{adapter}": "latest", "vite": "^6"}
    manifest = package(scripts={"dev": "vite dev", "build": "vite build"}, devDependencies=tools)
    config = f"import adapter from '@sveltejs/adapter-{adapter}'\nexport default {{ kit: {{ adapter: adapter() }} }}\n"
    made = generate(tmp_path, {"package.json": manifest, "svelte.config.js": config, "src/routes/+page.svelte": "hi"})
    assert f"@sveltejs/adapter-node@{version}" in runs(made)
    assert "sed -i" in runs(made)
    assert command(made) == ["node", "build"]


def test_an_adapter_for_node_stays(tmp_path: Path) -> None:
    tools = {"@sveltejs/kit": "^2.0.0", "@sveltejs/adapter-node": "^5", "vite": "^6"}
    manifest = package(scripts={"dev": "vite dev", "build": "vite build"}, devDependencies=tools)
    config = {"svelte.config.js": "import adapter from '@sveltejs/adapter-node'\n", "src/routes/+page.svelte": "hi"}
    assert "sed -i" not in runs(generate(tmp_path, {"package.json": manifest, **config}))


def test_a_build_that_prerenders_gets_placeholders_for_what_the_code_requires(tmp_path: Path) -> None:
    manifest = package(
        scripts={"build": "next build", "start": "next start"}, dependencies={"next": "15", "react": "19"}
    )
    code = "const db = process.env['DATABASE_URL']!\nconst key = process.env.NEXT_PUBLIC_KEY!\n"
    page = f"{code}export default () => db + key\n"
    made = generate(tmp_path, {"package.json": manifest, "pages/index.tsx": page, "lib/db.ts": page})
    assert "NEXT_PUBLIC_KEY" not in runs(made)
    assert "DATABASE_URL" not in made.content.rpartition("FROM")[2]
