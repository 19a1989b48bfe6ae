"""The codes of problems that several programs report: one code for each problem, whichever program finds it."""

from __future__ import annotations

from container_kit.stages.build.failures.pattern import shared

INDEX_UNREACHABLE = shared(
    "build.index_unreachable", "A package index or proxy does not answer from inside the build.", retryable=True
)
INDEX_UNAUTHORIZED = shared(
    "build.index_unauthorized", "A private package index denies access: the credential is missing or wrong."
)
PACKAGE_NOT_FOUND = shared("build.package_not_found", "The package index has no package with that name.")
PACKAGE_VERSION_NOT_FOUND = shared(
    "build.package_version_not_found", "The package index has the package, but not that version."
)
LOCKFILE_OUTDATED = shared("build.lockfile_outdated", "The lock file does not match the manifest.")
LOCKFILE_NOT_FOUND = shared("build.lockfile_not_found", "The install needs a lock file and the image does not have it.")
LOCKFILE_INVALID = shared("build.lockfile_invalid", "The lock file cannot be parsed, for example after a merge.")
LOCKFILE_VERSION = shared("build.lockfile_version", "Another major version of the package manager wrote the lock file.")
LOCKFILE_PLATFORM = shared("build.lockfile_platform", "The lock file was made for other platforms only.")
MANIFEST_NOT_FOUND = shared("build.manifest_not_found", "A package manager ran in a folder without its manifest.")
MANIFEST_INVALID = shared("build.manifest_invalid", "A manifest cannot be parsed.")
DEPENDENCY_CONFLICT = shared("build.dependency_conflict", "No set of versions satisfies all requirements.")
RUNTIME_UNSUPPORTED = shared(
    "build.runtime_unsupported", "The application or a package does not support the image's language version."
)
HASH_MISMATCH = shared("build.hash_mismatch", "The checksum of a download differs from the recorded one.")
PLATFORM_PACKAGE = shared("build.platform_package", "A dependency exists only for another operating system.")
PLATFORM_DEPENDENCY_MISSING = shared(
    "build.platform_dependency_missing",
    "The binary part of a package for this platform was not installed: the lock file or the folder with the "
    "dependencies comes from another platform.",
)
SCRIPT_NOT_FOUND = shared("build.script_not_found", "A command names a script or task that does not exist.")
SCRIPT_FAILED = shared("build.script_failed", "A script of the manifest failed.")
INSTALL_SCRIPT_FAILED = shared("build.install_script_failed", "A script that runs during the install failed.")
WORKSPACE_PACKAGE_NOT_FOUND = shared(
    "build.workspace_package_not_found", "A member of the workspace is not in the build context of the install."
)
FILE_DEPENDENCY_NOT_FOUND = shared(
    "build.file_dependency_not_found", "A dependency is a local folder that is not in the image."
)
PACKAGE_MANAGER_VERSION = shared(
    "build.package_manager_version", "The project requires another package manager, or another version of it."
)
PACKAGE_BUILD_FAILED = shared("build.package_build_failed", "A package could not be built from source.")
LIBRARY_NOT_FOUND = shared("build.library_not_found", "A system library, header or extension is missing.")
COMPILER_NOT_FOUND = shared("build.compiler_not_found", "The image has no compiler or build tool that is needed.")
GIT_NOT_FOUND = shared("build.git_not_found", "A dependency comes from a git repository, and the image has no git.")
MODULE_NOT_FOUND = shared(
    "build.module_not_found", "Code that runs during the build imports a module that is not there."
)
MODULE_FORMAT = shared("build.module_format", "ES module syntax and CommonJS are mixed.")
IMPORT_NOT_FOUND = shared("build.import_not_found", "A bundler cannot resolve an import.")
SOURCE_NOT_FOUND = shared("build.source_not_found", "The compiler finds no source to compile.")
SOURCE_SYNTAX = shared("build.source_syntax", "A source file has a syntax error.")
COMPILE_ERROR = shared("build.compile_error", "A compiler rejected the source code.")
TESTS_FAILED = shared("build.tests_failed", "Tests that run during the build failed.")
LINT_FAILED = shared("build.lint_failed", "A linter or type checker that runs during the build found problems.")
VARIABLE_NOT_FOUND = shared("build.variable_not_found", "The build itself needs an environment variable.")
PROGRAM_FAILED = shared("build.program_failed", "A program of the application ended with an exception.")
DOWNLOAD_FAILED = shared("build.download_failed", "A URL could not be downloaded.", retryable=True)
REPOSITORY_UNAUTHORIZED = shared("build.repository_unauthorized", "git has no access to a repository.")
PATH_NOT_FOUND = shared("build.path_not_found", "A command names a file or folder that is not in the image.")

CODES = tuple(value for value in tuple(globals().values()) if type(value).__name__ == "FaultCode")
