"""Shorten an analysis to fit into a model's context, with a notice of the omissions."""

from __future__ import annotations

from typing import Any

from container_kit.stages.artifacts.analysis import Analysis, Finding, Module

ONE_MODULE = 6 * 1024
TWENTY_MODULES = 16 * 1024
AT_MOST = 24 * 1024


def bounded(analysis: Analysis, *, left_out: int = 0, cut_short: bool = False) -> Analysis:
    """Shorten an analysis until its JSON fits: details first, then modules from the end.

    6 KiB for one module, 16 KiB up to twenty, 24 KiB for more.
    """
    modules = len(analysis.modules)
    limit = ONE_MODULE if modules <= 1 else TWENTY_MODULES if modules <= 20 else AT_MOST
    notes = [f"{left_out} more folders with manifests were not described"] if left_out else []
    if cut_short:
        notes.append("the walk ended at its bound, the rest of the tree was not seen")
    full = analysis
    for step in _STEPS:
        if _size(analysis) + 300 <= limit:
            break
        analysis = step(analysis)
    while _size(analysis) + 300 > limit and len(analysis.modules) > 1:
        analysis = analysis.model_copy(update={"modules": analysis.modules[:-1]})
    if len(analysis.modules) < modules:
        hidden = [module.path for module in full.modules[len(analysis.modules) :]]
        notes.append(f"{len(hidden)} modules are not shown ({', '.join(hidden[:3])}, …)")
    elif analysis is not full:
        notes.append("details (variables, places, alternatives, risks) were shortened")
    if not notes:
        return analysis
    folder = _drill_down(full, analysis, left_out)
    return analysis.model_copy(
        update={"truncated": f"{'; '.join(notes)}. Ask again with module={folder!r} to see one in full."[:290]}
    )


def _drill_down(full: Analysis, shown: Analysis, left_out: int) -> str:
    hidden = full.modules[len(shown.modules) :]
    return hidden[0].path if hidden else full.modules[0].path if full.modules and not left_out else "<folder>"


def _size(analysis: Analysis) -> int:
    return len(analysis.model_dump_json().encode())


def _modules(analysis: Analysis, change: Any) -> Analysis:
    return analysis.model_copy(update={"modules": tuple(change(module) for module in analysis.modules)})


def _fewer_variables(analysis: Analysis) -> Analysis:
    def change(module: Module) -> Module:
        kept = sorted(module.variables, key=lambda v: not v.required)[:12]
        return module.model_copy(
            update={"variables": tuple(v.model_copy(update={"locations": v.locations[:1]}) for v in kept)}
        )

    return _modules(analysis, change)


def _fewer_places(analysis: Analysis) -> Analysis:
    def change(module: Module) -> Module:
        findings = {name: value for name in Module.model_fields if isinstance(value := getattr(module, name), Finding)}
        short = {
            name: f.model_copy(update={"locations": f.locations[:1], "alternatives": f.alternatives[:1]})
            for name, f in findings.items()
        }
        return module.model_copy(update=short)

    return _modules(analysis, change)


def _fewer_files(analysis: Analysis) -> Analysis:
    files = tuple(f.model_copy(update={"problems": f.problems[:1]}) for f in analysis.files[:10])
    return analysis.model_copy(
        update={
            "files": files,
            "risks": analysis.risks[:8],
            "unread": analysis.unread[:5],
            "libraries": analysis.libraries[:10],
        }
    )


def _bare_modules(analysis: Analysis) -> Analysis:
    def change(module: Module) -> Module:
        findings = {name: value for name in Module.model_fields if isinstance(value := getattr(module, name), Finding)}
        short: dict[str, Any] = {name: f.model_copy(update={"alternatives": ()}) for name, f in findings.items()}
        minor = ("health_endpoint", "output_directory", "build_command", "entrypoint", "start_program")
        short |= {name: short[name].model_copy(update={"locations": ()}) for name in minor}
        names = tuple(v.model_copy(update={"locations": (), "default": None}) for v in module.variables if v.required)
        return module.model_copy(
            update={
                **short,
                "variables": names[:4],
                "services": module.services[:4],
                "system_packages": module.system_packages[:3],
                "manifests": module.manifests[:2],
            }
        )

    return _modules(analysis, change)


def _essential_modules(analysis: Analysis) -> Analysis:
    """Shorten modules to the facts for a deployment: role, language, framework, tools, start command and port."""
    minor = ("entrypoint", "start_program", "output_directory", "build_command", "health_endpoint")

    def change(module: Module) -> Module:
        short: dict[str, Any] = dict.fromkeys(minor, Finding())
        for name in ("language", "language_version", "role"):
            short[name] = getattr(module, name).model_copy(update={"locations": ()})
        return module.model_copy(update={**short, "variables": (), "system_packages": (), "manifests": ()})

    short = _modules(analysis, change)
    return short.model_copy(update={"files": analysis.files[:5], "risks": analysis.risks[:4]})


_STEPS = (_fewer_variables, _fewer_places, _fewer_files, _bare_modules, _essential_modules)
