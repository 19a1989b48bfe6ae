"""Frameworks of JavaScript: those that build a front end, and those that serve."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.ecosystems.facets.detection.detector import Framework


@dataclass(frozen=True, slots=True)
class Site:
    """A framework that builds a front end, known by a package of any kind."""

    name: str
    packages: tuple[str, ...]
    port: int
    output: str
    serves: str | None = None
    """The command that serves what was built, if the framework brings a server; None for static files."""
    develops: str | None = None
    """The command that serves the sources."""


SITES = (
    Site("nextjs", ("next",), 3000, ".next", "next start"),
    Site("nuxt", ("nuxt", "nuxt3", "nuxt-edge"), 3000, ".output", "node .output/server/index.mjs"),
    Site(
        "remix",
        ("@remix-run/node", "@remix-run/serve", "@remix-run/react", "@remix-run/dev"),
        3000,
        "build",
        "remix-serve ./build/server/index.js",
    ),
    Site(
        "react-router",
        ("@react-router/node", "@react-router/serve", "@react-router/dev"),
        3000,
        "build",
        "react-router-serve ./build/server/index.js",
    ),
    Site(
        "tanstack-start",
        ("@tanstack/react-start", "@tanstack/start", "@tanstack/solid-start"),
        3000,
        ".output",
        "node .output/server/index.mjs",
    ),
    Site("redwoodjs", ("@redwoodjs/core", "@redwoodjs/web"), 8910, "dist", "yarn rw serve"),
    Site(
        "backstage",
        ("@backstage/core-app-api", "@backstage/app-defaults", "@backstage/frontend-defaults"),
        3000,
        "dist",
    ),
    Site("hydrogen", ("@shopify/hydrogen",), 3000, "dist", "shopify hydrogen preview"),
    Site("modern.js", ("@modern-js/app-tools",), 8080, "dist", "modern serve"),
    Site("sapper", ("sapper",), 3000, "__sapper__/build", "node __sapper__/build"),
    Site("marko", ("@marko/run",), 3000, "dist", "marko-run preview"),
    Site("blitz", ("blitz",), 3000, ".next", "blitz start"),
    Site("sveltekit", ("@sveltejs/kit",), 3000, "build", "node build"),
    Site("solidstart", ("@solidjs/start", "solid-start"), 3000, ".output", "node .output/server/index.mjs"),
    Site("vinxi", ("vinxi",), 3000, ".output", "vinxi start"),
    Site("vike", ("vike", "vite-plugin-ssr"), 3000, "dist"),
    Site("qwik", ("@builder.io/qwik-city", "@qwik.dev/router"), 5173, "dist", None, "vite"),
    Site("analog", ("@analogjs/platform",), 3000, "dist", "node dist/analog/server/index.mjs"),
    Site("astro", ("astro",), 4321, "dist", None, "astro dev"),
    Site("gatsby", ("gatsby",), 8000, "public", None, "gatsby develop"),
    Site("docusaurus", ("@docusaurus/core",), 3000, "build", "docusaurus serve"),
    Site("vitepress", ("vitepress",), 5173, "docs/.vitepress/dist", None, "vitepress dev"),
    Site("vuepress", ("vuepress", "@vuepress/cli"), 8080, "docs/.vuepress/dist", None, "vuepress dev"),
    Site("eleventy", ("@11ty/eleventy",), 8080, "_site", None, "eleventy --serve"),
    Site("slidev", ("@slidev/cli",), 3030, "dist", None, "slidev"),
    Site("sanity", ("sanity", "@sanity/base"), 3333, "dist", None, "sanity dev"),
    Site("gridsome", ("gridsome",), 8080, "dist", None, "gridsome develop"),
    Site("quasar", ("@quasar/app-vite", "@quasar/app-webpack", "@quasar/app"), 9000, "dist/spa", None, "quasar dev"),
    Site("react-static", ("react-static",), 3000, "dist", None, "react-static start"),
    Site("metalsmith", ("metalsmith",), 3000, "build"),
    Site("brunch", ("brunch",), 3333, "public", None, "brunch watch --server"),
    Site("wintersmith", ("wintersmith",), 8080, "build", None, "wintersmith preview"),
    Site("harp", ("harp",), 9000, "build", None, "harp server"),
    Site("hexo", ("hexo",), 4000, "public", None, "hexo server"),
    Site("ionic", ("@ionic/angular", "@ionic/react", "@ionic/vue"), 8100, "www", None, "ionic serve"),
    Site("expo", ("expo",), 8081, "dist", None, "expo start"),
    Site("storybook", ("@storybook/web-components",), 6006, "storybook-static"),
    Site("angular", ("@angular/core", "@angular/cli"), 4200, "dist", None, "ng serve"),
    Site("ember", ("ember-cli", "ember-source"), 4200, "dist", None, "ember serve"),
    Site(
        "create-react-app",
        ("react-scripts", "react-app-rewired", "@craco/craco"),
        3000,
        "build",
        None,
        "react-scripts start",
    ),
    Site("vue-cli", ("@vue/cli-service",), 8080, "dist", None, "vue-cli-service serve"),
    Site("preact-cli", ("preact-cli",), 8080, "build"),
    Site("waku", ("waku",), 3000, "dist", "waku start"),
    Site("umi", ("umi", "@umijs/max"), 8000, "dist", None, "umi dev"),
    Site("stencil", ("@stencil/core",), 3333, "www"),
    Site("aurelia", ("aurelia-cli",), 8080, "dist", None, "au run"),
    Site("polymer", ("polymer-cli",), 8081, "build", None, "polymer serve"),
    Site("snowpack", ("snowpack",), 8080, "build", None, "snowpack dev"),
    Site("wmr", ("wmr",), 8080, "dist", None, "wmr"),
    Site("farm", ("@farmfe/core",), 9000, "dist", None, "farm start"),
    Site("rspack", ("@rspack/cli", "@rspack/dev-server"), 8080, "dist", None, "rspack serve"),
    Site("rsbuild", ("@rsbuild/core",), 3000, "dist", None, "rsbuild dev"),
    Site("vite", ("vite",), 5173, "dist", None, "vite"),
    Site("parcel", ("parcel", "parcel-bundler"), 1234, "dist", None, "parcel"),
    Site("webpack", ("webpack-dev-server",), 8080, "dist", None, "webpack serve"),
)

FILE_SERVERS = {
    "serve": 3000,
    "http-server": 8080,
    "live-server": 8080,
    "lite-server": 3000,
    "superstatic": 3474,
    "sirv": 8080,
    "json-server": 3000,
}
"""Programs of a start script that serve what is there, with their ports."""

SERVERS = (
    Framework("nestjs", ("@nestjs/core",), 3000),
    Framework("adonisjs", ("@adonisjs/core",), 3333),
    Framework("redwoodjs", ("@redwoodjs/api", "@redwoodjs/graphql-server"), 8911),
    Framework("backstage", ("@backstage/backend-defaults", "@backstage/backend-common"), 7007),
    Framework("midway", ("@midwayjs/core", "@midwayjs/koa"), 7001),
    Framework("egg", ("egg",), 7001),
    Framework("thinkjs", ("thinkjs",), 8360),
    Framework("tsed", ("@tsed/common", "@tsed/platform-express"), 8083),
    Framework("foal", ("@foal/core",), 3001),
    Framework("actionhero", ("actionhero",), 8080),
    Framework("marble", ("@marblejs/core",), 1337),
    Framework("total.js", ("total4", "total.js", "total5"), 8000),
    Framework("node-red", ("node-red",), 1880),
    Framework("probot", ("probot",), 3000),
    Framework("parse-server", ("parse-server",), 1337),
    Framework("encore", ("encore.dev",), 4000),
    Framework("strapi", ("@strapi/strapi", "strapi"), 1337),
    Framework("keystone", ("@keystone-6/core",), 3000),
    Framework("payload", ("payload",), 3000),
    Framework("directus", ("directus",), 8055),
    Framework("ghost", ("ghost",), 2368),
    Framework("medusa", ("@medusajs/medusa",), 9000),
    Framework("meteor", ("meteor-node-stubs",), 3000),
    Framework("sails", ("sails",), 1337),
    Framework("loopback", ("@loopback/rest", "loopback"), 3000),
    Framework("feathers", ("@feathersjs/feathers",), 3030),
    Framework("moleculer", ("moleculer-web",), 3000),
    Framework("azure-functions", ("@azure/functions",), 7071),
    Framework("functions-framework", ("@google-cloud/functions-framework",), 8080),
    Framework("elysia", ("elysia",), 3000),
    Framework("hono", ("hono", "@hono/node-server"), 3000),
    Framework("fastify", ("fastify", "fastify-cli"), 3000),
    Framework("koa", ("koa",), 3000),
    Framework("hapi", ("@hapi/hapi", "hapi"), 3000),
    Framework("restify", ("restify",), 8080),
    Framework("polka", ("polka",), 3000),
    Framework("h3", ("h3", "nitropack", "nitro"), 3000),
    Framework("express", ("express", "@feathersjs/express"), 3000),
    Framework("tinyhttp", ("@tinyhttp/app",), 3000),
    Framework("hyper-express", ("hyper-express",), 3000),
    Framework("restana", ("restana",), 3000),
    Framework("micro", ("micro",), 3000),
    Framework("connect", ("connect",), 3000),
    Framework("firebase-functions", ("firebase-functions",), None, "worker"),
    Framework("apollo-server", ("@apollo/server", "apollo-server"), 4000),
    Framework("graphql-yoga", ("graphql-yoga",), 4000),
    Framework("json-server", ("json-server",), 3000),
    Framework("socket.io", ("socket.io",), 3000),
    Framework("discord.js", ("discord.js", "eris"), None, "worker"),
    Framework("telegraf", ("telegraf",), None, "worker"),
    Framework("grammy", ("grammy",), None, "worker"),
    Framework("node-telegram-bot-api", ("node-telegram-bot-api",), None, "worker"),
    Framework("slack-bolt", ("@slack/bolt",), 3000),
    Framework("electron", ("electron",), None, "cli"),
)
