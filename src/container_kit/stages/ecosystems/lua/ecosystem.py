"""Lua: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "lua",
    detectors=(
        plain_detector(
            PlainLanguage(
                "lua",
                (".lua", ".moon"),
                ("main", "app", "init", "server"),
                "lua {file}",
                rank=76,
                frameworks=(
                    ("lapis", r"require\W{0,2}[\"']lapis[\"']", 8080, "lapis server"),
                    ("pegasus", r"require\W{0,2}[\"']pegasus[\"']", 9090, ""),
                    ("turbo", r"require\W{0,2}[\"']turbo[\"']", 8888, "luajit {file}"),
                ),
                manifests=(("*.rockspec", "luarocks"),),
            )
        ),
    ),
)
