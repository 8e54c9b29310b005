"""uv resolves, then installs what it resolved."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from cnb.toml import read_toml, write_toml
from python_buildpack.describe.summary import plural
from python_buildpack.kept_trees import keep_tree, restore_tree
from python_buildpack.log import Log
from python_buildpack.packages import index_pins
from python_buildpack.packages.hash_checking import read_resolution, refuse_without_hash
from python_buildpack.packages.installation import (
    Install,
    requirement_files,
    shared_options,
    shown,
    tool_environment,
)
from python_buildpack.packages.kept_wheels import forget_secrets, keep_built_wheels
from python_buildpack.packages.resolution import constraints, read_pylock
from python_buildpack.packages.tools import UV_CACHE, Tools
from python_buildpack.packages.uv_variables import without_ours
from python_buildpack.run import run


def install_by_uv(install: Install, tools: Tools, log: Log, *, show: bool) -> tuple[int, str]:
    """Resolve, then install what was resolved; uv's exit code and output.

    Raises `UserError` where a hash is needed and none is known.
    """
    files = _files(install)
    log.info(f"$ uv pip install {shown(install)}")
    as_it_is = install.locked is not None and not install.access.by_name
    if not as_it_is:
        code, output = _resolve(install, tools, log, files, install.work_dir / "pylock.toml")
        if code != 0:
            if show and not log.is_debug:  # there it stands already
                log.info(output)
            return code, output
    refuse_without_hash(install)
    options = [option for name in files for option in ("-r", name)]
    if install.require_all_hashes:
        options.append("--require-build-hashes")
    if as_it_is:
        options += ["--preview-features", "pylock"]
    elif install.install_set.require_hashes:
        options.append("--require-hashes")
    else:
        # The installation is held to the resolution, and to the hashes that the index states.
        pins = install.work_dir / "constraints.txt"
        pins.write_text("\n".join(constraints(read_resolution(install))) + "\n")
        options += ["-c", str(pins)]
    code, output = _run(
        install, tools, log, "install", "--link-mode", "hardlink", *options, show=show
    )
    if code == 0:
        keep_built_wheels(install.uv_cache, install.built_dir, log)
        if install.kept is not None:
            forget_secrets(install.uv_cache, log)
            keep_tree(install.uv_cache, install.kept / UV_CACHE, byte_code=False)
    return code, output


def _resolve(
    install: Install, tools: Tools, log: Log, arguments: Sequence[str], output: Path
) -> tuple[int, str]:
    return _run(
        install, tools, log, "compile", "--format", "pylock.toml", "--output-file", str(output),
        "--no-annotate", *arguments, show=False,
    )  # fmt: skip


def versions_with_pre_releases(
    install: Install, tools: Tools, log: Log, names: Sequence[str]
) -> dict[str, str]:
    """What uv would choose with those of `names`, from the metadata that it has by now."""
    output = install.work_dir / "pre-releases" / "pylock.toml"
    output.parent.mkdir(exist_ok=True)
    allowed = [f"--prerelease-package={name}=allow" for name in names]
    code, _ = _resolve(install, tools, log, [*allowed, *_files(install)], output)
    return {one.name: one.version for one in read_pylock(read_toml(output))} if code == 0 else {}


def _files(install: Install) -> list[str]:
    """All files that tell uv what to install, and from where."""
    return [*requirement_files(install), *_pinning_files(install)]


def _pinning_files(install: Install) -> list[str]:
    """For uv, which index alone may serve a package."""
    manifest = index_pins.manifest(install.install_set.pinned, install.access.pinned)
    if manifest is None:
        return []
    path = install.work_dir / "pinned" / "pyproject.toml"
    path.parent.mkdir(exist_ok=True)
    write_toml(path, manifest)
    return [str(path)]


def _run(
    install: Install, tools: Tools, log: Log, verb: str, *options: str, show: bool = True
) -> tuple[int, str]:
    assert tools.uv is not None
    command = [
        str(tools.uv), "pip", verb, *_configuration(install), "--no-progress", "--no-python-downloads",
        "--python", f"{install.venv}/bin/python", "--index-strategy", "unsafe-best-match",
        "--color", "never", *install.access.uv_options, *shared_options(install), *options,
    ]  # fmt: skip
    environ = uv_environment(install)
    fetched = install.uv_cache / "archive-v0"

    def how_far() -> str:
        if verb != "install":
            return "resolving"
        total = len(read_resolution(install))
        done = len(os.listdir(fetched)) if fetched.is_dir() else 0  # noqa: PTH208 - one look
        if done < total:
            return f"{done} of {plural(total, 'package')} fetched"
        return "installing"

    return run(command, environ=environ, cwd=install.app_dir, log=log, show=show, how_far=how_far)


def _configuration(install: Install) -> list[str]:
    """No settings but those of the app's manifest that concern building."""
    if not install.install_set.uv_settings:
        return ["--no-config"]
    path = install.work_dir / "uv.toml"
    write_toml(path, install.install_set.uv_settings)
    return ["--config-file", str(path)]


def uv_environment(install: Install) -> dict[str, str]:
    """Of a process of uv."""
    environ = tool_environment(install, without_ours(install.access.uv_environment))
    return {**environ, "UV_CACHE_DIR": str(install.uv_cache)}


@contextlib.contextmanager
def uv_cache(install: Install) -> Iterator[None]:
    """uv's cache, which begins with the wheels that earlier builds built."""
    cache = install.uv_cache
    shutil.rmtree(cache, ignore_errors=True)  # a build that was killed may have left it
    try:
        if install.kept is not None:
            restore_tree(install.kept / UV_CACHE, cache)
        cache.mkdir(exist_ok=True)
        for bucket in sorted(install.built_dir.glob("sdists-v*")):
            shutil.copytree(bucket, cache / bucket.name, symlinks=True, dirs_exist_ok=True)
        yield
    finally:
        shutil.rmtree(cache, ignore_errors=True)
