"""The licence that a distribution's metadata declares, as an SPDX expression where that is sure. Pure.

Sources: PEP 639 for `License-Expression` and for which classifiers are ambiguous; the older fields
are mapped only where they leave no choice of version or clauses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression


@dataclass(frozen=True, kw_only=True)
class Licence:
    """`expression` is one of SPDX, else empty; `name` is what the metadata says instead, if at all."""

    expression: str = ""
    name: str = ""


_CLASSIFIERS = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 1.0 (MPL)": "MPL-1.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "The Unlicense (Unlicense)": "Unlicense",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "Eclipse Public License 1.0 (EPL-1.0)": "EPL-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "European Union Public Licence 1.1 (EUPL 1.1)": "EUPL-1.1",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "CeCILL-B Free Software License Agreement (CECILL-B)": "CECILL-B",
    "CEA CNRS Inria Logiciel Libre License, version 2.1 (CeCILL-2.1)": "CECILL-2.1",
    "Blue Oak Model License (BlueOak-1.0.0)": "BlueOak-1.0.0",
    "SIL Open Font License 1.1 (OFL-1.1)": "OFL-1.1",
    "Mulan Permissive Software License v2 (MulanPSL-2.0)": "MulanPSL-2.0",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "Open Software License 3.0 (OSL-3.0)": "OSL-3.0",
    "PostgreSQL License": "PostgreSQL",
    "zlib/libpng License": "Zlib",
}
# What people write into the free field `License`, in lower case, less "the" and "license".
_FREE_TEXTS = {
    **dict.fromkeys(("mit", "expat"), "MIT"),
    **dict.fromkeys(
        ("apache 2.0", "apache-2", "apache 2", "apache software 2.0", "apache, version 2.0"),
        "Apache-2.0",
    ),
    **dict.fromkeys(
        ("bsd 3-clause", "3-clause bsd", "bsd-3", "new bsd", "modified bsd", "bsd 3 clause"),
        "BSD-3-Clause",
    ),
    **dict.fromkeys(("bsd 2-clause", "2-clause bsd", "bsd-2", "simplified bsd"), "BSD-2-Clause"),
    **dict.fromkeys(("mpl 2.0", "mpl2", "mozilla public 2.0"), "MPL-2.0"),
    **dict.fromkeys(("psf", "psfl", "python software foundation"), "PSF-2.0"),
    **dict.fromkeys(("zpl 2.1", "zope public 2.1"), "ZPL-2.1"),
    **dict.fromkeys(("gplv2+", "gnu gplv2+"), "GPL-2.0-or-later"),
    **dict.fromkeys(("gplv3+", "gnu gplv3+"), "GPL-3.0-or-later"),
    "lgplv3+": "LGPL-3.0-or-later",
    "isc": "ISC",
    "unlicense": "Unlicense",
}
_LONGEST_NAME = 100


def declared_licence(fields: Mapping[str, Sequence[str]]) -> Licence:
    """`fields` are those of METADATA by lower-case name."""
    stated = _first(fields, "license-expression")
    free = _first(fields, "license")
    if free.upper() == "UNKNOWN" or len(free) > _LONGEST_NAME:
        free = ""
    tails = [
        text.rpartition(" :: ")[2]
        for text in fields.get("classifier", ())
        if text.startswith("License :: ") and text != "License :: OSI Approved"
    ]
    mapped = _CLASSIFIERS.get(tails[0], "") if len(tails) == 1 else ""
    expression = _valid(stated) or _from_free_text(free) or mapped
    if expression:
        return Licence(expression=expression)
    return Licence(name=stated or free or "; ".join(tails))


def _first(fields: Mapping[str, Sequence[str]], name: str) -> str:
    return next((text.strip() for text in fields.get(name, ())), "")


def _valid(text: str) -> str:
    """`text` as SPDX spells it; empty where it is no expression."""
    try:
        return str(canonicalize_license_expression(text)) if text else ""
    except InvalidLicenseExpression:
        return ""


def _from_free_text(text: str) -> str:
    plain = re.sub(r"\b(the|licen[cs]e|software licen[cs]e)\b", " ", text.lower())
    return _valid(text) or _FREE_TEXTS.get(" ".join(plain.split()).replace(" ,", ","), "")
