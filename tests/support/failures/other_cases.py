"""Builds of other ecosystems, and of shell commands, that fail. See `build_cases`."""

from __future__ import annotations

from support.failures.build_cases import DEBIAN, DENO, GO, RUBY, Provoked

GOMOD = "module shop\n\ngo 1.24\n"
MAIN = "package main\n\nfunc main() {}\n"
USES = 'package main\n\nimport _ "github.com/gorilla/mux"\n\nfunc main() {}\n'
REQUIRES = GOMOD + "\nrequire github.com/gorilla/mux v1.8.1\n"
GOX = "GOFLAGS=-mod=mod GOTOOLCHAIN=local "
GOS = "GOTOOLCHAIN=local GONOSUMDB=* GONOSUMCHECK=1 GOFLAGS= "

GO_CASES = (
    Provoked(
        "go-proxy-refused",
        "build.index_unreachable",
        f"GOPROXY=http://127.0.0.1:9 {GOS} go mod download",
        {"go.mod": REQUIRES},
        image=GO,
    ),
    Provoked(
        "go-proxy-no-host",
        "build.index_unreachable",
        f"GOPROXY=https://goproxy.shop.invalid {GOS} go mod download",
        {"go.mod": REQUIRES},
        image=GO,
    ),
    Provoked(
        "go-module-missing",
        "build.package_not_found",
        f"GOPROXY=$REG/404 {GOS} go get github.com/ck/no-such-zz",
        {"go.mod": GOMOD},
        image=GO,
    ),
    Provoked(
        "go-version-missing",
        "build.package_version_not_found",
        f"GOPROXY=$REG/404 GONOSUMDB=* GOSUMDB=off {GOS} go mod download",
        {"go.mod": REQUIRES},
        image=GO,
    ),
    Provoked(
        "go-proxy-401",
        "build.index_unauthorized",
        f"GOPROXY=$REG/401 {GOS} go mod download",
        {"go.mod": REQUIRES},
        image=GO,
    ),
    Provoked(
        "go-sum-missing",
        "build.lockfile_outdated",
        f"GOPROXY=off {GOS} go build .",
        {"go.mod": REQUIRES, "main.go": USES},
        image=GO,
    ),
    Provoked(
        "go-mod-outdated",
        "build.lockfile_outdated",
        f"GOPROXY=off {GOS} go build .",
        {"go.mod": GOMOD, "main.go": USES},
        image=GO,
    ),
    Provoked(
        "go-version",
        "build.runtime_unsupported",
        f"{GOS} go build .",
        {"go.mod": "module shop\n\ngo 1.99\n", "main.go": MAIN},
        image=GO,
    ),
    Provoked(
        "go-compile",
        "build.compile_error",
        f"{GOS} go build .",
        {"go.mod": GOMOD, "main.go": "package main\n\nfunc main() { undefinedName() }\n"},
        image=GO,
    ),
    Provoked(
        "go-unused",
        "build.compile_error",
        f"{GOS} go build .",
        {"go.mod": GOMOD, "main.go": 'package main\n\nimport "os"\n\nfunc main() {}\n'},
        image=GO,
    ),
    Provoked("go-no-files", "build.source_not_found", f"{GOS} go build .", {"go.mod": GOMOD}, image=GO),
    Provoked("go-no-folder", "build.source_not_found", f"{GOS} go build ./cmd/api", {"go.mod": GOMOD}, image=GO),
    Provoked("go-no-mod", "build.manifest_not_found", f"{GOS} go build .", {"main.go": MAIN}, image=GO),
    Provoked(
        "go-mod-broken",
        "build.manifest_invalid",
        f"{GOS} go build .",
        {"go.mod": "modul shop\n", "main.go": MAIN},
        image=GO,
    ),
    Provoked(
        "go-embed",
        "build.embed_not_found",
        f"{GOS} go build .",
        {
            "go.mod": GOMOD,
            "main.go": 'package main\n\nimport _ "embed"\n\n//go:embed page.html\nvar page string\n\nfunc main() { print(page) }\n',
        },
        image=GO,
    ),
    Provoked(
        "go-std-missing",
        "build.package_not_found",
        f"{GOS} go build .",
        {"go.mod": GOMOD, "main.go": 'package main\n\nimport _ "slicez"\n\nfunc main() {}\n'},
        image=GO,
    ),
    Provoked(
        "go-internal-package",
        "build.package_not_found",
        f"{GOS} go build .",
        {"go.mod": GOMOD, "main.go": 'package main\n\nimport _ "shop/internal/db"\n\nfunc main() {}\n'},
        image=GO,
    ),
    Provoked(
        "go-cycle",
        "build.import_cycle",
        f"{GOS} go build ./...",
        {"go.mod": GOMOD, "a/a.go": 'package a\n\nimport _ "shop/b"\n', "b/b.go": 'package b\n\nimport _ "shop/a"\n'},
        image=GO,
    ),
    Provoked(
        "go-test",
        "build.tests_failed",
        f"{GOS} go test ./...",
        {
            "go.mod": GOMOD,
            "a_test.go": 'package main\n\nimport "testing"\n\nfunc TestA(t *testing.T) { t.Fatal("one") }\n',
            "main.go": MAIN,
        },
        image=GO,
    ),
    Provoked(
        "go-vendor",
        "build.lockfile_outdated",
        f"{GOS} go build .",
        {"go.mod": REQUIRES, "main.go": USES, "vendor/modules.txt": "# example.com/x v1.0.0\n## explicit\n"},
        image=GO,
    ),
    Provoked(
        "go-cgo",
        "build.compiler_not_found",
        f"CC=gcc-zz CGO_ENABLED=1 {GOS} go build .",
        {"go.mod": GOMOD, "main.go": 'package main\n\nimport "C"\n\nfunc main() {}\n'},
        image=GO,
    ),
    Provoked(
        "go-work",
        "build.workspace_package_not_found",
        f"{GOS} go build .",
        {"go.mod": GOMOD, "main.go": MAIN, "go.work": "go 1.24\n\nuse ./api\n"},
        image=GO,
    ),
    Provoked(
        "go-replace",
        "build.file_dependency_not_found",
        f"GOPROXY=off {GOS} go build .",
        {"go.mod": REQUIRES + "\nreplace github.com/gorilla/mux => ../mux\n", "main.go": USES},
        image=GO,
    ),
)
CARGO = '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n'
RS = {"src/main.rs": "fn main() {}\n"}
IDX = "CARGO_HOME=$PWD/home CARGO_NET_RETRY=0 CARGO_REGISTRIES_CRATES_IO_PROTOCOL=sparse "
LOCK = (
    '# This file is automatically @generated by Cargo.\nversion = 3\n\n[[package]]\nname = "shop"\nversion = "0.1.0"\n'
)
CARGO_CASES = (
    Provoked(
        "cargo-lock-outdated",
        "build.lockfile_outdated",
        "cargo build --locked",
        {
            "Cargo.toml": CARGO + '\n[dependencies]\nprices = { path = "p" }\n',
            "Cargo.lock": LOCK,
            "p/Cargo.toml": CARGO.replace("shop", "prices"),
            "p/src/lib.rs": "",
            **RS,
        },
    ),
    Provoked("cargo-lock-missing", "build.lockfile_outdated", "cargo build --locked", {"Cargo.toml": CARGO, **RS}),
    Provoked(
        "cargo-lock-newer",
        "build.lockfile_version",
        "cargo build",
        {"Cargo.toml": CARGO, "Cargo.lock": LOCK.replace("3", "9"), **RS},
    ),
    Provoked(
        "cargo-lock-broken",
        "build.lockfile_invalid",
        "cargo build",
        {"Cargo.toml": CARGO, "Cargo.lock": "<<<<<<< HEAD\n", **RS},
    ),
    Provoked(
        "cargo-refused",
        "build.index_unreachable",
        f'mkdir -p home; printf \'[source.crates-io]\\nreplace-with = "m"\\n[source.m]\\nregistry = "sparse+http://127.0.0.1:9/"\\n\' > home/config.toml; {IDX} cargo build',
        {"Cargo.toml": CARGO + '\n[dependencies]\nserde = "1"\n', **RS},
    ),
    Provoked(
        "cargo-no-host",
        "build.index_unreachable",
        f'mkdir -p home; printf \'[source.crates-io]\\nreplace-with = "m"\\n[source.m]\\nregistry = "sparse+https://crates.shop.invalid/"\\n\' > home/config.toml; {IDX} cargo build',
        {"Cargo.toml": CARGO + '\n[dependencies]\nserde = "1"\n', **RS},
    ),
    Provoked(
        "cargo-crate-missing",
        "build.package_not_found",
        f'mkdir -p home; printf \'[source.crates-io]\\nreplace-with = "m"\\n[source.m]\\nregistry = "sparse+%s/cargo/"\\n\' $REG > home/config.toml; {IDX} cargo build',
        {"Cargo.toml": CARGO + '\n[dependencies]\nserde-zz = "1"\n', **RS},
    ),
    Provoked(
        "cargo-version-missing",
        "build.package_version_not_found",
        f'mkdir -p home; printf \'[source.crates-io]\\nreplace-with = "m"\\n[source.m]\\nregistry = "sparse+%s/cargo/"\\n\' $REG > home/config.toml; {IDX} cargo build',
        {"Cargo.toml": CARGO + '\n[dependencies]\nhave = "99"\n', **RS},
    ),
    Provoked(
        "cargo-401",
        "build.index_unauthorized",
        f'mkdir -p home; printf \'[source.crates-io]\\nreplace-with = "m"\\n[source.m]\\nregistry = "sparse+%s/401/"\\n\' $REG > home/config.toml; {IDX} cargo build',
        {"Cargo.toml": CARGO + '\n[dependencies]\nserde = "1"\n', **RS},
    ),
    Provoked("cargo-manifest-missing", "build.manifest_not_found", "cargo build"),
    Provoked("cargo-manifest-broken", "build.manifest_invalid", "cargo build", {"Cargo.toml": "[package\n", **RS}),
    Provoked("cargo-no-target", "build.source_not_found", "cargo build", {"Cargo.toml": CARGO}),
    Provoked(
        "cargo-compile",
        "build.compile_error",
        "cargo build",
        {"Cargo.toml": CARGO, "src/main.rs": 'fn main() { let x: u8 = "a"; }\n'},
    ),
    Provoked(
        "cargo-unresolved",
        "build.compile_error",
        "cargo build",
        {"Cargo.toml": CARGO, "src/main.rs": "use serde::Serialize;\nfn main() {}\n"},
    ),
    Provoked(
        "cargo-rust-version",
        "build.runtime_unsupported",
        "cargo build",
        {"Cargo.toml": CARGO + 'rust-version = "1.999"\n', **RS},
    ),
    Provoked(
        "cargo-edition", "build.runtime_unsupported", "cargo build", {"Cargo.toml": CARGO.replace("2021", "2051"), **RS}
    ),
    Provoked(
        "cargo-linker",
        "build.compiler_not_found",
        "RUSTFLAGS='-C linker=cc-zz' cargo build",
        {"Cargo.toml": CARGO, **RS},
    ),
    Provoked(
        "cargo-library", "build.library_not_found", "RUSTFLAGS='-l sqlite3zz' cargo build", {"Cargo.toml": CARGO, **RS}
    ),
    Provoked(
        "cargo-test",
        "build.tests_failed",
        "cargo test",
        {"Cargo.toml": CARGO, "src/main.rs": "fn main() {}\n#[test]\nfn a() { assert!(false) }\n"},
    ),
    Provoked(
        "cargo-path",
        "build.file_dependency_not_found",
        "cargo build",
        {"Cargo.toml": CARGO + '\n[dependencies]\nprices = { path = "../prices-zz" }\n', **RS},
    ),
    Provoked(
        "cargo-build-script",
        "build.package_build_failed",
        "cargo build",
        {"Cargo.toml": CARGO, "build.rs": 'fn main() { panic!("no schema") }\n', **RS},
    ),
    Provoked("cargo-bin", "build.source_not_found", "cargo build --bin api", {"Cargo.toml": CARGO, **RS}),
    Provoked(
        "cargo-workspace",
        "build.workspace_package_not_found",
        "cargo build",
        {"Cargo.toml": '[workspace]\nmembers = ["api"]\n'},
    ),
)
GEM = "source 'https://rubygems.org'\n"
BUNDLE = "BUNDLE_RETRY=0 BUNDLE_PATH=v "
GEMLOCK = "GEM\n  remote: https://rubygems.org/\n  specs:\n    rack (3.0.0)\n\nPLATFORMS\n  {}\n\nDEPENDENCIES\n  rack\n\nBUNDLED WITH\n   2.5.22\n"
RUBY_CASES = (
    Provoked(
        "bundler-refused",
        "build.index_unreachable",
        f"{BUNDLE} bundle install",
        {"Gemfile": "source 'http://127.0.0.1:9'\ngem 'rack'\n"},
        image=RUBY,
    ),
    Provoked(
        "bundler-no-host",
        "build.index_unreachable",
        f"{BUNDLE} bundle install",
        {"Gemfile": "source 'https://gems.shop.invalid'\ngem 'rack'\n"},
        image=RUBY,
    ),
    Provoked(
        "bundler-gem-missing",
        "build.package_not_found",
        f"sed -i s#REG#$REG/gems# Gemfile; {BUNDLE} bundle install",
        {"Gemfile": "source 'REG'\ngem 'rack-zz'\n"},
        image=RUBY,
    ),
    Provoked(
        "bundler-401",
        "build.index_unauthorized",
        f"sed -i s#REG#$REG/401# Gemfile; {BUNDLE} bundle install",
        {"Gemfile": "source 'REG'\ngem 'rack'\n"},
        image=RUBY,
    ),
    Provoked(
        "bundler-403",
        "build.index_unauthorized",
        f"sed -i s#REG#$REG/403# Gemfile; {BUNDLE} bundle install",
        {"Gemfile": "source 'REG'\ngem 'rack'\n"},
        image=RUBY,
    ),
    Provoked(
        "bundler-lock-outdated",
        "build.lockfile_outdated",
        f"BUNDLE_FROZEN=true {BUNDLE} bundle install",
        {"Gemfile": GEM + "gem 'rack'\ngem 'puma'\n", "Gemfile.lock": GEMLOCK.format("x86_64-linux")},
        image=RUBY,
    ),
    Provoked(
        "bundler-lock-missing",
        "build.lockfile_not_found",
        f"BUNDLE_DEPLOYMENT=true {BUNDLE} bundle install",
        {"Gemfile": GEM + "gem 'rack'\n"},
        image=RUBY,
    ),
    Provoked(
        "bundler-platform",
        "build.lockfile_platform",
        f"BUNDLE_FROZEN=true {BUNDLE} bundle install",
        {"Gemfile": GEM + "gem 'rack'\n", "Gemfile.lock": GEMLOCK.format("arm64-darwin-23")},
        image=RUBY,
    ),
    Provoked(
        "bundler-ruby",
        "build.runtime_unsupported",
        f"{BUNDLE} bundle install",
        {"Gemfile": GEM + "ruby '4.9.1'\ngem 'rack'\n"},
        image=RUBY,
    ),
    Provoked("bundler-no-gemfile", "build.manifest_not_found", f"{BUNDLE} bundle install", image=RUBY),
    Provoked(
        "bundler-gemfile-broken",
        "build.manifest_invalid",
        f"{BUNDLE} bundle install",
        {"Gemfile": "gem 'rack\n"},
        image=RUBY,
    ),
    Provoked(
        "bundler-lock-broken",
        "build.lockfile_invalid",
        f"{BUNDLE} bundle install",
        {"Gemfile": GEM + "gem 'rack'\n", "Gemfile.lock": "<<<<<<< HEAD\nGEM\n=======\n>>>>>>> x\n"},
        image=RUBY,
    ),
    Provoked(
        "bundler-exec-missing",
        "build.module_not_found",
        f"{BUNDLE} bundle exec rake assets:precompile",
        {"Gemfile": GEM},
        "bundle lock",
        image=RUBY,
    ),
    Provoked("ruby-require", "build.module_not_found", "ruby b.rb", {"b.rb": "require 'rails-zz'\n"}, image=RUBY),
    Provoked(
        "ruby-env", "build.variable_not_found", "ruby b.rb", {"b.rb": "ENV.fetch('SECRET_KEY_BASE')\n"}, image=RUBY
    ),
    Provoked("ruby-syntax", "build.source_syntax", "ruby b.rb", {"b.rb": "def x(\n"}, image=RUBY),
    Provoked(
        "gem-missing", "build.package_not_found", "gem install --clear-sources --source $REG/gems rack-zz", image=RUBY
    ),
    Provoked("rake-task", "build.script_not_found", "rake assets:precompile", {"Rakefile": ""}, image=RUBY),
    Provoked("ruby-exception", "build.program_failed", "ruby b.rb", {"b.rb": "nil.upcase\n"}, image=RUBY),
)
COMPOSER = "php:8.4-cli"
GET_COMPOSER = "command -v composer || { apt-get update; apt-get install -y composer; }"
LOCK_PHP = '{"content-hash": "0", "packages": [], "packages-dev": [], "platform": {}, "platform-dev": {}}'
NO_PACKAGIST = '"repositories": [{"packagist.org": false}]'
PHP_CASES = (
    Provoked(
        "composer-refused",
        "build.index_unreachable",
        "composer install --no-interaction",
        {
            "composer.json": '{"repositories": [{"packagist.org": false}, {"type": "composer", "url": "http://127.0.0.1:9"}], "config": {"secure-http": false}, "require": {"monolog/monolog": "3.*"}}'
        },
        GET_COMPOSER,
        COMPOSER,
    ),
    Provoked(
        "composer-no-host",
        "build.index_unreachable",
        "composer install --no-interaction",
        {
            "composer.json": '{"repositories": [{"packagist.org": false}, {"type": "composer", "url": "https://composer.shop.invalid"}], "require": {"monolog/monolog": "3.*"}}'
        },
        GET_COMPOSER,
        COMPOSER,
    ),
    Provoked(
        "composer-401",
        "build.index_unauthorized",
        "sed -i s#REG#$REG/401# composer.json; composer install --no-interaction",
        {
            "composer.json": '{"repositories": [{"packagist.org": false}, {"type": "composer", "url": "REG"}], "config": {"secure-http": false}, "require": {"monolog/monolog": "3.*"}}'
        },
        GET_COMPOSER,
        COMPOSER,
    ),
    Provoked(
        "composer-package-missing",
        "build.package_not_found",
        "composer install --no-interaction",
        {"composer.json": f'{{{NO_PACKAGIST}, "require": {{"ck/no-such-zz": "1.*"}}}}'},
        GET_COMPOSER,
        COMPOSER,
    ),
    Provoked(
        "composer-lock-outdated",
        "build.lockfile_outdated",
        "composer install --no-interaction",
        {"composer.json": f'{{{NO_PACKAGIST}, "require": {{"ck/prices": "1.*"}}}}', "composer.lock": LOCK_PHP},
        GET_COMPOSER,
        COMPOSER,
    ),
    Provoked(
        "composer-php",
        "build.runtime_unsupported",
        "composer install --no-interaction",
        {"composer.json": f'{{{NO_PACKAGIST}, "require": {{"php": ">=9"}}}}'},
        GET_COMPOSER,
        COMPOSER,
    ),
    Provoked(
        "composer-extension",
        "build.library_not_found",
        "composer install --no-interaction",
        {"composer.json": f'{{{NO_PACKAGIST}, "require": {{"ext-imagick": "*"}}}}'},
        GET_COMPOSER,
        COMPOSER,
    ),
    Provoked(
        "composer-json",
        "build.manifest_invalid",
        "composer install --no-interaction",
        {"composer.json": '{"require": {,}'},
        GET_COMPOSER,
        COMPOSER,
    ),
    Provoked(
        "composer-no-json", "build.manifest_not_found", "composer install --no-interaction", {}, GET_COMPOSER, COMPOSER
    ),
    Provoked(
        "composer-script",
        "build.script_not_found",
        "composer run-script build",
        {"composer.json": "{}"},
        GET_COMPOSER,
        COMPOSER,
    ),
    Provoked("php-syntax", "build.source_syntax", "php a.php", {"a.php": "<?php function ( {\n"}, image=COMPOSER),
    Provoked(
        "php-require",
        "build.path_not_found",
        "php a.php",
        {"a.php": "<?php require 'vendor/autoload.php';\n"},
        image=COMPOSER,
    ),
    Provoked(
        "php-class", "build.program_failed", "php a.php", {"a.php": "<?php new Shop\\Prices();\n"}, image=COMPOSER
    ),
)
POM = '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>s</groupId><artifactId>s</artifactId><version>1</version>{}</project>'
MVN = "mvn -B -q -Dmaven.repo.local=$PWD/m2 -s s.xml package"
MIRROR = "<settings><mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf><url>{}</url></mirror></mirrors></settings>"
DEPENDENCY = "<dependencies><dependency><groupId>org.slf4j</groupId><artifactId>slf4j-zz</artifactId><version>2.0.0</version></dependency></dependencies>"
JVM_CASES = (
    Provoked(
        "maven-refused",
        "build.index_unreachable",
        MVN,
        {"pom.xml": POM.format(DEPENDENCY), "s.xml": MIRROR.format("http://127.0.0.1:9/")},
    ),
    Provoked(
        "maven-no-host",
        "build.index_unreachable",
        MVN,
        {"pom.xml": POM.format(DEPENDENCY), "s.xml": MIRROR.format("https://maven.shop.invalid/")},
    ),
    Provoked(
        "maven-missing",
        "build.package_not_found",
        f"sed -i s#REG#$REG/404# s.xml; {MVN}",
        {"pom.xml": POM.format(DEPENDENCY), "s.xml": MIRROR.format("REG")},
    ),
    Provoked(
        "maven-401",
        "build.index_unauthorized",
        f"sed -i s#REG#$REG/401# s.xml; {MVN}",
        {"pom.xml": POM.format(DEPENDENCY), "s.xml": MIRROR.format("REG")},
    ),
    Provoked(
        "maven-403",
        "build.index_unauthorized",
        f"sed -i s#REG#$REG/403# s.xml; {MVN}",
        {"pom.xml": POM.format(DEPENDENCY), "s.xml": MIRROR.format("REG")},
    ),
    Provoked("maven-no-pom", "build.manifest_not_found", "mvn -B -q package"),
    Provoked("maven-pom-broken", "build.manifest_invalid", "mvn -B -q package", {"pom.xml": "<project><modelVersion>"}),
    Provoked(
        "maven-no-version",
        "build.manifest_invalid",
        "mvn -B -q package",
        {"pom.xml": POM.format(DEPENDENCY.replace("<version>2.0.0</version>", ""))},
    ),
    Provoked(
        "maven-module",
        "build.workspace_package_not_found",
        "mvn -B -q package",
        {"pom.xml": POM.format("<packaging>pom</packaging><modules><module>api</module></modules>")},
    ),
    Provoked("maven-goal", "build.script_not_found", "mvn -B -q pakage", {"pom.xml": POM.format("")}),
    Provoked(
        "maven-parent",
        "build.package_not_found",
        f"sed -i s#REG#$REG/404# s.xml; {MVN}",
        {
            "pom.xml": POM.format("").replace(
                "<groupId>s<",
                "<parent><groupId>org.spring</groupId><artifactId>p</artifactId><version>9</version></parent><groupId>s<",
                1,
            ),
            "s.xml": MIRROR.format("REG"),
        },
    ),
    Provoked("javac", "build.compile_error", "javac A.java", {"A.java": 'class A { int x = "a"; }\n'}),
    Provoked(
        "javac-package", "build.compile_error", "javac A.java", {"A.java": "import org.slf4j.Logger;\nclass A {}\n"}
    ),
    Provoked("javac-missing", "build.source_not_found", "javac src/Main.java"),
    Provoked("javac-release", "build.release_unsupported", "javac --release 99 A.java", {"A.java": "class A {}\n"}),
    Provoked(
        "gradle-wrapper",
        "build.path_not_found",
        "sh ./gradlew build",
        {"gradlew": "exec java -classpath gradle/wrapper/gradle-wrapper.jar org.gradle.wrapper.GradleWrapperMain\n"},
    ),
)
DENO_CASES = (
    Provoked("deno-file", "build.module_not_found", "deno cache main.ts", image=DENO),
    Provoked(
        "deno-import", "build.module_not_found", "deno cache main.ts", {"main.ts": 'import "./nope.ts"\n'}, image=DENO
    ),
    Provoked(
        "deno-refused",
        "build.index_unreachable",
        "deno cache main.ts",
        {"main.ts": 'import "http://127.0.0.1:9/x.ts"\n'},
        image=DENO,
    ),
    Provoked(
        "deno-type",
        "build.compile_error",
        "deno check main.ts",
        {"main.ts": 'const n: number = "x"\nconsole.log(n)\n'},
        image=DENO,
    ),
    Provoked("deno-task", "build.script_not_found", "deno task build", {"deno.json": "{}"}, image=DENO),
    Provoked("deno-json", "build.manifest_invalid", "deno task build", {"deno.json": "{,"}, image=DENO),
)
SHELL_CASES = (
    Provoked("curl-404", "build.download_failed", "curl -fsSL $REG/404/tool.tgz -o t.tgz"),
    Provoked("curl-refused", "build.connection_refused", "curl -fsSL http://127.0.0.1:9/tool.tgz -o t.tgz"),
    Provoked("curl-no-host", "build.dns_failure", "curl -fsSL https://get.shop.invalid/tool.tgz -o t.tgz"),
    Provoked("wget-404", "build.download_failed", "wget -q $REG/404/tool.tgz || wget $REG/404/tool.tgz"),
    Provoked("tar-html", "build.archive_invalid", "echo '<html>' > t.tgz; tar xzf t.tgz"),
    Provoked(
        "unzip-html",
        "build.archive_invalid",
        "echo '<html>' > t.zip; $PY -m zipfile -e t.zip . 2>&1 | tail -1; unzip -q t.zip",
    ),
    Provoked("git-private", "build.repository_unauthorized", "GIT_TERMINAL_PROMPT=0 git clone $REG/401/x.git"),
    Provoked(
        "git-ssh",
        "build.repository_unauthorized",
        "GIT_SSH_COMMAND='sh -c \"echo git@github.com: Permission denied \\(publickey\\). >&2; exit 255\"' git clone git@github.com:x/x.git",
    ),
    Provoked("git-not-a-repository", "build.git_folder_missing", "GIT_CEILING_DIRECTORIES=/tmp git rev-parse HEAD"),
    Provoked("cd", "build.path_not_found", "cd frontend && npm i"),
    Provoked("cp", "build.path_not_found", "cp dist/index.html /tmp/x"),
    Provoked("mv", "build.path_not_found", "mv build/libs/app.jar app.jar"),
    Provoked("chmod", "build.path_not_found", "chmod +x entrypoint.sh"),
    Provoked("chown", "build.user_unknown", "chown shopuser:shopuser /tmp/x"),
    Provoked("make-none", "build.make_target_not_found", "make"),
    Provoked("make-target", "build.make_target_not_found", "make release", {"Makefile": "all:\n\ttrue\n"}),
    Provoked("make-fails", "build.script_failed", "make", {"Makefile": "all:\n\tfalse\n"}),
    Provoked("gcc", "build.compile_error", "gcc a.c", {"a.c": "int main() { return x; }\n"}),
    Provoked(
        "gcc-header",
        "build.library_not_found",
        "gcc a.c",
        {"a.c": "#include <openssl/sslzz.h>\n#include <curl/curl.h>\n"},
    ),
    Provoked("ld", "build.library_not_found", "gcc a.c -lpqzz", {"a.c": "int main() { return 0; }\n"}),
    Provoked("pkg-config", "build.library_not_found", "pkg-config --exists --print-errors libfoo-zz"),
    Provoked("sh-syntax", "build.shell_syntax", "sh a.sh", {"a.sh": "if true; then\n"}),
    Provoked("sh-missing", "build.path_not_found", "sh scripts/build.sh"),
    Provoked("permission", "build.not_executable", "./build.sh", {"build.sh": "#!/bin/sh\n"}),
    Provoked("user-exists", "build.user_exists", "useradd daemon"),
    Provoked(
        "apt-conflict",
        "build.apt_dependency_conflict",
        "apt-get install -y ck-a",
        {},
        "mkdir -p p/DEBIAN && printf 'Package: ck-a\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDepends: ck-zz\\nDescription: x\\n' > p/DEBIAN/control && dpkg-deb -b p a.deb && mkdir -p r && cp a.deb r && cd r && { printf 'Package: ck-a\\nVersion: 1\\nArchitecture: all\\nDepends: ck-zz\\nFilename: ./a.deb\\nSize: 1\\nMD5sum: d41d8cd98f00b204e9800998ecf8427e\\nDescription: x\\n\\n' > Packages; } && echo \"deb [trusted=yes] file:$PWD ./\" > /etc/apt/sources.list && apt-get update",
        DEBIAN,
    ),
    Provoked(
        "apt-unreachable",
        "build.index_unreachable",
        "apt-get update -o Acquire::Retries=0 -o APT::Update::Error-Mode=any",
        {},
        "rm -rf /etc/apt/sources.list* /etc/apt/apt.conf.d/*; echo 'deb http://deb.shop.invalid bookworm main' > /etc/apt/sources.list",
        DEBIAN,
    ),
    Provoked(
        "apt-503",
        "build.index_unreachable",
        "apt-get update -o Acquire::Retries=0 -o APT::Update::Error-Mode=any",
        {},
        'rm -rf /etc/apt/sources.list* /etc/apt/apt.conf.d/*; echo "deb [trusted=yes] $REG/503 ./" > /etc/apt/sources.list',
        DEBIAN,
    ),
    Provoked("device-full", "build.disk_full", "dd if=/dev/zero of=/dev/full bs=1k count=1"),
)
