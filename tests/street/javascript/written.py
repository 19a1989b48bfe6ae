"""Applications of frameworks whose generators load their templates from elsewhere, or that have none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from street.application import Application, Files, write
from street.javascript.generated import lock
from street.javascript.kinds import HELLO, package


def _application(name: str, files: Files, manager: str = "none", **more: Any) -> Application:
    def make(folder: Path) -> None:
        write(folder, files)
        lock(folder, manager)

    return Application(name, "javascript", "npm" if manager == "none" else manager, make, HELLO, **more)


def _module(scripts: dict[str, str], *packages: str, tools: tuple[str, ...] = (), **more: Any) -> str:
    dependencies, development = dict.fromkeys(packages, "latest"), dict.fromkeys(tools, "latest")
    return package(type="module", scripts=scripts, dependencies=dependencies, devDependencies=development, **more)


_ASTRO = {"dev": "astro dev", "build": "astro build", "preview": "astro preview"}
_ASTRO_PAGE = {"src/pages/index.astro": f"<html><body><h1>{HELLO}</h1></body></html>\n"}
_NUXT = {"build": "nuxt build", "dev": "nuxt dev", "generate": "nuxt generate", "preview": "nuxt preview",
    "postinstall": "nuxt prepare"}  # fmt: skip
_NUXT_PAGE = {"app.vue": f"<template><h1>{HELLO}</h1></template>\n"}
SITES = (
    _application("astro-static", {"package.json": _module(_ASTRO, "astro"), **_ASTRO_PAGE}, "npm"),
    _application("astro-out-dir", {"package.json": _module(_ASTRO, "astro"), **_ASTRO_PAGE,
        "astro.config.mjs": "export default { outDir: './public_site' }\n"}, "pnpm"),
    _application("astro-base", {"package.json": _module(_ASTRO, "astro"), **_ASTRO_PAGE,
        "astro.config.mjs": "export default { base: '/shop' }\n"}),
    _application("astro-node", {"package.json": _module(_ASTRO, "astro", "@astrojs/node"), **_ASTRO_PAGE,
        "astro.config.mjs": "import node from '@astrojs/node'\n"
            "export default { output: 'server', adapter: node({ mode: 'standalone' }) }\n"}, "npm"),
    _application("nuxt", {"package.json": _module(_NUXT, "nuxt", "vue"), **_NUXT_PAGE,
        "nuxt.config.ts": "export default defineNuxtConfig({})\n"}, "npm"),
    _application("nuxt-static", {"package.json": _module(_NUXT, "nuxt", "vue"), **_NUXT_PAGE,
        "nuxt.config.ts": "export default defineNuxtConfig({ ssr: false })\n"}, "pnpm", browser=True),
    _application("eleventy", {"package.json": _module({"start": "eleventy --serve", "build": "eleventy"},
        tools=("@11ty/eleventy",)), "index.md": f"# {HELLO}\n"}, "npm"),
    _application("vitepress", {"package.json": _module({"docs:dev": "vitepress dev docs",
        "docs:build": "vitepress build docs"}, tools=("vitepress",)), "docs/index.md": f"# {HELLO}\n"}),
    _application("parcel", {"package.json": package(source="src/index.html", scripts={"start": "parcel",
        "build": "parcel build"}, devDependencies={"parcel": "latest"}), "src/index.html": f"<h1>{HELLO}</h1>\n"}),
    _application("webpack", {"package.json": package(scripts={"start": "webpack serve",
        "build": "webpack --mode production"}, devDependencies=dict.fromkeys(("webpack", "webpack-cli",
        "webpack-dev-server", "html-webpack-plugin"), "latest")), "src/index.js": f"document.title = '{HELLO}'\n",
        "src/index.html": f"<h1>{HELLO}</h1>\n", "webpack.config.js": "const H = require('html-webpack-plugin')\n"
        "module.exports = { plugins: [new H({ template: 'src/index.html' })] }\n"}),
)  # fmt: skip
_LISTEN = "(process.env.PORT || 3000)"
SERVERS = (
    _application("koa", {"package.json": package(scripts={"start": "node app.js"}, dependencies={"koa": "^2"}),
        "app.js": f"const Koa = require('koa'); const app = new Koa()\n"
        f"app.use(ctx => {{ ctx.body = '{HELLO}' }}); app.listen{_LISTEN}\n"}, "npm"),
    _application("fastify-module", {"package.json": _module({"start": "node src/server.js"}, "fastify"),
        "src/server.js": "import fastify from 'fastify'\nconst app = fastify()\n"
        f"app.get('/', async () => '{HELLO}')\nawait app.listen({{ port: 3000, host: '0.0.0.0' }})\n"}, "pnpm"),
    _application("trpc", {"package.json": _module({"start": "tsx src/server.ts"}, "@trpc/server", "express", "zod",
        tools=("tsx", "typescript", "@types/express")), "src/server.ts":
        "import { initTRPC } from '@trpc/server'\nimport * as trpc from '@trpc/server/adapters/express'\n"
        "import express from 'express'\nconst t = initTRPC.create()\n"
        f"const router = t.router({{ hello: t.procedure.query(() => '{HELLO}') }})\nconst app = express()\n"
        f"app.get('/', (q, r) => {{ r.send('{HELLO}') }})\n"
        "app.use('/trpc', trpc.createExpressMiddleware({ router }))\napp.listen(4000)\n"}),
    _application("vite-express", {"package.json": package(scripts={"dev": "vite", "build": "vite build",
        "start": "node server.js"}, dependencies={"express": "^4"}, devDependencies={"vite": "^6"}),
        "index.html": f"<h1>{HELLO}</h1>", "server.js": "const express = require('express'); const app = express()\n"
        f"app.use(express.static('dist')); app.listen{_LISTEN}\n"}, "npm"),
    _application("front-end-in-a-folder", {"package.json": package(scripts={"start": "node backend/server.js",
        "build": "npm install --prefix frontend && npm run build --prefix frontend"}, dependencies={"express": "^4"}),
        "frontend/package.json": package("front", scripts={"build": "vite build"}, devDependencies={"vite": "^6"}),
        "frontend/index.html": f"<h1>{HELLO}</h1>", "backend/server.js":
        "const express = require('express'); const app = express()\n"
        f"app.use(express.static('frontend/dist')); app.listen{_LISTEN}\n"}),
    _application("json-server", {"package.json": package(scripts={"start": "json-server --watch db.json --port 3001"},
        dependencies={"json-server": "0.17.4"}), "db.json": json.dumps({"posts": [{"id": 1, "title": HELLO}]})},
        page="/posts"),
    _application("react-router", {"package.json": _module({"build": "react-router build", "dev": "react-router dev",
        "start": "react-router-serve ./build/server/index.js"}, "@react-router/node", "@react-router/serve", "isbot",
        "react", "react-dom", "react-router", tools=("@react-router/dev", "vite", "typescript")),
        "vite.config.ts": "import { reactRouter } from '@react-router/dev/vite'\n"
        "export default { plugins: [reactRouter()] }\n",
        "app/routes.ts": "import { index } from '@react-router/dev/routes'\nexport default [index('home.tsx')]\n",
        "app/home.tsx": f"export default function Home() {{ return <h1>{HELLO}</h1> }}\n",
        "app/root.tsx": "import { Links, Meta, Outlet, Scripts } from 'react-router'\n"
        "export default function App() { return <html><head><Meta /><Links /></head>"
        "<body><Outlet /><Scripts /></body></html> }\n"}),
    _application("hono-node", {"package.json": _module({"dev": "tsx watch src/index.ts", "build": "tsc",
        "start": "node dist/index.js"}, "hono", "@hono/node-server", tools=("tsx", "typescript", "@types/node")),
        "tsconfig.json": json.dumps({"compilerOptions": {"target": "ESNext", "module": "NodeNext", "outDir": "dist",
        "skipLibCheck": True, "types": ["node"], "rootDir": "src"}, "include": ["src"]}), "src/index.ts":
        "import { serve } from '@hono/node-server'\nimport { Hono } from 'hono'\nconst app = new Hono()\n"
        f"app.get('/', (c) => c.text('{HELLO}'))\nserve({{ fetch: app.fetch, port: 3000 }})\n"}, "npm"),
    _application("hono-bun", {"package.json": _module({"dev": "bun run --hot src/index.ts"}, "hono",
        tools=("@types/bun",)), "src/index.ts": "import { Hono } from 'hono'\nconst app = new Hono()\n"
        f"app.get('/', (c) => c.text('{HELLO}'))\nexport default app\n"}, "bun"),
    _application("drizzle", {"package.json": _module({"start": "tsx src/index.ts"}, "drizzle-orm", "@libsql/client",
        tools=("tsx", "typescript", "drizzle-kit")), "src/index.ts":
        "import { createServer } from 'node:http'\nimport { drizzle } from 'drizzle-orm/libsql'\n"
        "import { sql } from 'drizzle-orm'\nconst db = drizzle('file::memory:')\n"
        f"createServer(async (q, r) => {{ await db.run(sql`select 1`); r.end('{HELLO}') }}).listen(3000)\n"}, "npm"),
)  # fmt: skip

APPLICATIONS = (*SITES, *SERVERS)
