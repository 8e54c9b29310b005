"""SPDX 2.3 in JSON. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from python_buildpack.describe.components import Bill, Component
from python_buildpack.describe.licences import Licence

_NAMESPACE = "https://github.com/pycnb/python-buildpack/spdx"
# The document must have a time; this is the one that the lifecycle gives to files.
_CREATED = "1980-01-01T00:00:01Z"
_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")


def spdx(bill: Bill) -> dict[str, Any]:
    """The document, a function of the bill alone."""
    root = f"SPDXRef-layer-{bill.layer}"
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"pycnb/python:{bill.layer}",
        "documentNamespace": f"{_NAMESPACE}/{bill.layer}-{bill.digest}",
        "creationInfo": {
            "created": _CREATED,
            "creators": [f"Tool: pycnb-python-{bill.buildpack}"],
        },
        "packages": [
            {
                "SPDXID": root,
                "name": f"pycnb/python:{bill.layer}",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": False,
                "primaryPackagePurpose": "CONTAINER",
            },
            *(_package(one) for one in bill.components),
        ],
        "relationships": [
            _relationship("SPDXRef-DOCUMENT", "DESCRIBES", root),
            *(_relationship(root, "CONTAINS", _id(one.name)) for one in bill.components),
            *(_relationship(root, "DEPENDS_ON", _id(name)) for name in bill.direct),
            *(
                _relationship(_id(one.name), "DEPENDS_ON", _id(name))
                for one in bill.components
                for name in one.requires
            ),
        ],
        "hasExtractedLicensingInfos": [
            {"licenseId": reference, "name": name, "extractedText": name}
            for reference, name in sorted(set(_extracted(bill)))
        ],
    }


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _id(name: str) -> str:
    return f"SPDXRef-package-{re.sub(r'[^A-Za-z0-9.-]', '-', name)}"


def _package(one: Component) -> dict[str, Any]:
    references = [("PACKAGE-MANAGER", "purl", one.purl)]
    if one.cpe:
        references.append(("SECURITY", "cpe23Type", one.cpe))
    table: dict[str, Any] = {
        "SPDXID": _id(one.name),
        "name": one.name,
        "versionInfo": one.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": _licence(one.licence),
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "APPLICATION" if one.is_runtime else "LIBRARY",
        "externalRefs": [
            {"referenceCategory": category, "referenceType": kind, "referenceLocator": locator}
            for category, kind, locator in references
        ],
    }
    if one.file:
        table["packageFileName"] = one.file
    if one.sha256:
        table["checksums"] = [{"algorithm": "SHA256", "checksumValue": one.sha256}]
    return table


def _licence(licence: Licence) -> str:
    if licence.expression:
        return licence.expression
    return _reference(licence.name) if licence.name else "NOASSERTION"


def _reference(name: str) -> str:
    """An id of the document's own, for a licence that SPDX does not list."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")[:40]
    return f"LicenseRef-{words}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _extracted(bill: Bill) -> Iterator[tuple[str, str]]:
    for one in bill.components:
        if one.licence.name:
            yield _reference(one.licence.name), one.licence.name
        for reference in _REFERENCE.findall(one.licence.expression):
            yield reference, reference
