"""The interpreter, lent to a step that runs Python while its layer is reused."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from python_buildpack import layers
from python_buildpack.kept_trees import keep_tree, restore_tree
from python_buildpack.make_python import install_release, interpreter_name, packaged_runtime
from python_buildpack.runtime.contents import compile_runtime, link_interpreter
from python_buildpack.workshop import Workshop


@contextlib.contextmanager
def lent_interpreter(shop: Workshop) -> Iterator[Path]:
    """The layer's interpreter, lent for this step where the layer itself is reused.

    It has no byte code of its own, unless it comes with the buildpack or is kept with it.
    """
    name = interpreter_name(shop.plan.release)
    root = shop.python_dir / "cpython"
    if (root / "bin" / name).exists():
        yield root / "bin" / name
        return
    packaged = packaged_runtime(shop.context.buildpack_dir, shop.plan.release)
    try:
        if packaged is not None:
            shop.python_dir.mkdir(parents=True)
            root.symlink_to(packaged)
        elif not restore_tree(kept_runtime(shop), root):
            install_release(shop, byte_code=False)
        if not (shop.python_dir / "bin").exists():
            link_interpreter(shop.python_dir, name.removeprefix("python"))
        yield root / "bin" / name
    finally:
        shutil.rmtree(shop.python_dir, ignore_errors=True)


def kept_runtime(shop: Workshop) -> Path:
    """Where the runtime is kept for builds that reuse its layer and need it all the same."""
    return shop.kept_dir / f"runtime-{layers.digest(layers.as_table(shop.plan.python_key))}"


def keeps_runtime(shop: Workshop) -> bool:
    """Whether it must be kept to be lent again: not where it comes with the buildpack."""
    if shop.plan.at_build:
        return False  # the layer itself is cached
    return packaged_runtime(shop.context.buildpack_dir, shop.plan.release) is None


def keep_runtime(shop: Workshop) -> None:
    """Keep what lies in the layer's place.

    One that was kept without byte code gets it now: the cache does last, and it is worth its time.
    """
    root, kept = shop.python_dir / "cpython", kept_runtime(shop)
    minor = interpreter_name(shop.plan.release).removeprefix("python")
    with shop.log.telling(lambda: "keeping the runtime for the app's steps in later builds"):
        if kept.exists():
            if (root / "lib" / f"python{minor}" / "__pycache__").is_dir():
                return
            compile_runtime(root, minor)
        keep_tree(root, kept, byte_code=True)
