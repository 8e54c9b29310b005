"""What deploy/ and docs/ say of this buildpack is what it is."""

from __future__ import annotations

import re
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


def test_kpack_images_can_be_made() -> None:
    """The README makes and pushes each image that cluster.yaml names before it is applied, and the
    stack is the one that the Dockerfile's images belong to."""
    cluster = (DEPLOY / "kpack/cluster.yaml").read_text(encoding="utf-8")
    readme = (DEPLOY / "kpack/README.md").read_text(encoding="utf-8").partition("## 3. ")[0]
    images = re.findall(r"image: (\S+)", cluster)
    assert len(images) == 4
    for image in images:
        pushed = (f"docker push {image}\n", f"pack buildpack package {image} --publish")
        assert any(words in readme for words in pushed), image
    (stack,) = re.findall(r"^  id: (\S+)$", cluster, re.M)
    dockerfile = (DEPLOY / "builder/Dockerfile").read_text(encoding="utf-8")
    assert f"LABEL io.buildpacks.stack.id={stack}\n" in dockerfile
    for target in ("build", "run"):
        command = f"docker build --target {target} --tag registry.example.com/stack/{target}:1 "
        assert command in readme
        assert f" AS {target}\n" in dockerfile
