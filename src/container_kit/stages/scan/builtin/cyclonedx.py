"""Software bills of materials in CycloneDX: creating one from the built-in inventory, and reading those of others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field, ValidationError

from container_kit.stages.artifacts.scan import Sbom
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.dependencies.packages import Package, System
from container_kit.stages.scan.builtin.image_inventory import Inventory

_SPEC_VERSION = "1.6"


class _Document(BaseModel):
    format: str = Field(alias="bomFormat", pattern="^CycloneDX$")
    version: str = Field(alias="specVersion")
    components: list[Any] = []


def read_document(target: str, made_by: str, content: bytes) -> Sbom | None:
    """Read a document of another program; None if it is not CycloneDX in JSON."""
    try:
        document = _Document.model_validate_json(content)
    except ValidationError:
        return None
    return Sbom(
        target=target,
        spec_version=document.version,
        made_by=made_by,
        components=len(document.components),
        document=content.decode(),
    )


def of_inventory(target: str, image_id: str, inventory: Inventory) -> Sbom:
    """Create a document from the built-in inventory (CycloneDX 1.6, JSON).

    Args:
        target: The image's reference, or the folder.
        image_id: The image's id; empty for a folder, or an image that is not built yet.
        inventory: The packages.
    """
    components = [_component(package, inventory.system) for package in inventory.packages]
    once = list({component["bom-ref"]: component for component in components}.values())
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": _SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "tools": {"components": [{"type": "application", "name": "container-kit"}]},
            "component": _subject(target, image_id),
        },
        "components": once,
    }
    return Sbom(
        target=target,
        spec_version=_SPEC_VERSION,
        made_by="builtin",
        components=len(once),
        unread=inventory.unread,
        document=json.dumps(document),
    )


def _subject(target: str, image_id: str) -> dict[str, str]:
    if image_id:
        return {"type": "container", "bom-ref": image_id, "name": target, "version": image_id}
    return {"type": "application", "bom-ref": "source", "name": target}


def _component(package: Package, system: System | None) -> dict[str, Any]:
    purl = package_url(package, system)
    known = {"container-kit:path": package.where or package.path, "container-kit:layer": package.layer}
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "properties": [{"name": name, "value": value} for name, value in known.items() if value],
    }


def package_url(package: Package, system: System | None) -> str:
    """Return the package URL (purl specification 1.0)."""
    from packageurl import PackageURL

    namespace: str | None = None
    name = package.name
    registry = catalog().package_registries.get(package.ecosystem)
    separator = registry.name_separator if registry else ""
    if package.ecosystem in {"deb", "apk"}:
        namespace = system.id if system else None
    elif separator and separator in name:
        namespace, _, name = name.rpartition(separator)
    distribution = f"{system.id}-{system.version}" if system and package.ecosystem in {"deb", "apk"} else None
    qualifiers = {"arch": package.architecture, "distro": distribution}
    return PackageURL(
        type=package.ecosystem,
        namespace=namespace,
        name=name,
        version=package.version,
        qualifiers={key: value for key, value in qualifiers.items() if value},
    ).to_string()
