"""A build's directories, which several builds use one after the other, and the platform beside them."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.managers.conftest import plain_environment
from tests.managers.simple_index import SimpleIndex

from local_platform import APP_IMAGE, Workspace, create
from oci_layout import image_path, read_image


def tree_digest(root: Path) -> dict[str, str]:
    """What the lifecycle would export of a layers directory: name -> mode and bytes."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith("pip-cache/"):
            continue  # no part of the image, and uv names things in it at random
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[name] = f"{path.stat().st_mode:o} {digest}"
        else:
            found[name] = "directory"
    return found


@dataclass
class Stand:
    """One app, one platform, and what an undisturbed build makes of it."""

    space: Workspace
    buildpack: Path
    index: SimpleIndex
    app: Path
    previous: Path
    settings: Mapping[str, str]
    steps: list[str] = field(default_factory=list)
    tree: dict[str, str] = field(default_factory=dict)
    image: str = ""
    restored: bytes = b""

    @property
    def temporary(self) -> Path:
        return self.space.root / "tmp"

    def environ(self, more: Mapping[str, str]) -> dict[str, str]:
        """That of a build step."""
        return {
            **plain_environment(self.space.root / "home"),
            "TMPDIR": str(self.temporary),
            "CNB_BUILDPACK_DIR": str(self.buildpack),
            "CNB_LAYERS_DIR": str(self.space.buildpack_layers),
            "CNB_PLATFORM_DIR": str(self.space.root / "platform"),
            "CNB_BP_PLAN_PATH": str(self.space.root / "plan.toml"),
            "CNB_TARGET_OS": "linux",
            **self.settings,
            **more,
        }

    def start_afresh(self) -> None:
        """No layers, no temporary files."""
        self.index.requests.clear()
        for folder in (self.space.buildpack_layers, self.temporary):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def without_packages(self) -> None:
        """The runtime's layer is there, that of the packages is not."""
        self.index.requests.clear()
        for path in self.space.buildpack_layers.iterdir():
            if not path.name.startswith("python"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def build(
        self, command: list[str] | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """One build in the directories as they are."""
        return subprocess.run(
            command or [str(self.buildpack / "bin" / "build")],
            cwd=self.space.app,
            env=self.environ(more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )

    def assert_mended(self) -> None:
        """A build in the very same directories makes what an undisturbed one makes."""
        done = self.build()
        assert done.returncode == 0, done.stdout
        assert tree_digest(self.space.buildpack_layers) == self.tree

    def assert_image(self) -> None:
        """So does one by the platform, with the previous image and its cache."""
        assert build_image(self) == self.image


def keep_previous(layout: Path, target: Path) -> None:
    """Copy the images of a layout, the app's with layers that are gzip files without compression.

    The lifecycle unpacks a previous image's layers three times: that would be most of a test's time.
    """
    shutil.copytree(layout, target)
    image = read_image(target, APP_IMAGE)
    manifest = json.loads(image.blob(image.digest).read_bytes())
    for layer in manifest["layers"]:
        stored = gzip.compress(
            gzip.decompress(image.blob(layer["digest"]).read_bytes()), 0, mtime=0
        )
        layer |= _write_blob(image.path, stored)
    entry = _write_blob(image.path, json.dumps(manifest).encode())
    place = image_path(target, APP_IMAGE) / "index.json"
    index = json.loads(place.read_bytes())
    index["manifests"][0] |= entry
    place.write_text(json.dumps(index))


def _write_blob(image: Path, content: bytes) -> dict[str, str | int]:
    digest = hashlib.sha256(content).hexdigest()
    (image / "blobs" / "sha256" / digest).write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def build_image(stand: Stand) -> str:
    """The digest of the image that the platform builds, with the previous image and its cache."""
    shutil.rmtree(stand.space.layout)
    shutil.copytree(stand.previous, stand.space.layout, copy_function=copy_linked)
    done = create(stand.space, stand.app, stand.settings)
    assert done.code == 0, done.log
    return read_image(stand.space.layout, APP_IMAGE).digest


def copy_linked(source: str, target: str) -> None:
    """A layer, which nobody changes, is linked only."""
    if Path(source).stat().st_size > 1_000_000:
        os.link(source, target)
    else:
        shutil.copy2(source, target)
