"""Sites: frameworks that build a front end, with a server or as files."""

from __future__ import annotations

from container_kit.stages.artifacts.analysis import Role
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.javascript.frameworks import Site
from container_kit.stages.ecosystems.javascript.packages import NodePackage
from container_kit.stages.ecosystems.javascript.scripts import claim_script, script_ports, start_script

_CONFIGS = {
    "vite": "vite.config.*",
    "nextjs": "next.config.*",
    "nuxt": "nuxt.config.*",
    "astro": "astro.config.*",
    "angular": "angular.json",
    "gatsby": "gatsby-config.*",
}


def is_configured(folder: Folder, name: str) -> bool:
    """Return whether a site's own configuration file is there, whatever the dependencies say."""
    return name in _CONFIGS and name != "vite" and bool(folder.matching(_CONFIGS[name]))


_EXPORTS = {
    "nextjs": ("next.config.*", r"output\s*:\s*['\"]export"),
    "react-router": ("react-router.config.*", r"ssr\s*:\s*false"),
    "nuxt": ("nuxt.config.*", r"ssr\s*:\s*false"),
}
"""Configuration files with the setting that turns the server off."""
_SITE_SCRIPTS = ("start:prod", "start", "serve", "preview", "dev", "develop", "docs:preview", "docs:dev")


def describe_site(folder: Folder, package: NodePackage, draft: ModuleDraft, site: Site) -> None:
    """Claim the role of a front end, its start command and its port."""
    place = _evidence(folder, package, site)
    draft.framework.add(site.name, "declared", place)
    draft.output.add(site.output, "framework", place)
    role, served = _served(folder, package, site)
    draft.role.add(role, "framework", place, confidence=0.85)
    script = start_script(package, _SITE_SCRIPTS)
    if script:
        claim_script(folder, package, draft, script, 0.75 if script.startswith("start") else 0.55)
    preferred = served is not None and script in {"dev", "preview"} and "build" in package.scripts
    command = _with_runner(served or (site.develops if role == "static" else None))
    draft.start.add(command, "framework", place, confidence=0.56 if preferred else 0.4)
    if served:
        draft.program.add(served, "framework", place, confidence=0.7)
    script_ports(folder, package, draft, script)
    _claim_build(folder, package, draft, site, place)
    if role == "static" or site.name == "nuxt":
        _config_port(folder, draft, site)
    on_vite = site.name in {"react-router", "sveltekit"} and served is None
    draft.port.add(5173 if on_vite else site.port, "framework", place)  # only Vite serves it here


_BUILD_SCRIPTS = ("docs:build", "site:build", "build:prod", "build:production", "build:client", "build:web", "generate",
    "export", "bundle")  # fmt: skip
_BUILD_COMMANDS = {
    "vite": "vite build",
    "sveltekit": "vite build",
    "nextjs": "next build",
    "nuxt": "nuxt build",
    "astro": "astro build",
    "angular": "ng build",
    "eleventy": "eleventy",
    "gatsby": "gatsby build",
    "docusaurus": "docusaurus build",
    "vitepress": "vitepress build",
    "vuepress": "vuepress build",
    "create-react-app": "react-scripts build",
    "vue-cli": "vue-cli-service build",
    "react-router": "react-router build",
    "remix": "remix vite:build",
    "hexo": "hexo generate",
    "webpack": "webpack --mode production",
    "rspack": "rspack build",
    "rsbuild": "rsbuild build",
    "slidev": "slidev build",
    "ember": "ember build --environment=production",
    "quasar": "quasar build",
}
_SOURCE_FOLDER = re.compile(r"\b(?:vitepress|vuepress)\s+(?:dev|serve)\s+([\w./-]+)")


def _claim_build(folder: Folder, package: NodePackage, draft: ModuleDraft, site: Site, place: str) -> None:
    """Claim a script with another name that builds the site, else the framework's own command."""
    if "build" in package.scripts:
        return
    script = next((name for name in _BUILD_SCRIPTS if name in package.scripts), None)
    if script:
        at = folder.place("package.json", f'"{script}"')
        draft.build.add(f"{draft.package_manager.value or 'npm'} run {script}", "declared", at, confidence=0.9)
    elif command := _BUILD_COMMANDS.get(site.name):
        sources = (_SOURCE_FOLDER.search(text) for text in package.scripts.values())
        source = next((f" {match[1]}" for match in sources if match), "")
        draft.build.add(f"npx {command}{source}", "framework", place, confidence=0.6)


def _evidence(folder: Folder, package: NodePackage, site: Site) -> str:
    """Return the place of the site's dependency, else its configuration file."""
    named = next((name for name in site.packages if package.has(name)), None)
    if named:
        return folder.place("package.json", f'"{named}"')
    return folder.place(folder.matching(_CONFIGS[site.name])[0])


def _with_runner(command: str | None) -> str | None:
    return f"npx {command}" if command and not command.startswith("node ") else command


def _served(folder: Folder, package: NodePackage, site: Site) -> tuple[Role, str | None]:
    """Return the site's role, and the command that serves it in production if it has a server."""
    if _is_exported(folder, package, site):
        return "static", None
    if site.name == "astro":
        return _served_astro(folder, package)
    if site.name == "sveltekit" and not package.has("@sveltejs/adapter-node"):
        return "web", None  # another adapter makes what only its platform runs
    if site.name == "angular" and package.has("@angular/ssr", "@nguniversal/express-engine"):
        return "web", f"node dist/{package.data.get('name', 'app')}/server/server.mjs"
    return ("web", site.serves) if site.serves else ("static", None)


def _is_exported(folder: Folder, package: NodePackage, site: Site) -> bool:
    """Return whether a site is set up to be built into files."""
    if site.name in _EXPORTS:
        return _config_says(folder, *_EXPORTS[site.name])
    return site.name == "docusaurus" or (site.name == "sveltekit" and package.has("@sveltejs/adapter-static"))


def _served_astro(folder: Folder, package: NodePackage) -> tuple[Role, str | None]:
    rendered = _config_says(folder, "astro.config.*", r"output\s*:\s*['\"](server|hybrid)")
    elsewhere = package.has("@astrojs/vercel", "@astrojs/netlify", "@astrojs/cloudflare", "@deno/astro-adapter")
    if package.has("@astrojs/node") or (rendered and not elsewhere):
        return "web", "node ./dist/server/entry.mjs"
    return ("web", None) if rendered else ("static", None)


def _config_says(folder: Folder, pattern: str, expression: str) -> bool:
    return any(re.search(expression, folder.source(path)) for path in folder.matching(pattern))


def _config_port(folder: Folder, draft: ModuleDraft, site: Site) -> None:
    for path in folder.matching(_CONFIGS.get(site.name, "vite.config.*"), "vue.config.js", "rsbuild.config.*"):
        text = folder.source(path)
        blocks = r"\bserver" if site.name == "nuxt" else r"(?:server|devServer|preview)"
        for opened in re.finditer(rf"{blocks}\s*:\s*\{{", text):
            own = _own_lines(text, opened.end())
            if match := re.search(r"\bport\s*:\s*(?:[^,\n}]*?(?:\|\||\?\?)\s*)?['\"]?(\d{2,5})", own):
                draft.port.add(int(match[1]), "configuration", folder.place(path, match[0]))
                return


def _own_lines(text: str, at: int) -> str:
    """Return the content of a block of JavaScript without the blocks inside it."""
    depth, kept = 1, []
    for character in text[at : at + 4000]:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            break
        if depth == 1:
            kept.append(character)
    return "".join(kept)
