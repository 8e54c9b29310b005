"""The `python` layer's contents: copied from the package, or unpacked from the release's archive."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

from cnb.layers import EnvFile, write_layer_env
from python_buildpack import errors, layers
from python_buildpack.describe.components import runtime_component
from python_buildpack.describe.report import LayerFacts
from python_buildpack.describe.sbom import write_layer_sbom
from python_buildpack.describe.sizes import directory_size
from python_buildpack.describe.summary import megabytes
from python_buildpack.fetch import download
from python_buildpack.packages.credentials import with_netrc
from python_buildpack.runtime.contents import copy_runtime, install_runtime
from python_buildpack.runtime.mirrors import replaced_url
from python_buildpack.runtime.releases import Release
from python_buildpack.workshop import Workshop


def make_python(shop: Workshop) -> LayerFacts:
    """Make the layer's contents, environment and SBOM. Raises `UserError`."""
    install_release(shop)
    write_layer_env(shop.python_dir, build_environment(shop.python_dir, shop.plan.release))
    _write_python_sbom(shop)
    return LayerFacts(size=directory_size(shop.python_dir))


def packaged_runtimes(buildpack_dir: Path) -> dict[Path, dict[str, Any]]:
    """The runtimes that the package brings, each with its entry of the release list."""
    records = (
        buildpack_dir / "runtime" / "release.json",
        *sorted(buildpack_dir.glob("runtimes/*/release.json")),
    )
    return {
        record.with_name("cpython"): json.loads(record.read_text())
        for record in records
        if record.is_file()
    }


def packaged_runtime(buildpack_dir: Path, release: Release) -> Path | None:
    """The package's runtime that is `release`, where it brings that one."""
    found = packaged_runtimes(buildpack_dir).items()
    return next((path for path, entry in found if entry["sha256"] == release.sha256), None)


def build_environment(python_dir: Path, release: Release) -> tuple[EnvFile, ...]:
    """For buildpacks that come later: the headers, which lie below the layer's `include`."""
    name = interpreter_name(release)
    return (
        EnvFile(
            name="CPATH",
            value=f"{python_dir}/cpython/include/{name}",
            action="prepend",
            delim=":",
            scope="build",
        ),
    )


def install_release(shop: Workshop, *, byte_code: bool = True) -> None:
    """Put the release that the plan names into the layer's place. Raises `UserError`."""
    release = shop.plan.release
    packaged = packaged_runtime(shop.context.buildpack_dir, release)
    # It grows below the layer's directory.
    telling = shop.log.telling(lambda: f"{megabytes(directory_size(shop.python_dir)[0])} unpacked")
    if packaged is not None:
        shop.log.debug(f"copying {packaged}")
        with telling:
            copy_runtime(packaged, shop.python_dir)
        return
    archive = shop.work_dir / release.file_name
    if not archive.exists():  # it may be lent for several steps
        _provide_archive(shop, archive)
    with telling:
        install_runtime(archive, shop.python_dir, byte_code=byte_code)


def _provide_archive(shop: Workshop, archive: Path) -> None:
    """The release's archive: the one that an earlier build kept, else a download."""
    release, kept = shop.plan.release, shop.kept_archive
    environ = with_netrc(shop.context.environ, shop.sources, shop.work_dir)
    if kept.is_file():
        with contextlib.suppress(errors.UserError):
            download(kept.as_uri(), archive, sha256=release.sha256, log=shop.log, environ=environ)
            return
    shop.log.info(f"Downloading {release.file_name}")
    try:
        download(
            replaced_url(release.url, release.sha256, shop.settings.mirror, shop.context.bindings),
            archive,
            sha256=release.sha256,
            log=shop.log,
            environ=environ,
        )
    except errors.UserError as error:
        brought = packaged_runtimes(shop.context.buildpack_dir).values()
        raise errors.with_packaged_runtimes(
            error, [entry["version"] for entry in brought]
        ) from None
    if shop.settings.keep_downloads:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, kept)


def interpreter_name(release: Release) -> str:
    """`python3.13`, or `python3.13t` for a free-threaded build."""
    minor = ".".join(release.version.split(".")[:2])
    return f"python{minor}{'t' if release.free_threaded else ''}"


def _write_python_sbom(shop: Workshop) -> None:
    if shop.settings.sbom:
        write_layer_sbom(
            shop.context.layers_dir,
            layers.PYTHON,
            layers.as_table(shop.plan.python_key),
            shop.context.buildpack_version,
            [runtime_component(shop.plan.release)],
        )
