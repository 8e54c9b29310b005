"""CycloneDX 1.6 in JSON (ECMA-424). Pure."""

from __future__ import annotations

import uuid
from typing import Any

from python_buildpack.describe.components import Bill, Component
from python_buildpack.describe.licences import Licence

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/pycnb/python-buildpack")


def cyclonedx(bill: Bill) -> dict[str, Any]:
    """The document: no time, and a serial number that follows from what it holds."""
    root = f"layer:{bill.layer}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, bill.digest)}",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [
                    {"type": "application", "name": "pycnb/python", "version": bill.buildpack}
                ]
            },
            "component": {
                "type": "container",
                "bom-ref": root,
                "name": f"pycnb/python:{bill.layer}",
            },
        },
        "components": [_component(one) for one in bill.components],
        "dependencies": [
            {"ref": root, "dependsOn": [_ref(bill, name) for name in bill.direct]},
            *(
                {"ref": one.purl, "dependsOn": [_ref(bill, name) for name in one.requires]}
                for one in bill.components
            ),
        ],
    }


def _ref(bill: Bill, name: str) -> str:
    return next(one.purl for one in bill.components if one.name == name)


def _component(one: Component) -> dict[str, Any]:
    table: dict[str, Any] = {
        "type": "platform" if one.is_runtime else "library",
        "bom-ref": one.purl,
        "name": one.name,
        "version": one.version,
    }
    if one.sha256:
        table["hashes"] = [{"alg": "SHA-256", "content": one.sha256}]
    if licences := _licences(one.licence):
        table["licenses"] = licences
    if one.cpe:
        table["cpe"] = one.cpe
    table["purl"] = one.purl
    if one.file:
        table["properties"] = [{"name": "pycnb:python:file", "value": one.file}]
    return table


def _licences(licence: Licence) -> list[dict[str, Any]]:
    if licence.expression:
        return [{"expression": licence.expression, "acknowledgement": "declared"}]
    if licence.name:
        return [{"license": {"name": licence.name, "acknowledgement": "declared"}}]
    return []
