"""Why containers ended: the real logs of applications that were made to end, each with its class and its line.

`tests/support/failures/record_crashes.py` recorded the logs; its cases hold the applications.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from container_kit.stages.contract.fault import Fault
from container_kit.stages.deploy.failures import FAULTS, explain_crash
from container_kit.stages.deploy.failures.crash import Crash, fold
from container_kit.tools.registry import ALL
from support.failures.crash_cases import CASES
from support.failures.record_crashes import CRASHES, write_files

TOOLS = {str(tool.name): tool for tool in ALL}
EXPECTED = {
    "crlf-shebang": "deploy.line_endings",
    "crlf-env": "deploy.line_endings",
    "crlf-inside": "deploy.line_endings",
    "not-executable": "deploy.not_executable",
    "interpreter-missing": "deploy.interpreter_not_found",
    "shell-missing": "deploy.interpreter_not_found",
    "architecture": "deploy.wrong_architecture",
    "command-missing": "deploy.command_not_found",
    "tsx-missing": "deploy.development_command",
    "script-missing": "deploy.script_not_found",
    "bad-argument": "deploy.arguments_invalid",
    "port-text": "deploy.arguments_invalid",
    "module": "deploy.module_not_found",
    "file": "deploy.file_not_found",
    "syntax": "deploy.syntax_error",
    "python-version": "deploy.runtime_version",
    "removed-module": "deploy.module_not_found",
    "circular": "deploy.circular_import",
    "letter-case": "deploy.letter_case",
    "variable": "deploy.variable_not_found",
    "variables": "deploy.variable_not_found",
    "exception": "deploy.unhandled_exception",
    "postgres-refused": "deploy.service_unreachable",
    "redis-refused": "deploy.service_unreachable",
    "dns": "deploy.dns_failure",
    "sqlite-table": "deploy.migration_pending",
    "privileged-port": "deploy.port_privileged",
    "in-use": "deploy.address_in_use",
    "read-only": "deploy.read_only_file_system",
    "denied": "deploy.permission_denied",
    "disk-full": "deploy.disk_full",
    "open-files": "deploy.too_many_files",
    "threads": "deploy.too_many_processes",
    "memory": "deploy.out_of_memory",
    "prompt": "deploy.terminal_prompt",
    "segfault": "deploy.segmentation_fault",
    "abort": "deploy.aborted",
    "terminated": "deploy.terminated",
    "ended": "deploy.ended",
    "library": "deploy.library_not_found",
    "tls": "deploy.tls_untrusted",
    "url": "deploy.variable_invalid",
    "node-module": "deploy.module_not_found",
    "node-build-output": "deploy.build_output_missing",
    "node-file": "deploy.file_not_found",
    "node-case": "deploy.letter_case",
    "node-esm": "deploy.module_format",
    "node-cjs": "deploy.module_format",
    "node-syntax": "deploy.syntax_error",
    "node-exception": "deploy.unhandled_exception",
    "node-variable": "deploy.variable_not_found",
    "node-in-use": "deploy.address_in_use",
    "node-refused": "deploy.service_unreachable",
    "node-amqp": "deploy.service_unreachable",
    "node-dns": "deploy.dns_failure",
    "node-heap": "deploy.out_of_memory",
    "node-native": "deploy.native_module",
    "node-before-init": "deploy.circular_import",
    "node-typescript": "deploy.module_format",
    "node-option": "deploy.arguments_invalid",
    "node-denied": "deploy.permission_denied",
    "node-next": "deploy.build_output_missing",
    "ruby-gem": "deploy.module_not_found",
    "ruby-variable": "deploy.variable_not_found",
    "ruby-exception": "deploy.unhandled_exception",
    "ruby-refused": "deploy.service_unreachable",
    "php-class": "deploy.module_not_found",
    "php-autoload": "deploy.file_not_found",
    "php-syntax": "deploy.syntax_error",
    "php-memory": "deploy.out_of_memory",
    "php-missing": "deploy.file_not_found",
    "go-panic": "deploy.unhandled_exception",
    "go-refused": "deploy.service_unreachable",
    "java-class": "deploy.application_not_found",
    "java-jar": "deploy.build_output_missing",
    "java-exception": "deploy.unhandled_exception",
    "java-memory": "deploy.out_of_memory",
    "java-refused": "deploy.service_unreachable",
    "sh-variable": "deploy.variable_not_found",
    "sh-syntax": "deploy.syntax_error",
}
WHERE = {
    "module": "main.py:1",
    "file": "main.py:1",
    "syntax": "main.py:1",
    "python-version": "main.py:2",
    "removed-module": "main.py:1",
    "circular": "b.py:1",
    "letter-case": "main.py:1",
    "variable": "main.py:2",
    "exception": "main.py:2",
    "postgres-refused": "main.py:5",
    "redis-refused": "main.py:2",
    "dns": "main.py:2",
    "sqlite-table": "main.py:2",
    "in-use": "main.py:3",
    "read-only": "main.py:1",
    "denied": "main.py:1",
    "disk-full": "main.py:2",
    "open-files": "main.py:1",
    "threads": "main.py:3",
    "memory": "main.py:1",
    "prompt": "main.py:1",
    "library": "main.py:2",
    "tls": "main.py:2",
    "url": "main.py:2",
    "node-module": "index.js:1",
    "node-file": "index.js:1",
    "node-case": "index.js:1",
    "node-esm": "index.js:1",
    "node-cjs": "index.js:1",
    "node-syntax": "index.js:1",
    "node-exception": "index.js:2",
    "node-variable": "index.js:1",
    "node-native": "index.js:1",
    "node-before-init": "index.js:1",
    "node-denied": "index.js:1",
    "node-next": "index.js:1",
    "ruby-gem": "main.rb:1",
    "ruby-variable": "main.rb:1",
    "ruby-exception": "main.rb:2",
    "ruby-refused": "main.rb:2",
    "php-class": "main.php:2",
    "php-autoload": "main.php:2",
    "php-syntax": "main.php:2",
    "php-memory": "main.php:2",
    "go-panic": "main.go:3",
    "java-exception": "Main.java:1",
    "java-refused": "Main.java:1",
}


def fault_of(name: str, folder: Path, **facts: object) -> Fault:
    recording = tomllib.loads((CRASHES / f"{name}.toml").read_text())
    case = next(case for case in CASES if case.name == name)
    write_files(case, folder)
    crash = Crash("shop", "shop:1", fold(recording["log"]), recording["exit_code"], "65534", folder, **facts)  # type: ignore[arg-type]
    failure = explain_crash(crash)
    assert failure is not None, recording["log"]
    return failure.fault


@pytest.mark.parametrize("name", EXPECTED)
def test_a_container_that_ended_is_explained(name: str, tmp_path: Path) -> None:
    fault = fault_of(name, tmp_path)
    assert fault.code == EXPECTED[name], fault.message
    assert WHERE.get(name, "") in {evidence.where or "" for evidence in fault.evidence} | {""}
    if name in WHERE:
        assert WHERE[name] in fault.message
    for text in (fault.message, fault.hint, *(action.why for action in fault.next_actions)):
        assert not re.search(r"\{\w+\}", text)
    for action in fault.next_actions:
        accepting = [TOOLS[action.tool]] if action.tool else [TOOLS["deploy"], TOOLS["full-deployment"]]
        for tool in accepting:
            assert action.arguments.keys() <= tool.input.model_fields.keys()
    assert fault.next_actions


def test_every_class_is_provoked_and_there_are_at_least_forty() -> None:
    codes = {code.code for code in FAULTS}
    text = Path(__file__).read_text()
    assert sorted(code for code in codes if f'"{code}"' not in text) == []
    assert len(codes) >= 40


def explained(log: str, code: int = 1, **facts: object) -> Fault:
    failure = explain_crash(Crash("shop", "shop:1", log, code, "65534", **facts))  # type: ignore[arg-type]
    assert failure is not None
    return failure.fault


@pytest.mark.parametrize(
    ("log", "code"),
    [
        # Messages of the programs' sources and documentation.
        ('psycopg.OperationalError: connection failed: FATAL:  password authentication failed for user "app"', "deploy.service_unauthorized"),
        ("redis.exceptions.AuthenticationError: WRONGPASS invalid username-password pair or user is disabled.", "deploy.service_unauthorized"),
        ("ER_ACCESS_DENIED_ERROR: Access denied for user 'root'@'172.17.0.3' (using password: YES)", "deploy.service_unauthorized"),
        ("MongoServerError: Authentication failed.", "deploy.service_unauthorized"),
        ('FATAL:  database "shop" does not exist (asyncpg)', "deploy.database_not_found"),
        ("pymysql.err.OperationalError: (1049, \"Unknown database 'shop'\")", "deploy.database_not_found"),
        ("Error: The server does not support SSL connections", "deploy.service_tls"),
        ('FATAL:  no pg_hba.conf entry for host "172.17.0.1", user "app", database "app", no encryption', "deploy.service_tls"),
        ('error: relation "orders" does not exist', "deploy.migration_pending"),
        ("The table `public.User` does not exist in the current database.", "deploy.migration_pending"),
        ("You have 18 unapplied migration(s). Your project may not work properly", "deploy.migration_pending"),
        ('InvalidSchemaName: schema "billing" does not exist', "deploy.schema_not_found"),
        ("kafka.errors.NoBrokersAvailable: NoBrokersAvailable", "deploy.service_unreachable"),
        ("MongooseServerSelectionError: connect ECONNREFUSED 127.0.0.1:27017", "deploy.service_unreachable"),
        ("UnsupportedClassVersionError: Main has been compiled by a more recent version of the Java Runtime", "deploy.runtime_version"),
        ("You must install or update .NET to run this application.", "deploy.runtime_version"),
        ("Error: The module '/app/node_modules/bcrypt/x.node' was compiled against a different Node.js version", "deploy.native_module"),
        ("/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by ./server)", "deploy.library_not_found"),
        ("x509: certificate has expired or is not yet valid: current time 2020-01-01 is before 2024-05-01: certificate is not yet valid", "deploy.clock_skew"),
        ("Error: ENOSPC: System limit for number of file watchers reached, watch '/app'", "deploy.watch_limit"),
        ('Error loading ASGI app. Attribute "app" not found in module "main".', "deploy.application_not_found"),
        ("Failed to find attribute 'app' in 'main'.", "deploy.application_not_found"),
        ("[CRITICAL] WORKER TIMEOUT (pid:8)", "deploy.worker_timeout"),
        ("[FATAL tini (7)] exec /app/run failed: No such file or directory", "deploy.command_not_found"),
        ("[FATAL tini (7)] exec tsx failed: No such file or directory", "deploy.development_command"),
        ("[FATAL tini (7)] exec /app/start.sh failed: Permission denied", "deploy.not_executable"),
        ("[FATAL tini (7)] exec ./server failed: Exec format error", "deploy.wrong_architecture"),
        ("unable to find user shop: no matching entries in passwd file", "deploy.user_not_found"),
        ("pydantic_core._pydantic_core.ValidationError: 2 validation errors for Settings\nstripe_key\n  Field required [type=missing]\nshop_name\n  Field required [type=missing]\n", "deploy.variable_not_found"),
        ("sqlalchemy.exc.ArgumentError: Could not parse SQLAlchemy URL from given URL string", "deploy.variable_invalid"),
        ("System.IO.FileNotFoundException: Could not load file or assembly 'Shop.Core, Version=1.0.0.0'", "deploy.module_not_found"),
        ("Unhandled exception. System.InvalidOperationException: no prices\n   at Program.Main() in /src/Program.cs:line 7", "deploy.unhandled_exception"),
        ("? Would you like to share anonymous usage data with the Angular Team? (y/N)", "deploy.terminal_prompt"),
    ],
)  # fmt: skip
def test_a_documented_message_has_its_class(log: str, code: str) -> None:
    exit_code = 126 if "Permission" in log else 127 if "tini" in log else 1
    assert explained(log, exit_code, environment=frozenset({"DATABASE_URL"})).code == code


def test_a_start_script_behind_an_init_process_has_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "entrypoint.sh").write_bytes(b"#!/bin/sh\r\nexec true\r\n")
    log = "[FATAL tini (7)] exec /app/entrypoint.sh failed: No such file or directory"
    fault = explained(log, 127, root=tmp_path)
    assert fault.code == "deploy.line_endings"
    assert "entrypoint.sh" in fault.next_actions[0].why


def test_missing_variables_are_all_named_and_an_environment_file_that_has_them_is_offered_first(tmp_path: Path) -> None:
    fault = fault_of("variables", tmp_path)
    assert "STRIPE_API_KEY" in fault.message
    assert "SHOP_NAME" in fault.message
    assert fault.next_actions[0].arguments["env"].keys() == {"STRIPE_API_KEY", "SHOP_NAME"}  # type: ignore[union-attr]
    (tmp_path / ".env").write_text("STRIPE_API_KEY=planted\nSHOP_NAME=shop\n")
    again = fault_of("variables", tmp_path)
    assert again.next_actions[0].arguments == {"env_file": ".env"}
    assert "planted" not in again.model_dump_json()


@pytest.mark.parametrize(("name", "kind"), [("postgres-refused", "postgres"), ("redis-refused", "redis")])
def test_a_service_that_can_be_started_is_started_by_the_first_next_action(
    name: str, kind: str, tmp_path: Path
) -> None:
    fault = fault_of(name, tmp_path, services={kind: "STORE_URL"})
    assert kind in fault.message
    assert (fault.next_actions[0].tool, fault.next_actions[0].arguments) == ("full-deployment", {"services": True})
    assert fault.next_actions[1].arguments["env"].keys() == {"STORE_URL"}  # type: ignore[union-attr]


def test_another_service_is_named_with_the_variable_of_its_address(tmp_path: Path) -> None:
    assert "rabbitmq" in fault_of("node-amqp", tmp_path).message
    assert "mysql" in fault_of("java-refused", tmp_path, services={"mysql": "DB_URL"}).message


def test_repeated_lines_are_folded() -> None:
    log = "\n".join([*(f"12:00:{second:02} retrying the connection ({second})" for second in range(40)), "giving up"])
    assert fold(log).splitlines() == [
        "12:00:00 retrying the connection (0)",
        "… the line above 39 more times",
        "giving up",
    ]
