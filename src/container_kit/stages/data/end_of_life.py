"""The end of security fixes for languages and distributions, and for base images."""

from __future__ import annotations

from datetime import date

from container_kit.stages.contract import expressions as re

LAST_FIXES: dict[str, dict[str, str]] = {
    "python": {
        "2.7": "2020-01-01",
        "3.5": "2020-09-30",
        "3.6": "2021-12-23",
        "3.7": "2023-06-27",
        "3.8": "2024-10-07",
        "3.9": "2025-10-31",
        "3.10": "2026-10-31",
        "3.11": "2027-10-31",
        "3.12": "2028-10-31",
    },
    "node": {
        "4": "2018-04-30",
        "6": "2019-04-30",
        "7": "2017-06-30",
        "8": "2019-12-31",
        "9": "2018-06-30",
        "10": "2021-04-30",
        "11": "2019-06-01",
        "12": "2022-04-30",
        "13": "2020-06-01",
        "14": "2023-04-30",
        "15": "2021-06-01",
        "16": "2023-09-11",
        "17": "2022-06-01",
        "18": "2025-04-30",
        "19": "2023-06-01",
        "20": "2026-04-30",
        "21": "2024-06-01",
        "22": "2027-04-30",
        "23": "2025-06-01",
        "25": "2026-06-01",
    },
    "go": {
        "1.18": "2023-02-01",
        "1.19": "2023-08-08",
        "1.20": "2024-02-06",
        "1.21": "2024-08-13",
        "1.22": "2025-02-11",
        "1.23": "2025-08-12",
        "1.24": "2026-02-10",
    },
    "php": {
        "5.6": "2018-12-31",
        "7.0": "2019-01-10",
        "7.1": "2019-12-01",
        "7.2": "2020-11-30",
        "7.3": "2021-12-06",
        "7.4": "2022-11-28",
        "8.0": "2023-11-26",
        "8.1": "2025-12-31",
        "8.2": "2026-12-31",
    },
    "ruby": {
        "2.5": "2021-04-05",
        "2.6": "2022-04-12",
        "2.7": "2023-03-31",
        "3.0": "2024-04-23",
        "3.1": "2025-03-26",
        "3.2": "2026-03-31",
    },
    "dotnet": {
        "3.1": "2022-12-13",
        "5.0": "2022-05-10",
        "6.0": "2024-11-12",
        "7.0": "2024-05-14",
        "8.0": "2026-11-10",
        "9.0": "2026-11-10",
    },
    "java": {
        "9": "2018-03-20",
        "10": "2018-09-25",
        "12": "2019-09-17",
        "13": "2020-03-17",
        "14": "2020-09-16",
        "15": "2021-03-16",
        "16": "2021-09-14",
        "18": "2022-09-20",
        "19": "2023-03-21",
        "20": "2023-09-19",
        "22": "2024-09-17",
        "23": "2025-03-18",
        "24": "2025-09-16",
    },
    "debian": {
        "stretch": "2022-07-01",
        "9": "2022-07-01",
        "buster": "2024-06-30",
        "10": "2024-06-30",
        "bullseye": "2026-08-31",
        "11": "2026-08-31",
        "bookworm": "2028-06-30",
        "12": "2028-06-30",
    },
    "ubuntu": {
        "16.04": "2021-04-30",
        "xenial": "2021-04-30",
        "18.04": "2023-05-31",
        "bionic": "2023-05-31",
        "20.04": "2025-05-31",
        "focal": "2025-05-31",
        "22.04": "2027-06-01",
        "jammy": "2027-06-01",
    },
    "alpine": {
        "3.15": "2023-11-01",
        "3.16": "2024-05-23",
        "3.17": "2024-11-22",
        "3.18": "2025-05-09",
        "3.19": "2025-11-01",
        "3.20": "2026-04-01",
        "3.21": "2026-11-01",
        "3.22": "2027-05-01",
    },
}
"""The last day of security fixes by series, as the projects publish it; for Debian, of long-term support."""

_IMAGES = (
    ("python", r"(?:^|/)python:(\d+\.\d+)"),
    ("node", r"(?:^|/)node:(\d+)"),
    ("go", r"(?:^|/)golang:(\d+\.\d+)"),
    ("php", r"(?:^|/)(?:php:|frankenphp:\S*php)(\d+\.\d+)"),
    ("ruby", r"(?:^|/)ruby:(\d+\.\d+)"),
    ("dotnet", r"/dotnet/[\w/-]+:(\d+\.\d+)"),
    ("java", r"(?:^|/)(?:eclipse-temurin|openjdk|amazoncorretto):(\d+)"),
    ("java", r"(?:^|/)(?:maven|gradle|clojure):\S*?(?:temurin-|jdk)(\d+)"),
    ("alpine", r"(?:^|/)alpine:(\d+\.\d+)"),
    ("alpine", r"-alpine(\d+\.\d+)"),
    ("ubuntu", r"(?:^|/)ubuntu:([\w.]+)"),
    ("debian", r"(?:^|/)debian:(\d+|[a-z]+)"),
    ("debian", r"-(stretch|buster|bullseye|bookworm)\b"),
    ("ubuntu", r"-(xenial|bionic|focal|jammy)\b"),
)


def ended(family: str, series: str, today: date | None = None) -> str | None:
    """Return the last day of security fixes (ISO 8601) if it has passed.

    Args:
        family: A key of `LAST_FIXES`.
        series: For example `3.8`, as in the table.
        today: Defaults to the current date.
    """
    last = LAST_FIXES.get(family, {}).get(series)
    return last if last and date.fromisoformat(last) < (today or date.today()) else None  # noqa: DTZ011 - a day, not a moment


def of_image(reference: str, today: date | None = None) -> str | None:
    """Describe the part of a base image without security fixes: `python 3.8 has had no security fixes since …`."""
    for family, pattern in _IMAGES:
        found = re.search(pattern, reference)
        last = ended(family, found[1], today) if found else None
        if found and last:
            return f"{family} {found[1]} has had no security fixes since {last}"
    return None
