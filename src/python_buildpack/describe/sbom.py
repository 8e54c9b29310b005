"""Writes the SBOM files of a layer, when the layer is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnb.sbom import write_sbom
from python_buildpack.describe.components import Bill, Component, direct_names
from python_buildpack.describe.cyclonedx import cyclonedx
from python_buildpack.describe.spdx import spdx


def write_layer_sbom(
    layers_dir: Path,
    layer: str,
    key: Mapping[str, Any],
    buildpack_version: str,
    components: Sequence[Component],
    asked: Sequence[str] = (),
) -> None:
    """Both formats. `key` is the layer's, `asked` the app's own requirement lines."""
    direct = direct_names(components, asked)
    identity = json.dumps([key, [repr(one) for one in components]], sort_keys=True)
    bill = Bill(
        layer=layer,
        digest=hashlib.sha256(identity.encode()).hexdigest(),
        buildpack=buildpack_version,
        components=tuple(components),
        direct=direct,
    )
    write_sbom(layers_dir, layer, "cdx.json", cyclonedx(bill))
    write_sbom(layers_dir, layer, "spdx.json", spdx(bill))
