"""Ruby: Bundler, Rails, Rack applications, Jekyll sites."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.ruby.system_packages import SYSTEM_PACKAGES

FRAMEWORKS = (
    Framework("rails", ("rails", "railties"), 3000),
    Framework("hanami", ("hanami",), 2300),
    Framework("sinatra", ("sinatra", "sinatra-contrib"), 4567),
    Framework("padrino", ("padrino",), 3000),
    Framework("roda", ("roda",), 9292),
    Framework("grape", ("grape",), 9292),
    Framework("cuba", ("cuba",), 9292),
    Framework("jekyll", ("jekyll", "github-pages"), 4000, "static"),
    Framework("middleman", ("middleman",), 4567, "static"),
    Framework("bridgetown", ("bridgetown",), 4000, "static"),
    Framework("nanoc", ("nanoc",), 3000, "static"),
    Framework("functions-framework", ("functions_framework",), 8080),
    Framework("rack", ("rack", "rackup"), 9292),
    Framework("sidekiq", ("sidekiq",), None, "worker"),
)
_GEM = re.compile(r"^\s*gem\s*\(?\s*['\"]([^'\"]+)['\"](.*)$", re.MULTILINE)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read the Gemfile, then how Rack or Rails is started."""
    manifest = folder.first("Gemfile", "gems.rb") or ""
    sources = folder.matching("*.rb", "config.ru", "_config.yml")
    place = folder.place(manifest or (sources or ["Gemfile"])[0])
    draft.language.add("ruby", "declared", place)
    draft.package_manager.add("bundler", "declared" if manifest else "guess", place if manifest else None)
    draft.manifests.extend(name for name in ("Gemfile", "gems.rb", "Gemfile.lock", "gems.locked") if folder.has(name))
    draft.locked = bool(folder.first("Gemfile.lock", "gems.locked"))
    _read_gems(folder, draft, manifest)
    _read_version(folder, draft, manifest)
    _claim_start(folder, draft, place)


def _read_gems(folder: Folder, draft: ModuleDraft, manifest: str) -> None:
    text = folder.text(manifest)
    grouped = [
        (m.start(), m.end())
        for m in re.finditer(r"^group\s+:(?:development|test)\b.*?^end", text, re.MULTILINE | re.DOTALL)
    ]
    for match in _GEM.finditer(text):
        development = any(start <= match.start() < end for start, end in grouped)
        into = (
            draft.tools
            if development or re.search(r"group:?s?\s*(?:=>)?\s*\[?:(?:development|test)", match[2])
            else draft.dependencies
        )
        line = text.count("\n", 0, match.start(1)) + 1
        into.setdefault(match[1].lower(), f"{folder.place(manifest).rpartition(':')[0]}:{line}")
    for path in folder.matching("*.gemspec"):
        draft.manifests.append(path)


def _read_version(folder: Folder, draft: ModuleDraft, manifest: str) -> None:
    text = folder.text(".ruby-version").strip()
    draft.version.add(
        text.removeprefix("ruby-").split("\n")[0][:20], "declared", folder.place(".ruby-version"), confidence=0.985
    )
    if match := re.search(r"^\s*ruby\s*\(?\s*['\"]([^'\"]+)['\"]", folder.text(manifest), re.MULTILINE):
        draft.version.add(match[1], "declared", folder.place(manifest, match[0].strip()))
    if match := re.search(r"RUBY VERSION\s+ruby (\d[\d.]*)", folder.text("Gemfile.lock")):
        draft.version.add(match[1], "declared", folder.place("Gemfile.lock", "RUBY VERSION"), confidence=0.97)


def _claim_start(folder: Folder, draft: ModuleDraft, place: str) -> None:
    if "rails" in draft.dependencies or folder.has("bin/rails") or folder.has("config/application.rb"):
        draft.framework.add(
            "rails", "declared", draft.dependencies.get("rails") or folder.place("config/application.rb")
        )
        server = folder.place("config.ru") if folder.has("config.ru") else place
        draft.start.add("bin/rails server -b 0.0.0.0", "framework", server, confidence=0.8)
        if folder.has("config/puma.rb"):
            draft.start.add(
                "bundle exec puma -C config/puma.rb", "framework", folder.place("config/puma.rb"), confidence=0.6
            )
        draft.port.add(3000, "framework", server, confidence=0.85)
        return
    if folder.has("_config.yml") and not folder.has("config.ru"):
        draft.framework.add(
            "jekyll", "declared", draft.dependencies.get("jekyll"), folder.place("_config.yml"), confidence=0.9
        )
        draft.role.add("static", "framework", folder.place("_config.yml"), confidence=0.95)
        draft.build.add("bundle exec jekyll build", "framework", place, confidence=0.85)
        draft.start.add("bundle exec jekyll serve --host 0.0.0.0", "framework", place, confidence=0.5)
        draft.output.add("_site", "framework", place)
        draft.port.add(4000, "framework", place)
        return
    _claim_program(folder, draft)


def _claim_program(folder: Folder, draft: ModuleDraft) -> None:
    bundled = "bundle exec " if draft.manifests else ""
    if folder.has("config.ru"):
        rackup = folder.place("config.ru")
        server = "puma" if "puma" in draft.dependencies else "rackup -o 0.0.0.0"
        draft.start.add(f"{bundled}{server}", "framework", rackup, confidence=0.8)
        draft.entrypoint.add("config.ru", "code", rackup)
        draft.port.add(9292, "framework", rackup, confidence=0.75)
        draft.role.add("web", "code", rackup, confidence=0.95)
        return
    usual = ("app.rb", "main.rb", "server.rb", "index.rb", "run.rb", "web.rb", "bot.rb", "hello.rb")
    entry = folder.first(*usual) or next(iter(folder.matching("*.rb")), None)
    if entry and not folder.matching("*.gemspec"):
        draft.entrypoint.add(entry, "code", folder.place(entry))
        if function := re.search(r"FunctionsFramework\.\w+[ (]\s*['\"](\w+)['\"]", folder.source(entry)):
            source = "" if entry == "app.rb" else f" --source {entry}"
            start = f"{bundled}functions-framework-ruby{source} --target {function[1]}"
            draft.start.add(start, "framework", folder.place(entry, function[0]), confidence=0.85)
            return
        draft.start.add(f"{bundled}ruby {entry}", "code", folder.place(entry), confidence=0.8)
        if re.search(r"require ['\"]sinatra['\"]", folder.source(entry)):
            draft.framework.add("sinatra", "code", folder.place(entry, "sinatra"))
    elif not draft.dependencies:
        draft.role.add("library", "guess")


DETECTORS = (
    Detector(
        "ruby",
        describe,
        version_tools=("ruby",),
        system_packages=SYSTEM_PACKAGES,
        manifests=("Gemfile", "gems.rb"),
        entry_files=("config.ru", "app.rb", "main.rb", "_config.yml", "*.rb"),
        frameworks=FRAMEWORKS,
        sources=(".rb", ".ru"),
        rank=26,
    ),
)
