"""The packaged buildpack in every form that pack takes, given to a builder that lacks it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator

import pytest
from tests.pack.conftest import EXAMPLES, Pack
from tests.pack.test_pack import container, get, inspect

import builder
import buildpackage
import package
import registry
import runtime_archive

HERE = runtime_archive.this_arch()
OTHER = {"id": "other", "version": "1.0.0"}


@pytest.fixture(scope="module")
def without(platform: Pack) -> Iterator[Pack]:
    """The same platform with a builder that holds another buildpack only."""
    folder = platform.work / "other"
    (folder / "bin").mkdir(parents=True)
    (folder / "buildpack.toml").write_text(
        'api = "0.10"\n[buildpack]\nid = "other"\nname = "Other"\nversion = "1.0.0"\n'
        '[[targets]]\nos = "linux"\n'
    )
    for name in ("detect", "build"):
        (folder / "bin" / name).write_text("#!/bin/sh\nexit 100\n")
        (folder / "bin" / name).chmod(0o755)
    table = {"buildpacks": [{"uri": str(folder)}], "order": [{"group": [OTHER]}]}
    with builder.created_builder(
        platform.docker, platform.pack, table, platform.work, print
    ) as name:
        yield dataclasses.replace(platform, builder=name)


@pytest.fixture(scope="module")
def images_host(platform: Pack) -> Iterator[str]:
    """A registry on the loopback address."""
    with registry.registry(platform.work / "registry", print) as address:
        yield address


def test_a_file_a_directory_and_an_image(without: Pack, images_host: str, image: str) -> None:
    """All three give the very same image, whose container answers."""
    file = buildpackage.pack_file(without.pack, without.buildpack, HERE)
    reference = f"{images_host}/pycnb/python:{package.version()}"
    buildpackage.publish(without.pack, {HERE: without.buildpack}, reference)
    # With a buildpack that is not the builder's, pack runs each phase in an image of the lifecycle.
    lifecycle = ["--lifecycle-image", builder.lifecycle_image(without.docker, print)]
    images = set()
    without.docker.run("pull", reference)
    for form in (str(file), str(without.buildpack), reference):
        options = ["--buildpack", form, *lifecycle]
        log = without.build(image, EXAMPLES / "flask", options=options)
        assert "Python buildpack done" in log, form
        images.add(inspect(without, image)["Id"])
        without.docker.run("tag", image, f"{image}-first")
        without.docker.run("image", "rm", image)
    assert len(images) == 1
    with container(without, f"{image}-first") as (identity, url):
        assert get(without, identity, f"{url}/") == "Hello from Flask\n"
    without.docker.run("image", "rm", "--force", f"{image}-first", reference, check=False)


def test_file_is_reproducible(platform: Pack) -> None:
    """Two .cnb files of one package are the same bytes."""
    first = buildpackage.pack_file(platform.pack, platform.buildpack, HERE)
    data = first.read_bytes()
    assert buildpackage.pack_file(platform.pack, platform.buildpack, HERE).read_bytes() == data


def test_one_image_for_both_architectures(platform: Pack, images_host: str) -> None:
    """An index with an image of each architecture, each with its own package's layer; the packages
    are left as they were."""
    made = {}
    for arch in sorted(package.MACHINES):
        made[arch] = platform.work / f"both-{arch}"
        (made[arch] / "bin").mkdir(parents=True)
        shutil.copy(platform.buildpack / "buildpack.toml", made[arch])
        for name in ("detect", "build"):
            shutil.copy(platform.buildpack / "bin" / name, made[arch] / "bin")
        (made[arch] / "architecture").write_text(arch)
    name = "pycnb/both"
    buildpackage.publish(platform.pack, made, f"{images_host}/{name}:{package.version()}")
    index = registry.read(images_host, name, package.version())
    seen = {}
    for entry in index["manifests"]:
        manifest = registry.read(images_host, name, entry["digest"])
        config = registry.read_config(images_host, name, entry["digest"])
        assert config["architecture"] == entry["platform"]["architecture"]
        metadata = json.loads(config["config"]["Labels"]["io.buildpacks.buildpackage.metadata"])
        assert (metadata["id"], metadata["version"]) == ("pycnb/python", package.version())
        seen[config["architecture"]] = manifest["layers"][-1]["digest"]
    assert sorted(seen) == ["amd64", "arm64"]
    assert len(set(seen.values())) == 2
    for folder in made.values():
        assert (folder / "buildpack.toml").read_bytes() == (
            platform.buildpack / "buildpack.toml"
        ).read_bytes()
