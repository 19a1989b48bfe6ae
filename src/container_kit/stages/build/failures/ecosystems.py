"""Failures of Go, Cargo, Bundler, Composer, Maven, Gradle, .NET, Mix, Deno and other compilers.

The messages of programs that no test runs (Gradle, .NET, Mix) are those of their documentation and source.
"""

from __future__ import annotations

from container_kit.stages.build.failures import codes, libraries
from container_kit.stages.build.failures.pattern import FailurePattern, pattern, sign

_GO = (
    sign(codes.PACKAGE_VERSION_NOT_FOUND, r"go: (?P<module>\S{1,200}@\S{1,100}): (?:invalid version|reading .{1,300}: 404|unknown revision)|unknown revision (?P<revision>\S{1,100})",
         "there is no version {module}{revision}", "Correct the version in go.mod: `go get MODULE@latest`, then `go mod tidy`."),
    sign(codes.PACKAGE_NOT_FOUND, r"module (?P<module>\S{1,200}): reading .{1,300}: 404|no matching versions for query|(?P<std>\S{1,200}): package (?P<package>\S{1,200}) is not in (?:std|GOROOT)"
         r"|package (?P<internal>\S{1,200}) is not in std|repository (?P<repo>\S{1,200}) not found",
         "there is no Go package {module}{package}{internal}{repo}",
         "Correct the import path, or COPY the folder before {where}; a private module needs GOPRIVATE and a build secret."),
    sign(codes.LOCKFILE_OUTDATED, r"missing go\.sum entry for|updates to go\.(?:mod|sum) needed|no required module provides package (?P<package>[^\s;:]{1,200})|inconsistent vendoring|go: go\.mod file indicates|go\.mod requires.{0,60}missing",
         "go.mod and go.sum do not match the code {package}",
         "Run `go mod tidy` (with vendoring also `go mod vendor`) and commit go.mod and go.sum; or write `go build -mod=mod` in {where}."),
    sign(codes.HASH_MISMATCH, r"verifying \S{1,200}: checksum mismatch|SECURITY ERROR", "the checksum of a module differs from go.sum",
         "Find out why it differs; then `go clean -modcache && go mod tidy`."),
    sign(codes.RUNTIME_UNSUPPORTED, r"go\.mod requires go >= (?P<wanted>\S{1,20}) \(running go (?P<has>[\d.]{1,20})|requires go >= (?P<module>\S{1,20}) \(running|invalid go version|toolchain not available",
         "the module needs Go {wanted}{module}, the image has {has}", "Use a golang base image with that version, or lower the `go` line of go.mod."),
    sign(codes.WORKSPACE_PACKAGE_NOT_FOUND, r"cannot load module (?P<member>\S{1,200}) listed in go\.work|go\.work.{0,60}no such file",
         "the module {member} of go.work is not in the image", "Build from the folder of go.work (context), and COPY all its modules before {where}."),
    sign(codes.FILE_DEPENDENCY_NOT_FOUND, r"replacement directory (?P<path>\S{1,200}) does not exist|open (?P<mod>\.\./\S{1,200}/go\.mod): no such file",
         "the folder {path}{mod} of a `replace` line is not in the image", "Build with a context that contains it, and COPY it before {where}."),
    pattern("build.embed_not_found", r"pattern (?P<pattern>\S{1,200}): (?:no matching files found|cannot embed)",
            "go:embed finds no file for {pattern}", means="A go:embed line names files that are not in the image.",
            hint="Remove {pattern} from .dockerignore, COPY it before {where}, or build it first (a front end)."),
    pattern("build.import_cycle", r"import cycle not allowed", "packages import one another in a circle",
            means="Go packages import one another.", hint="Move what both need into a third package, as the log shows."),
    sign(codes.SOURCE_NOT_FOUND, r"no Go files in (?P<folder>\S{1,200})|directory not found|stat (?P<stat>\S{1,200}): directory not found|package command-line-arguments is not a main package",
         "there is no main package in {folder}{stat}", "Name the folder with `package main` in {where}, for example `go build ./cmd/server`."),
    sign(codes.MANIFEST_NOT_FOUND, r"go: go\.mod file not found|cannot find main module", "go.mod is not in the image yet",
         "COPY go.mod and go.sum before {where}, or set WORKDIR to the module."),
    sign(codes.MANIFEST_INVALID, r"errors parsing go\.(?:mod|work)", "go.mod cannot be parsed", "Correct go.mod at the line in the log."),
    sign(codes.COMPILER_NOT_FOUND, r"cgo: C compiler \"(?P<compiler>[^\"]{1,60})\" not found", "cgo needs the compiler {compiler}",
         "Install gcc before {where} (alpine: `apk add build-base`), or build with CGO_ENABLED=0."),
    sign(codes.TESTS_FAILED, r"^--- FAIL: |^FAIL\t", "tests failed in the build", "Correct the tests that the log names, or leave them out of {where}."),
)  # fmt: skip
_CARGO = (
    sign(codes.LOCKFILE_OUTDATED, r"cannot (?:update|create) the lock file|lock file .{0,200}needs to be updated but --locked",
         "Cargo.lock does not match Cargo.toml", "Run `cargo update --workspace` (or `cargo generate-lockfile`) and commit Cargo.lock; or write `cargo build` without --locked in {where}."),
    sign(codes.LOCKFILE_VERSION, r"lock file version `?\d{1,3}`? (?:was found|requires)", "a newer Cargo wrote Cargo.lock",
         "Use a newer rust base image, or run `cargo generate-lockfile` with the image's Cargo."),
    sign(codes.LOCKFILE_INVALID, r"failed to parse lock file", "Cargo.lock cannot be parsed", "Resolve the merge conflict, or delete it and run `cargo generate-lockfile`."),
    sign(codes.PACKAGE_NOT_FOUND, r"no matching package named `(?P<crate>[^`]{1,100})` found", "there is no crate {crate}", "Correct the name in Cargo.toml."),
    sign(codes.PACKAGE_VERSION_NOT_FOUND, r"failed to select a version for the requirement `(?P<requirement>[^`]{1,120})`", "there is no version {requirement}", "Correct the version in Cargo.toml."),
    sign(codes.DEPENDENCY_CONFLICT, r"failed to select a version for `(?P<crate>[^`]{1,100})`", "the requirements for {crate} conflict", "Align the versions that the log names in Cargo.toml."),
    sign(codes.RUNTIME_UNSUPPORTED, r"rustc \S{1,20} is not supported by|requires rustc (?P<wanted>\S{1,20})|feature `edition\d{4}` is required|this version of Cargo is older than|failed to parse the `edition` key|cannot be built because it requires rustc",
         "the crate needs a newer Rust {wanted}", "Use a newer rust base image, or lower `rust-version` and `edition` in Cargo.toml."),
    sign(codes.MANIFEST_NOT_FOUND, r"could not find `Cargo\.toml`", "Cargo.toml is not in the image yet", "COPY Cargo.toml and Cargo.lock before {where}, or set WORKDIR to the crate."),
    sign(codes.WORKSPACE_PACKAGE_NOT_FOUND, r"failed to load manifest for workspace member `(?P<member>[^`]{1,200})`", "the workspace member {member} is not in the image", "Build from the root of the workspace, and COPY all its members before {where}."),
    sign(codes.FILE_DEPENDENCY_NOT_FOUND, r"failed to (?:read|load source).{0,300}`(?P<path>[^`]{1,200})`[\s\S]{0,600}No such file", "the local crate {path} is not in the image", "Build with a context that contains it, and COPY it before {where}."),
    sign(codes.SOURCE_NOT_FOUND, r"no targets specified in the manifest|no bin target named `(?P<bin>[^`]{1,100})`|can't find `?\w{1,60}`? (?:bin|lib)", "there is no source for the target {bin}", "COPY src before {where}, or correct the name of the binary."),
    sign(codes.MANIFEST_INVALID, r"failed to parse manifest|--> Cargo\.toml:|invalid (?:table header|key|string)", "Cargo.toml cannot be parsed", "Correct Cargo.toml at the line in the log."),
    sign(codes.COMPILER_NOT_FOUND, r"linker `(?P<linker>[^`]{1,60})` not found", "the image has no linker {linker}", "Install build-essential before {where} (alpine: `apk add build-base`)."),
    sign(codes.LIBRARY_NOT_FOUND, r"unable to find library -l(?P<lib>[\w.+-]{1,60})|cannot find -l(?P<ld>[\w.+-]{1,60})|Could not find directory of (?P<openssl>OpenSSL) installation|system library `(?P<system>[\w.+-]{1,60})` required by|could not find native static library `(?P<static>[^`]{1,60})`",
         "the library {lib}{ld}{openssl}{system}{static} is missing", "Install its development package before {where}.", actions=libraries.advise),
    sign(codes.TESTS_FAILED, r"test result: FAILED", "tests failed in the build", "Correct the tests that the log names, or leave them out of {where}."),
    sign(codes.PACKAGE_BUILD_FAILED, r"failed to run custom build command for `(?P<crate>[^`]{1,200})`", "the build script of {crate} failed", "Read its output in the log, and install what it misses before {where}."),
    sign(codes.COMPILE_ERROR, r"^error(?:\[E\d{4}\])?: (?P<problem>(?!could not compile|aborting|process didn't)[^\n]{1,200})\n\s{1,8}--> (?!Cargo\.toml)(?P<place>\S{1,200})", "the code does not compile: {place} {problem}", "Correct {place}: {problem}."),
)  # fmt: skip
_RUBY = (
    sign(codes.LOCKFILE_PLATFORM, r"Your bundle only supports platforms|your local platform is|no longer available for (?:this|your) platform|The platforms of your lockfile", "Gemfile.lock was made on another platform",
         "Run `bundle lock --add-platform x86_64-linux aarch64-linux` and commit Gemfile.lock."),
    sign(codes.LOCKFILE_OUTDATED, r"dependencies in your gemfile changed|frozen mode is set|lockfile can't be updated|gemspecs? for .{1,80} changed|deleted from your Gemfile|added to the Gemfile|You have (?:added|deleted|changed)", "Gemfile.lock does not match Gemfile",
         "Run `bundle lock` and commit Gemfile.lock; or build without BUNDLE_FROZEN and BUNDLE_DEPLOYMENT in {where}."),
    sign(codes.LOCKFILE_NOT_FOUND, r"deployment.{0,120}requires a (?:lockfile|Gemfile\.lock)|requires? a lockfile|Your Gemfile\.lock is missing", "Gemfile.lock is not in the image", "COPY Gemfile.lock before {where}; create it with `bundle lock`."),
    sign(codes.LOCKFILE_INVALID, r"Your (?:Gemfile\.lock|lockfile) contains merge conflicts|Your lockfile is unreadable", "Gemfile.lock cannot be parsed", "Resolve the merge conflict, or delete it and run `bundle lock`."),
    sign(codes.RUNTIME_UNSUPPORTED, r"Your Ruby version is (?P<has>\S{1,20}), but your Gemfile specified (?P<wanted>\S{1,40})|requires (?:R|r)uby version (?P<gem>[<>=~\d., ]{1,40})", "the application needs Ruby {wanted}{gem}, the image has {has}", "Use a ruby base image with that version, or correct `ruby` in the Gemfile."),
    sign(codes.PACKAGE_NOT_FOUND, r"Could not find gem '(?P<gem>[^']{1,120})' in|Could not fetch specs from (?P<source>\S{1,200}) due to[^\n]{0,40}\n[^\n]{0,20}bad response Not Found|Could not find a valid gem '(?P<valid>[^']{1,100})'", "there is no gem {gem}{valid}", "Correct the name and version in the Gemfile. A private gem needs its source and a credential."),
    sign(codes.DEPENDENCY_CONFLICT, r"Bundler could not find compatible versions|Could not find compatible versions", "the gems conflict", "Loosen one of the versions that the log names."),
    sign(codes.MODULE_NOT_FOUND, r"bundler: command not found: (?P<command>\S{1,80})|Could not find (?P<gems>\S{1,100}) in (?:locally installed gems|any of the sources)|cannot load such file -- (?P<file>\S{1,200})|can't find gem (?P<cant>\S{1,80})|can't find executable (?P<cant>\S{1,80}) for gem", "the gem or file {command}{gems}{file}{cant} is not installed", "Add it to the Gemfile (outside of groups that are left out), or COPY it before {where}."),
    sign(codes.MANIFEST_NOT_FOUND, r"Could not locate Gemfile|No Rakefile found", "the Gemfile is not in the image yet", "COPY Gemfile and Gemfile.lock before {where}, or set WORKDIR."),
    sign(codes.MANIFEST_INVALID, r"There was an error parsing `Gemfile`", "the Gemfile cannot be parsed", "Correct the Gemfile at the line in the log."),
    sign(codes.PACKAGE_BUILD_FAILED, r"Failed to build gem native extension", "a gem with native code cannot be built", "Install build-essential and the library that the log names before {where}."),
    sign(codes.SCRIPT_NOT_FOUND, r"Don't know how to build task '(?P<task>[^']{1,100})'|Unrecognized command \"(?P<rails>[^\"]{1,60})\"", "there is no task {task}{rails}", "Correct the task in {where}, or COPY the Rakefile and lib/tasks before it."),
    sign(codes.VARIABLE_NOT_FOUND, r"key not found: \"(?P<variable>[A-Z][A-Z0-9_]{1,60})\" \(KeyError\)|Missing `?(?P<secret>secret_key_base)`?", "the build needs the variable {variable}{secret}", "Set a build-time value in {where}, for example `SECRET_KEY_BASE_DUMMY=1`; or pass it in build_args if it is not secret."),
    sign(codes.SOURCE_SYNTAX, r"^(?P<place>\S{1,200}:\d{1,6}): (?P<problem>(?:syntax errors? found|syntax error,)[^\n]{0,160})|(?P<rb>\S{1,200}\.rb:\d{1,6}): .{0,80}\(SyntaxError\)", "the source code cannot be parsed: {place}{rb} {problem}", "Correct the source at {place}{rb}."),
)  # fmt: skip
_PHP = (
    sign(codes.LOCKFILE_OUTDATED, r"is not present in the lock file|is in the lock file as .{1,120} but that does not satisfy|lock file does not contain a compatible set|lock file is not up to date with the latest changes in composer\.json[\s\S]{0,2000}Your requirements could not be resolved",
         "composer.lock does not match composer.json", "Run `composer update --lock` (for a new package `composer update NAME`) and commit composer.lock; or write `composer update --no-dev` in {where}."),
    sign(codes.LIBRARY_NOT_FOUND, r"require[sd]? (?:PHP extension )?(?P<extension>ext-[\w-]{1,40})|requires PHP extension (?P<php>ext-[\w-]{1,40})", "the PHP extension {extension}{php} is missing", "Install {extension}{php} before {where} (`docker-php-ext-install`, or `install-php-extensions`), or leave the package out."),
    sign(codes.RUNTIME_UNSUPPORTED, r"your php version \((?P<has>[\d.]{1,20}).{0,60}does not satisfy that requirement|requires php (?P<wanted>[<>=^~|.\d ]{1,40}) ", "the packages need another PHP: {wanted}; the image has {has}", "Use a php base image with that version."),
    sign(codes.PACKAGE_NOT_FOUND, r"requires (?P<package>[\w./-]{1,100}) \S{1,40}, it could not be found|could not be found in any version, there may be a typo|Could not find a (?:matching version of )?package (?P<other>[\w./-]{1,100})|Root composer\.json requires (?P<root>[\w./-]{1,100}), it could not be found", "there is no package {package}{other}{root}", "Correct its name; a private package needs its repository and a credential (build secret for auth.json)."),
    sign(codes.DEPENDENCY_CONFLICT, r"Your requirements could not be resolved to an installable set", "the requirements conflict", "Align the versions that the log names in composer.json."),
    sign(codes.MANIFEST_NOT_FOUND, r"Composer could not find a composer\.json", "composer.json is not in the image yet", "COPY composer.json and composer.lock before {where}."),
    sign(codes.MANIFEST_INVALID, r"\"\./?composer\.json\" does not contain valid JSON|does not match the expected JSON schema|\"[^\"]{0,200}composer\.json\" does not contain valid JSON", "composer.json is not valid", "Correct composer.json at the line in the log."),
    sign(codes.SCRIPT_NOT_FOUND, r"Script \"(?P<script>[^\"]{1,80})\" is not defined in this package|Command \"(?P<artisan>[^\"]{1,80})\" is not defined", "there is no script {script}{artisan}", "Define it, or correct its name in {where}."),
    sign(codes.SOURCE_SYNTAX, r"(?:PHP )?Parse error: {1,3}(?P<problem>[^\n]{1,200}) on line (?P<line>\d{1,6})", "the source code cannot be parsed: {problem} on line {line}", "Correct the source at line {line}: {problem}."),
    sign(codes.PATH_NOT_FOUND, r"Failed opening required '(?P<file>[^']{1,200})'", "the file {file} is not in the image", "COPY {file} before {where}; vendor/autoload.php comes from `composer install`."),
    sign(codes.PROGRAM_FAILED, r"(?:PHP )?Fatal error: {1,3}(?P<problem>Uncaught [^\n]{1,200})", "the program ended with an exception: {problem}", "Correct the code at the line in the log."),
)  # fmt: skip
_JVM = (
    sign(codes.PACKAGE_NOT_FOUND, r"Could not find artifact (?P<artifact>\S{1,200})|Could not find (?P<gradle>[\w.-]{1,100}:[\w.-]{1,100}:[\w.-]{0,60})\.|was not found in \S{1,200} during a previous attempt|Plugin \[id: '(?P<plugin>[^']{1,100})'|Non-resolvable parent POM|Unresolvable build extension",
         "the repository has no artifact {artifact}{gradle}{plugin}", "Correct group, name and version; a private artifact needs its repository and a credential (build secret for settings.xml)."),
    sign(codes.LOCKFILE_OUTDATED, r"Dependency lock state for configuration|is not part of the dependency lock state", "gradle.lockfile does not match the build", "Run `gradle dependencies --write-locks` and commit gradle.lockfile; or delete it."),
    sign(codes.RUNTIME_UNSUPPORTED, r"Unsupported class file major version|has been compiled by a more recent version of the Java|Dependency requires at least JVM runtime version (?P<jvm>\d{1,3})|requires (?:Java|JDK) (?P<java>\d{1,3})|No matching toolchains found|Cannot find a Java installation.{0,80}|class file has wrong version", "the build needs another Java version {jvm}{java}", "Use a JDK base image with that version, or lower it in the build file."),
    sign(codes.MANIFEST_NOT_FOUND, r"there is no POM in this directory|does not contain a Gradle build|Directory '[^']{1,200}' does not contain", "the build file is not in the image yet", "COPY pom.xml or build.gradle and settings.gradle before {where}, or set WORKDIR."),
    sign(codes.WORKSPACE_PACKAGE_NOT_FOUND, r"Child module (?P<module>\S{1,200}) of .{1,200} does not exist|Project with path '(?P<gradle>[^']{1,100})' could not be found|project '(?P<dir>[^']{1,100})'.{0,60}(?:does not exist|not found)|Could not find the selected project in the reactor", "the module {module}{gradle}{dir} is not in the image", "Build from the root of the project, and COPY all modules before {where}."),
    sign(codes.SCRIPT_NOT_FOUND, r"Unknown lifecycle phase \"(?P<phase>[^\"]{1,60})\"|No plugin found for prefix '(?P<prefix>[^']{1,60})'|Task '(?P<task>[^']{1,80})' not found", "there is no goal or task {phase}{prefix}{task}", "Correct its name in {where}."),
    sign(codes.MANIFEST_INVALID, r"Non-parseable POM|The build could not read \d{1,4} project|is missing\. @|'dependencies\.dependency\.version' for|Could not compile (?:build|settings) file|script compilation error", "the build file is not valid", "Correct the build file at the line in the log."),
    sign(codes.TESTS_FAILED, r"There (?:are|were) (?:test )?failures|There were failing tests|Tests run: \d{1,6}, Failures: [1-9]", "tests failed in the build", "Correct the tests that the log names, or skip them in {where} (-DskipTests, -x test)."),
    sign(codes.SOURCE_NOT_FOUND, r"error: file not found: (?P<file>\S{1,200})|error: no source files", "the source {file} is not in the image", "COPY the source before {where}, or correct the path."),
    sign(codes.PATH_NOT_FOUND, r"Could not find or load main class org\.gradle\.wrapper|gradle-wrapper\.jar", "gradle/wrapper/gradle-wrapper.jar is not in the image", "Commit gradle-wrapper.jar, and do not exclude *.jar in .dockerignore."),
    sign(codes.COMPILE_ERROR, r"^(?:\[ERROR\] )?(?P<place>\S{1,300}\.(?:java|kt|scala|groovy):\[?\d{1,6}(?:[:,]\d{1,6})?\]?):? (?:error: )?(?P<problem>[^\n]{1,200})|^e: (?P<kotlin>file:\S{1,300}) (?P<kt>[^\n]{1,200})|COMPILATION ERROR", "the code does not compile: {place}{kotlin} {problem}{kt}", "Correct {place}{kotlin}: {problem}{kt}"),
)  # fmt: skip
_DOTNET = (
    sign(codes.LOCKFILE_OUTDATED, r"NU1004|NU1009", "packages.lock.json does not match the project", "Run `dotnet restore --force-evaluate` and commit packages.lock.json; or restore without --locked-mode in {where}."),
    sign(codes.PACKAGE_NOT_FOUND, r"NU1101: (?P<text>[^\n]{1,160})", "the source has no package: {text}", "Correct the package's name, or add its source to NuGet.config with a credential from a build secret."),
    sign(codes.PACKAGE_VERSION_NOT_FOUND, r"NU110[23]: (?P<text>[^\n]{1,160})", "there is no such version: {text}", "Correct the version of the package reference."),
    sign(codes.DEPENDENCY_CONFLICT, r"NU1107|NU1605|NU1608", "the package versions conflict", "Align the versions that the log names."),
    sign(codes.RUNTIME_UNSUPPORTED, r"NETSDK1045|NETSDK1141|A compatible \.NET SDK was not found|does not support targeting|NU1202", "the image's .NET SDK does not support the target framework", "Use an sdk base image with the version of global.json and TargetFramework."),
    sign(codes.MANIFEST_NOT_FOUND, r"MSB1003|MSB1009|MSB1011", "there is no single project file in the folder", "Name the project in {where}, and COPY it before."),
    sign(codes.MANIFEST_INVALID, r"MSB4025|MSB4068|NU1000", "the project file is not valid", "Correct the project file at the line in the log."),
    sign(codes.FILE_DEPENDENCY_NOT_FOUND, r"MSB9008|MSB3202|NETSDK1004|NETSDK1064", "a referenced project or the result of the restore is missing", "COPY every referenced project before {where}, and run `dotnet restore` for the same project."),
    sign(codes.COMPILE_ERROR, r"(?P<place>\S{1,300}\.(?:cs|fs|vb)\(\d{1,6},\d{1,6}\)): error (?P<problem>[^\n]{1,200})", "the code does not compile: {place} {problem}", "Correct {place}: {problem}."),
    sign(codes.TESTS_FAILED, r"^Failed! {1,3}- Failed: |Test Run Failed", "tests failed in the build", "Correct the tests that the log names, or leave them out of {where}."),
)  # fmt: skip
_OTHERS = (
    sign(codes.LOCKFILE_OUTDATED, r"Your mix\.lock is out of date|mix\.lock.{0,80}out of date|the lockfile is out of date|The lockfile is out of date\. Run `deno install", "the lock file does not match the manifest", "Run `mix deps.get` (Deno: `deno install --frozen=false`) and commit the lock file; or leave out --check-locked (--frozen) in {where}."),
    sign(codes.PACKAGE_NOT_FOUND, r"No package with name (?P<hex>\S{1,80})|Could not find package (?P<pub>\S{1,80}) at|because (?P<dart>\S{1,80}) (?:from hosted )?doesn't exist|no such package: (?P<other>\S{1,80})|JSR package not found: (?P<jsr>\S{1,80})", "the index has no package {hex}{pub}{dart}{other}{jsr}", "Correct its name."),
    sign(codes.COMPILER_NOT_FOUND, r"Could not find (?P<hex>Hex|\"rebar3\"), which is needed|Could not find an SCM", "{hex} is not in the image", "Run `mix local.hex --force && mix local.rebar --force` before {where}."),
    sign(codes.MODULE_NOT_FOUND, r"Module not found \"(?P<deno>[^\"]{1,300})\"|Cannot resolve module \"(?P<resolve>[^\"]{1,300})\"|error: Module not found", "the module {deno}{resolve} does not exist", "Correct the import, or COPY the file before {where}."),
    sign(codes.MANIFEST_INVALID, r"Unable to parse config file|Failed deserializing config file|Failed to parse.{0,40}deno\.jsonc?|\(Mix\.\w{0,30}Error\)|mix\.exs:\d{1,5}:", "the manifest cannot be parsed", "Correct it at the line in the log."),
    sign(codes.COMPILE_ERROR, r"^TS\d{3,5} \[ERROR\]: (?P<problem>[^\n]{1,200})|\*\* \(CompileError\) (?P<elixir>[^\n]{1,200})|error: Type checking failed", "the code does not compile: {problem}{elixir}", "Correct the source at the line in the log: {problem}{elixir}"),
    sign(codes.MANIFEST_NOT_FOUND, r"Could not find a Mix\.Project|pubspec\.yaml.{0,30}(?:not found|no such)|no Package\.swift|does not appear to contain CMakeLists\.txt|Cannot find a `?deno\.json", "the manifest is not in the image yet", "COPY it before {where}, or set WORKDIR to its folder."),
    sign(codes.LIBRARY_NOT_FOUND, r"Could NOT find (?P<cmake>\w{1,60})|No package '(?P<pc>[^']{1,60})' found|Package (?P<pkg>[\w.+-]{1,60}) was not found in the pkg-config|fatal error: (?P<header>[\w./+-]{1,100}\.h(?:pp)?): No such file|cannot find -l(?P<lib>[\w.+-]{1,60})", "a system library is missing: {cmake}{pc}{pkg}{header}{lib}", "Install its development package before {where}.", actions=libraries.advise),
    pattern("build.make_target_not_found", r"No rule to make target '(?P<target>[^']{1,120})'|No targets specified and no makefile found|No rule to make target `(?P<old>[^']{1,120})'", "make has no target {target}{old}", means="make finds no makefile, or not the target.", hint="COPY the Makefile before {where}, or correct the target."),
)  # fmt: skip

PATTERNS: tuple[FailurePattern, ...] = (*_GO, *_CARGO, *_RUBY, *_PHP, *_JVM, *_DOTNET, *_OTHERS)
