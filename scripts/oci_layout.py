"""Images as OCI layouts: write an empty run image, read a built image, unpack it.

The lifecycle's `-layout` mode keeps `lab/app` in `<layout dir>/index.docker.io/lab/app/latest`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
_GZIP_MAGIC = b"\x1f\x8b"


class LayoutError(Exception):
    """Raised when a layout lacks the image that was asked for, or is not one."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image of a layout."""

    path: Path
    digest: str
    config: Mapping[str, Any]
    layers: tuple[str, ...]
    """The layers' blob digests, the lowest first."""

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The digests of the layers' unpacked tars, the lowest first."""
        return tuple(self.config["rootfs"]["diff_ids"])

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""
        return dict(self.config.get("config", {}).get("Labels") or {})

    @property
    def env(self) -> dict[str, str]:
        """The environment that a container of this image starts with."""
        lines = self.config.get("config", {}).get("Env") or []
        return dict(line.split("=", 1) for line in lines)

    def blob(self, digest: str) -> Path:
        """The file that holds a blob."""
        algorithm, _, value = digest.partition(":")
        return self.path / "blobs" / algorithm / value


def image_path(layout_dir: Path, ref: str) -> Path:
    """Where the lifecycle keeps an image of the default registry (`name` or `name:tag`)."""
    name, _, tag = ref.partition(":")
    return layout_dir / "index.docker.io" / name / (tag or "latest")


def machine_arch() -> str:
    """This machine's architecture, as images name it."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def write_run_image(
    layout_dir: Path,
    ref: str,
    *,
    arch: str = "",
    distro: tuple[str, str] = ("debian", "12"),
    stack_id: str = "io.buildpacks.stacks.base",
) -> Path:
    """Write a run image that holds nothing but a marker file; for processes run on this machine."""
    config = {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Labels": {
            "io.buildpacks.stack.id": stack_id,
            "io.buildpacks.base.distro.name": distro[0],
            "io.buildpacks.base.distro.version": distro[1],
        },
    }
    layer = files_layer({"etc/cnb-empty-run-image": (b"", 0o644)})
    return write_image(image_path(layout_dir, ref), [layer], config, arch=arch)


def write_image(
    path: Path, layers: Sequence[bytes], config: Mapping[str, object], *, arch: str = ""
) -> Path:
    """Write a layout of one image to `path`: `layers` are tars, `config` is the image's `config`."""
    if path.exists():
        shutil.rmtree(path)
    (path / "blobs" / "sha256").mkdir(parents=True)
    created = "1980-01-01T00:00:01Z"
    table = {
        "architecture": arch or machine_arch(),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        "history": [{"created": created, "created_by": "layer"} for _ in layers],
        "created": created,
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _write_blob(path, CONFIG, _json(table)),
        "layers": [
            _write_blob(path, LAYER_GZIP, gzip.compress(layer, 1, mtime=0)) for layer in layers
        ],
    }
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [_write_blob(path, MANIFEST, _json(manifest))],
    }
    (path / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    (path / "index.json").write_bytes(_json(index))
    return path


def files_layer(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """A layer that holds files: path -> content and mode."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, (content, mode) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(content), mode, 315532801
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def read_image(layout_dir: Path, ref: str) -> Image:
    """Read an image of a layout; raises LayoutError when it is not there."""
    return read_image_at(image_path(layout_dir, ref))


def read_image_at(path: Path) -> Image:
    """Read the one image of the OCI layout in `path`; raises LayoutError when there is none."""
    try:
        index = json.loads((path / "index.json").read_bytes())
        (entry,) = index["manifests"]
        digest = str(entry["digest"])
        manifest = json.loads(_blob_file(path, digest).read_bytes())
        config = json.loads(_blob_file(path, manifest["config"]["digest"]).read_bytes())
        layers = tuple(str(layer["digest"]) for layer in manifest["layers"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LayoutError(f"No readable image in {path}: {error}") from error
    return Image(path=path, digest=digest, config=config, layers=layers)


def extract_image(image: Image, dest: Path) -> None:
    """Apply the image's layers beneath `dest`, whiteouts included, all owned by this user."""
    dest.mkdir(parents=True, exist_ok=True)
    modes: dict[Path, tuple[int, float]] = {}
    for digest in image.layers:
        blob = image.blob(digest)
        with blob.open("rb") as probe:
            packed = probe.read(2) == _GZIP_MAGIC
        with tarfile.open(blob, "r:gz" if packed else "r:") as tar:
            _apply_layer(tar, dest, modes)
    # Directories get their mode last: a read-only one could not be filled.
    for path, (mode, mtime) in sorted(modes.items(), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.chmod(mode)
            os.utime(path, (mtime, mtime))


def _apply_layer(tar: tarfile.TarFile, dest: Path, modes: dict[Path, tuple[int, float]]) -> None:
    for member in tar:
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if not parts:
            continue
        if ".." in parts:
            raise LayoutError(f"A layer holds the path {member.name!r}.")
        parent = _real_parent(dest, parts[:-1])
        target = parent / parts[-1]
        if parts[-1] == ".wh..wh..opq":
            for child in list(parent.iterdir()):
                _remove(child)
        elif parts[-1].startswith(".wh."):
            _remove(parent / parts[-1].removeprefix(".wh."))
        elif member.isdir():
            if target.is_symlink() or not target.is_dir():
                _remove(target)
                target.mkdir()
            modes[target] = (member.mode, member.mtime)
        else:
            _remove(target)
            _write_member(tar, member, target, dest)


def _real_parent(dest: Path, parts: list[str]) -> Path:
    """The directory for an entry; refuses one that leads out of `dest` over a symlink."""
    parent = dest.joinpath(*parts)
    parent.mkdir(parents=True, exist_ok=True)
    if not parent.resolve().is_relative_to(dest.resolve()):
        raise LayoutError(f"A layer writes through the link {parent}.")
    return parent


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, dest: Path) -> None:
    if member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        source = dest.joinpath(*[p for p in member.linkname.split("/") if p not in ("", ".", "..")])
        target.hardlink_to(source)
    elif member.isreg():
        content = tar.extractfile(member)
        if content is None:
            raise LayoutError(f"A layer's file has no content: {member.name!r}.")
        with content, target.open("wb") as out:
            shutil.copyfileobj(content, out, 1024 * 1024)
        target.chmod(member.mode)
        os.utime(target, (member.mtime, member.mtime))
    else:
        raise LayoutError(f"A layer holds a device or pipe: {member.name!r}.")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _blob_file(path: Path, digest: str) -> Path:
    return path / "blobs" / digest.replace(":", "/")


def _write_blob(path: Path, media_type: str, content: bytes) -> dict[str, str | int]:
    digest = _digest(content)
    _blob_file(path, digest).write_bytes(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
