"""Applications to generate Dockerfiles for: a module as the analysis describes it, and the files that it speaks of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from container_kit.stages.artifacts.analysis import Analysis, Finding, Module


def finding(value: Any, place: str = "") -> Finding[Any]:
    """A finding that is known well."""
    return Finding(value=value, confidence=0.9, provenance="code", locations=(place,) if place else ())


def module(language: str, *, path: str = ".", role: str = "web", place: str = "", **facts: Any) -> Module:
    """A module; facts are values of findings, apart from `manifests`, `variables` and `system_packages`."""
    plain = {name: facts.pop(name) for name in ("manifests", "variables") if name in facts}
    packages = tuple(finding(name) for name in facts.pop("system_packages", ()))
    findings = {name: finding(value, place if name == "start_command" else "") for name, value in facts.items()}
    return Module(
        path=path,
        name="sample",
        role=finding(role),
        language=finding(language),
        system_packages=packages,
        **plain,
        **findings,
    )


@dataclass(frozen=True)
class Case:
    """One application."""

    name: str
    module: Module
    files: dict[str, str] = field(default_factory=dict)
    workspace: str | None = None
    workspace_dependencies: tuple[Module, ...] = ()

    def write(self, folder: Path) -> Path:
        """Put the files into a folder."""
        for path, text in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return folder

    def analysis(self, folder: Path) -> Analysis:
        """What the analysis says of them."""
        return Analysis(
            root=str(folder), modules=(self.module, *self.workspace_dependencies), workspace_tool=self.workspace
        )


def package(**fields: Any) -> str:
    """A package.json."""
    return json.dumps({"name": "sample", "version": "1.0.0"} | fields)


PYTHON = (
    Case(
        "python-pip",
        module("python", package_manager="pip", framework="flask", start_command="gunicorn app:app", port=8000,
            language_version="3.11", manifests=("requirements.txt",), health_endpoint="/health"),
        {"requirements.txt": "flask\ngunicorn\n", "app.py": ""},
    ),
    Case(
        "python-pip-compiled",
        module("python", package_manager="pip", framework="django", start_command="gunicorn site.wsgi", port=8000,
            manifests=("requirements.txt",), system_packages=("libpq-dev", "gettext"),
            build_command="python manage.py collectstatic --noinput"),
        {"requirements.txt": "django\npsycopg2\ngunicorn\n", "manage.py": ""},
    ),
    Case(
        "python-pyproject",
        module("python", package_manager="pip", framework="fastapi", start_command="uvicorn sample.main:app", port=8000,
            manifests=("pyproject.toml",), language_version=">=3.10,<3.13", place="src/sample/main.py:3"),
        {"pyproject.toml": "[project]\nname='sample'\nversion='1'\ndependencies=['fastapi','uvicorn']\n"},
    ),
    Case(
        "python-uv",
        module("python", package_manager="uv", framework="fastapi", start_command="uv run uvicorn main:app", port=8000,
            manifests=("pyproject.toml", "uv.lock"), language_version=">=3.11"),
        {"pyproject.toml": "[project]\nname='sample'\nversion='1'\n", "uv.lock": ""},
    ),
    Case(
        "python-poetry",
        module("python", package_manager="poetry", framework="flask", start_command="poetry run flask run", port=5000,
            manifests=("pyproject.toml", "poetry.lock"), language_version="^3.11"),
        {"pyproject.toml": "[tool.poetry]\nname='sample'\n", "poetry.lock": ""},
    ),
    Case(
        "python-pdm",
        module("python", package_manager="pdm", start_command="python -m uvicorn main:app", port=8000,
            manifests=("pyproject.toml", "pdm.lock")),
        {"pyproject.toml": "[project]\nname='sample'\nversion='1'\n", "pdm.lock": ""},
    ),
    Case(
        "python-pipenv-worker",
        module("python", role="worker", package_manager="pipenv", start_command="celery -A tasks worker",
            manifests=("Pipfile", "Pipfile.lock")),
        {"Pipfile": "", "Pipfile.lock": "{}", "tasks.py": ""},
    ),
    Case(
        "python-pipenv-task",
        module("python", package_manager="pipenv", start_command="pipenv run server", port=9100,
            start_program="gunicorn --bind 0.0.0.0:9100 site:app", manifests=("Pipfile", "Pipfile.lock")),
        {"Pipfile": "[scripts]\nserver = 'gunicorn --bind 0.0.0.0:9100 site:app'\n", "Pipfile.lock": "{}",
            "site.py": ""},
    ),
    Case(
        "python-start-script",
        module("python", package_manager="pip", start_command="./run.sh",
            start_program="gunicorn site:app", port=8000, manifests=("requirements.txt",)),
        {"requirements.txt": "gunicorn\n", "run.sh": "#!/usr/bin/env bash\nexec gunicorn site:app\n", "site.py": ""},
    ),
    Case(
        "python-service-of-a-monorepo",
        module("python", path="services/api", package_manager="pip", start_command="uvicorn main:app", port=9000,
            manifests=("services/api/requirements.txt",)),
        {"services/api/requirements.txt": "uvicorn\n", "services/api/main.py": "", "services/web/index.html": ""},
    ),
)  # fmt: skip

WORKSPACES = (
    Case(
        "python-uv-member",
        module("python", path="services/api", package_manager="uv", start_command="uvicorn main:app", port=8000,
            manifests=("services/api/pyproject.toml", "uv.lock")),
        {"pyproject.toml": "[tool.uv.workspace]\nmembers = ['services/*', 'libs/*']\n", "uv.lock": "",
            "services/api/pyproject.toml": "[project]\nname = 'api'\nversion = '1'\ndependencies = ['core']\n",
            "services/api/main.py": "", "services/web/pyproject.toml": "[project]\nname = 'web'\nversion = '1'\n",
            "libs/core/pyproject.toml": "[project]\nname = 'core'\nversion = '1'\n"},
        workspace="uv",
    ),
    Case(
        "node-pnpm-member",
        module("typescript", path="apps/api", package_manager="pnpm", start_command="pnpm start", port=4000,
            build_command="pnpm run build", manifests=("apps/api/package.json", "pnpm-lock.yaml")),
        {"package.json": package(), "pnpm-lock.yaml": "", "pnpm-workspace.yaml": "packages: ['apps/*', 'packages/*']\n",
            "tsconfig.base.json": "{}",
            "apps/api/package.json": package(name="@shop/api", dependencies={"@shop/shared": "workspace:*"},
                scripts={"build": "tsc", "start": "node dist/index.js"}),
            "apps/web/package.json": package(name="@shop/web"),
            "packages/shared/package.json": package(name="@shop/shared", scripts={"build": "tsc"})},
        workspace="pnpm",
    ),
    Case(
        "rust-member",
        module("rust", path="crates/api", package_manager="cargo", start_command="./target/release/api", port=3000,
            manifests=("crates/api/Cargo.toml", "Cargo.lock")),
        {"Cargo.toml": "[workspace]\nmembers = ['crates/*']\n", "Cargo.lock": "",
            "crates/api/Cargo.toml": '[package]\nname = "api"\n[dependencies]\ncore = {path = "../core"}\n',
            "crates/api/src/main.rs": "", "crates/core/Cargo.toml": '[package]\nname = "core"\n',
            "crates/core/src/lib.rs": "", "crates/other/Cargo.toml": '[package]\nname = "other"\n',
            "crates/other/src/main.rs": ""},
        workspace="cargo",
    ),
    Case(
        "java-maven-module",
        module("java", path="api", package_manager="maven", framework="spring-boot", port=8080, language_version="21",
            start_command="java -jar target/api.jar", manifests=("api/pom.xml",)),
        {"pom.xml": "<project><artifactId>all</artifactId><modules><module>api</module><module>core</module>"
            "<module>web</module></modules></project>",
            "api/pom.xml": "<project><parent><artifactId>spring-boot-starter-parent</artifactId><version>3.5.7"
            "</version></parent><artifactId>api</artifactId><dependencies><dependency><artifactId>core</artifactId></dependency>"
            "</dependencies></project>",
            "core/pom.xml": "<project><artifactId>core</artifactId></project>",
            "web/pom.xml": "<project><artifactId>web</artifactId></project>"},
        workspace="maven",
    ),
    Case(
        "java-gradle-project",
        module("kotlin", path="app", package_manager="gradle", port=8080, language_version="21",
            start_command="./gradlew :app:run", manifests=("app/build.gradle.kts",),
            place="app/src/main/kotlin/Main.kt:1"),
        {"settings.gradle.kts": 'include("app", "core", "tools:report")\n', "gradle/libs.versions.toml": "",
            "app/build.gradle.kts": 'dependencies { implementation(project(":core")) }\n', "core/build.gradle.kts": "",
            "tools/report/build.gradle.kts": "", "app/src/main/kotlin/Main.kt": "fun main() {}\n"},
        workspace="gradle",
    ),
    Case(
        "go-member",
        module("go", path="api", package_manager="go", start_command="go run .", port=8080,
            manifests=("api/go.mod", "api/go.sum")),
        {"go.work": "go 1.27\n\nuse (\n\t./api\n\t./core\n)\n", "api/go.mod": "module x/api\n\nrequire x/core v0.0.0\n",
            "api/go.sum": "", "core/go.mod": "module x/core\n"},
        workspace="go-work",
    ),
    Case(
        "static-blazor",
        module("csharp", role="static", package_manager="nuget", framework="blazor", language_version="9.0",
            build_command="dotnet publish -c Release -o out", manifests=("Admin.csproj",)),
        {"Admin.csproj": '<Project Sdk="Microsoft.NET.Sdk.BlazorWebAssembly" />', "Program.cs": ""},
    ),
    Case(
        "static-flutter",
        module("dart", role="static", package_manager="pub", framework="flutter", output_directory="build/web",
            build_command="flutter build web", manifests=("pubspec.yaml", "pubspec.lock")),
        {"pubspec.yaml": "name: shop\ndependencies:\n  flutter:\n    sdk: flutter\n", "pubspec.lock": "",
            "web/index.html": ""},
    ),
    Case(
        "dotnet-project",
        module("csharp", path="src/Shop", package_manager="nuget", framework="aspnetcore", port=8080,
            start_command="dotnet Shop.dll", manifests=("src/Shop/Shop.csproj",)),
        {"src/Shop/Shop.csproj": '<Project><ProjectReference Include="..\\Core\\Core.csproj" /></Project>',
            "src/Core/Core.csproj": "<Project/>", "tests/Tests.csproj": "<Project/>", "Directory.Build.props": ""},
    ),
)  # fmt: skip

NODE = (
    Case(
        "node-npm-next-standalone",
        module("typescript", package_manager="npm", framework="nextjs", start_command="npm start", port=3000,
            build_command="npm run build", output_directory=".next", manifests=("package.json", "package-lock.json")),
        {"package.json": package(scripts={"build": "next build", "start": "next start"}), "package-lock.json": "{}",
            "next.config.mjs": "export default {\n  output: 'standalone',\n};\n", "public/logo.svg": "<svg/>"},
    ),
    Case(
        "node-npm-express",
        module("javascript", package_manager="npm", framework="express", start_command="npm start", port=3000,
            language_version=">=18", manifests=("package.json", "package-lock.json")),
        {"package.json": package(scripts={"start": "node server.js"}), "package-lock.json": "{}", "server.js": ""},
    ),
    Case(
        "node-yarn-typescript",
        module("typescript", package_manager="yarn", framework="nestjs", start_command="yarn start:prod", port=3000,
            build_command="yarn build", manifests=("package.json", "yarn.lock")),
        {"package.json": package(scripts={"build": "nest build", "start:prod": "node dist/main"}), "yarn.lock": ""},
    ),
    Case(
        "node-yarn-berry",
        module("javascript", package_manager="yarn", start_command="node index.js", port=3000,
            manifests=("package.json", "yarn.lock", ".yarnrc.yml")),
        {"package.json": package(packageManager="yarn@4.9.1"), "yarn.lock": "", ".yarnrc.yml": ""},
    ),
    Case(
        "node-pnpm-next",
        module("typescript", package_manager="pnpm", framework="nextjs", start_command="pnpm start", port=3000,
            build_command="pnpm run build", output_directory=".next", manifests=("package.json", "pnpm-lock.yaml")),
        {"package.json": package(scripts={"build": "next build", "start": "next start"}), "pnpm-lock.yaml": ""},
    ),
    Case(
        "node-workspace-member",
        module("javascript", path="apps/api", package_manager="npm", start_command="npm start", port=4000,
            manifests=("package.json", "package-lock.json", "apps/api/package.json")),
        {"package.json": package(workspaces=["apps/*"]), "package-lock.json": "{}",
            "apps/api/package.json": package(scripts={"start": "node index.js"}),
            "apps/web/package.json": package()},
        workspace="npm",
        workspace_dependencies=(
            module("javascript", path="apps/web", role="static", manifests=("apps/web/package.json",)),
        ),
    ),
    Case(
        "node-built-at-the-root",
        module("typescript", path="apps/orders", package_manager="npm", framework="nestjs", port=3001,
            build_command="npx nest build orders", start_command="node dist/apps/orders/main"),
        {"package.json": package(), "package-lock.json": "{}", "nest-cli.json": "{}", "apps/orders/src/main.ts": ""},
        workspace="nest",
    ),
)  # fmt: skip

STATIC = (
    Case(
        "static-vite",
        module("typescript", role="static", package_manager="npm", framework="vite", build_command="npm run build",
            output_directory="dist", manifests=("package.json", "package-lock.json")),
        {"package.json": package(scripts={"build": "vite build"}), "package-lock.json": "{}"},
    ),
    Case("static-plain", module("html", role="static"), {"index.html": "<h1>hello</h1>"}),
)  # fmt: skip

GO = (
    Case(
        "go-command",
        module("go", package_manager="go", framework="gin", start_command="./server", port=8080,
            build_command="go build -o server ./cmd/server", language_version="1.22", manifests=("go.mod", "go.sum")),
        {"go.mod": "module x\n", "go.sum": "", "templates/index.html": ""},
    ),
    Case(
        "go-standard-library",
        module("go", package_manager="go", start_command="go run .", port=8080, manifests=("go.mod",)),
        {"go.mod": "module x\n", "main.go": ""},
    ),
)  # fmt: skip

JAVA = (
    Case(
        "java-maven-spring",
        module("java", package_manager="maven", framework="spring-boot", port=8080, language_version="17",
            start_command="java -jar target/demo-0.0.1.jar", manifests=("pom.xml",),
            health_endpoint="/actuator/health"),
        {"pom.xml": "<project/>"},
    ),
    Case(
        "java-gradle-spring",
        module("kotlin", package_manager="gradle", framework="spring-boot", port=8080, language_version="21",
            start_command="./gradlew bootRun", manifests=("build.gradle.kts", "settings.gradle.kts")),
        {"build.gradle.kts": "", "settings.gradle.kts": "", "gradlew": "", "gradle/wrapper/gradle-wrapper.jar": ""},
    ),
    Case(
        "java-gradle-application",
        module("java", package_manager="gradle", port=7000, language_version="21", start_command="./gradlew run",
            manifests=("build.gradle",), place="src/main/java/com/example/Main.java:5"),
        {"build.gradle": "", "src/main/java/com/example/Main.java": "package com.example;\n"},
    ),
    Case(
        "kotlin-gradle-declared",
        module("kotlin", package_manager="gradle", framework="ktor", port=8080, start_command="gradle run",
            manifests=("build.gradle",), place="build.gradle:2"),
        {"build.gradle": "plugins { id 'application' }\nmainClassName = \"io.ktor.server.netty.EngineMain\"\n"},
    ),
    Case(
        "kotlin-gradle-script",
        module("kotlin", package_manager="gradle", framework="ktor", port=8080, start_command="gradle run",
            manifests=("build.gradle.kts",), place="build.gradle.kts:2"),
        {"build.gradle.kts": "plugins {\n    application\n}\napplication { mainClass.set(entryPoint) }\n"},
    ),
    Case(
        "java-javac",
        module("java", port=8080, start_command="java Main", language_version="17", place="Main.java:4"),
        {"Main.java": "public class Main {}"},
    ),
)  # fmt: skip

OTHERS = (
    Case(
        "python-conda",
        module("python", package_manager="conda", framework="fastapi", start_command="uvicorn main:app", port=8000,
            manifests=("environment.yml",)),
        {"environment.yml": "dependencies: [python=3.12, fastapi, uvicorn]\n", "main.py": ""},
    ),
    Case(
        "python-included-requirements",
        module("python", package_manager="pip", start_command="gunicorn app:app", port=8000,
            manifests=("requirements.txt",)),
        {"requirements.txt": "-r requirements/base.txt\n", "requirements/base.txt": "-c ../constraints.txt\nflask\n",
            "constraints.txt": "flask<4\n", "app.py": ""},
    ),
    Case(
        "cpp-cmake",
        module("cpp", package_manager="cmake", framework="crow", start_command="./build/server", port=18080,
            manifests=("CMakeLists.txt",)),
        {"CMakeLists.txt": "find_package(OpenSSL REQUIRED)\nadd_executable(server main.cpp)\n", "main.cpp": ""},
    ),
    Case(
        "c-make",
        module("c", package_manager="make", start_command="./server", build_command="make", port=8080,
            manifests=("Makefile",)),
        {"Makefile": "server: server.c\n", "server.c": ""},
    ),
    Case(
        "zig-build",
        module("zig", package_manager="zig", start_command="./zig-out/bin/server", port=8080,
            manifests=("build.zig", "build.zig.zon")),
        {"build.zig": "", "build.zig.zon": ""},
    ),
    Case(
        "php-laravel-vite",
        module("php", package_manager="composer", framework="laravel", start_command="php artisan serve", port=8000,
            language_version="^8.3", output_directory="public", manifests=("composer.json", "composer.lock")),
        {"composer.json": "{}", "composer.lock": "{}", "package.json": package(scripts={"build": "vite build"}),
            "package-lock.json": "{}"},
    ),
    Case(
        "bun-hono",
        module("typescript", package_manager="bun", framework="hono", start_command="bun run src/index.ts", port=3000,
            manifests=("package.json", "bun.lock")),
        {"package.json": package(), "bun.lock": "{}"},
    ),
    Case(
        "deno-serve",
        module("typescript", package_manager="deno", start_command="deno task start", port=8000,
            manifests=("deno.json", "deno.lock")),
        {"deno.json": json.dumps({"tasks": {"start": "deno run --allow-net main.ts"}}), "deno.lock": "{}"},
    ),
    Case(
        "ruby-rails",
        module("ruby", package_manager="bundler", framework="rails", start_command="bin/rails server -b 0.0.0.0",
            port=3000, language_version="3.3.5", manifests=("Gemfile", "Gemfile.lock"), health_endpoint="/up",
            system_packages=("libpq-dev",)),
        {"Gemfile": "", "Gemfile.lock": "", "app/assets/x.css": ""},
    ),
    Case(
        "ruby-sinatra",
        module("ruby", package_manager="bundler", framework="sinatra", start_command="bundle exec puma", port=9292,
            manifests=("Gemfile", "Gemfile.lock")),
        {"Gemfile": "", "Gemfile.lock": ""},
    ),
    Case(
        "php-laravel",
        module("php", package_manager="composer", framework="laravel", start_command="php artisan serve", port=8000,
            language_version="^8.2", output_directory="public", manifests=("composer.json", "composer.lock")),
        {"composer.json": json.dumps({"require": {"ext-gd": "*", "ext-json": "*"}}), "composer.lock": "{}"},
    ),
    Case("php-plain", module("php", start_command="php -S 0.0.0.0:80", port=80), {"index.php": ""}),
    Case(
        "dotnet-web",
        module("csharp", package_manager="nuget", framework="aspnetcore", start_command="dotnet Shop.dll", port=8080,
            language_version="net8.0", manifests=("Shop.csproj", "packages.lock.json")),
        {"Shop.csproj": "<Project/>", "packages.lock.json": "{}"},
    ),
    Case(
        "rust-axum",
        module("rust", package_manager="cargo", framework="axum", start_command="./target/release/shop", port=3000,
            manifests=("Cargo.toml", "Cargo.lock")),
        {"Cargo.toml": '[package]\nname = "shop"\nversion = "1.0.0"\n', "Cargo.lock": "", "src/main.rs": ""},
    ),
    Case(
        "elixir-phoenix",
        module("elixir", package_manager="mix", framework="phoenix", start_command="mix phx.server", port=4000,
            manifests=("mix.exs", "mix.lock")),
        {"mix.exs": "app: :shop,", "mix.lock": "", "assets/app.js": ""},
    ),
    Case(
        "gleam-wisp",
        module("gleam", package_manager="gleam", start_command="gleam run", port=8000,
            manifests=("gleam.toml", "manifest.toml")),
        {"gleam.toml": "", "manifest.toml": ""},
    ),
    Case(
        "scala-play",
        module("scala", package_manager="sbt", framework="play", start_command="sbt run", port=9000,
            manifests=("build.sbt", "project/build.properties")),
        {"build.sbt": "", "project/build.properties": ""},
    ),
    Case(
        "clojure-leiningen",
        module("clojure", package_manager="leiningen", start_command="lein run", port=3000, manifests=("project.clj",)),
        {"project.clj": ""},
    ),
    Case(
        "dart-shelf",
        module("dart", package_manager="pub", start_command="dart run bin/server.dart", port=8080,
            manifests=("pubspec.yaml", "pubspec.lock")),
        {"pubspec.yaml": "", "pubspec.lock": ""},
    ),
    Case(
        "swift-vapor",
        module("swift", package_manager="swiftpm", framework="vapor", port=8080,
            start_command=".build/release/App serve --hostname 0.0.0.0",
            manifests=("Package.swift", "Package.resolved")),
        {"Package.swift": "", "Package.resolved": "{}", "Public/x.css": ""},
    ),
    Case(
        "crystal-kemal",
        module("crystal", package_manager="shards", start_command="./bin/shop", port=3000,
            manifests=("shard.yml", "shard.lock")),
        {"shard.yml": "", "shard.lock": ""},
    ),
    Case(
        "haskell-servant",
        module("haskell", package_manager="cabal", start_command="cabal run shop", port=8080,
            manifests=("shop.cabal",)),
        {"shop.cabal": ""},
    ),
    Case(
        "static-jekyll",
        module("ruby", role="static", package_manager="bundler", framework="jekyll", output_directory="_site",
            build_command="bundle exec jekyll build", manifests=("Gemfile", "Gemfile.lock")),
        {"Gemfile": "", "Gemfile.lock": ""},
    ),
    Case(
        "static-mkdocs",
        module("python", role="static", package_manager="pip", framework="mkdocs", output_directory="site",
            build_command="mkdocs build", manifests=("requirements.txt",)),
        {"requirements.txt": "mkdocs\n"},
    ),
    Case(
        "static-hugo",
        module("html", role="static", framework="hugo", output_directory="public", build_command="hugo --minify"),
        {"hugo.toml": ""},
    ),
)  # fmt: skip

CASES = (*PYTHON, *NODE, *WORKSPACES, *STATIC, *GO, *JAVA, *OTHERS)
