"""The progress lines and the table of the street in pytest, with and without xdist."""

from __future__ import annotations

import pytest

_LINE = "street"


class StreetReport:
    """A plugin that prints a line for each application and all lines again at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print the line that a test recorded."""
        lines = [str(value) for name, value in report.user_properties if name == _LINE]
        if report.when != "call" or not lines:
            return
        self._lines += lines
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.write_line(f"\n{lines[0]}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        if self._lines:
            terminalreporter.section("street")
            for line in sorted(self._lines):
                terminalreporter.write_line(line)
