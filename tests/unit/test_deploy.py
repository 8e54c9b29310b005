"""What deploy/ and docs/ say of this buildpack is what it is."""

from __future__ import annotations

from pathlib import Path

import lifecycle
import package
from cnb.toml import read_toml

DEPLOY = package.ROOT / "deploy"


def test_builder_names_this_release() -> None:
    """The builder's order, package and lifecycle are those of this source."""
    table = read_toml(DEPLOY / "builder/builder.toml")
    buildpack = read_toml(package.ROOT / "buildpack.toml")["buildpack"]
    ((entry,),) = (one["group"] for one in table["order"])
    assert entry == {"id": buildpack["id"], "version": buildpack["version"]}
    (uri,) = (one["uri"] for one in table["buildpacks"])
    assert Path(uri).name == f"python-buildpack-{package.version()}-linux-amd64"
    assert table["lifecycle"]["version"] == lifecycle.lifecycle_version()
    assert read_toml(package.ROOT / "pyproject.toml")["project"]["version"] == package.version()
