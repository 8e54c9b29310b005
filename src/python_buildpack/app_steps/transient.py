"""The packages, given back for the steps that run the app while their layer is reused.

Where this build has just installed them, they are simply there. Else they are made in the layer's
place, from what an earlier build kept, and are gone before the exporter looks.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnb.layers import read_layer_metadata
from python_buildpack import layers
from python_buildpack.app_steps.nltk_data import kept_nltk_data, lent_nltk_data
from python_buildpack.kept_trees import keep_tree, restore_tree
from python_buildpack.layers import NltkDataKey
from python_buildpack.lent_python import keep_runtime, keeps_runtime, kept_runtime, lent_interpreter
from python_buildpack.workshop import Workshop


@contextlib.contextmanager
def lent_to_steps(
    shop: Workshop, nltk: NltkDataKey | None, *, runs_app: bool
) -> Iterator[tuple[Path, set[Path]]]:
    """What the app's steps need: the interpreter, and to run the app its packages and NLTK's data.

    Also the files in which all of it is kept for later builds.
    """
    kept = {kept_runtime(shop)}
    with contextlib.ExitStack() as lent:
        if runs_app:
            python = lent.enter_context(lent_packages(shop))
            keep_packages(shop)
            kept.add(kept_packages(shop))
            if nltk:
                lent.enter_context(lent_nltk_data(shop, nltk))
                kept.add(kept_nltk_data(shop, nltk))
        else:
            python = lent.enter_context(lent_interpreter(shop))
        if keeps_runtime(shop):
            keep_runtime(shop)
        yield python, kept


@contextlib.contextmanager
def lent_packages(shop: Workshop) -> Iterator[Path]:
    """The environment's interpreter."""
    with lent_interpreter(shop) as interpreter:
        python = shop.venv_dir / "bin" / "python"
        if python.is_symlink():
            yield python
            return
        try:
            with shop.log.telling(lambda: "getting the packages back for the app's steps"):
                restored = restore_tree(kept_packages(shop), shop.venv_dir)
            if not restored:
                _install_again(shop, interpreter)
            yield python
        finally:
            shutil.rmtree(shop.venv_dir, ignore_errors=True)


def kept_packages(shop: Workshop) -> Path:
    """Where the installed packages are kept. The name is theirs alone: other ones have another."""
    metadata = read_venv_metadata(shop)
    # The key as it is here: the lifecycle gives whole numbers back as fractions.
    known = [
        layers.as_table(shop.plan.venv_key),
        metadata.get("packages"),
        metadata.get("artifacts"),
        *([metadata["compiled-on"]] if "compiled-on" in metadata else []),
    ]
    return shop.kept_dir / f"packages-{layers.digest(known)}"


def keep_packages(shop: Workshop) -> None:
    """Keep what lies in the layer's place, without byte code: one step does not earn it.

    Nothing is kept where the layer itself is cached.
    """
    kept = kept_packages(shop)
    if not shop.plan.at_build and not kept.exists():
        with shop.log.telling(lambda: "keeping the packages for the app's steps in later builds"):
            keep_tree(shop.venv_dir, kept, byte_code=False)


def read_venv_metadata(shop: Workshop) -> dict[str, Any]:
    """The `[metadata]` of the `venv` layer as it is by now: restored, or written by this build."""
    return read_layer_metadata(shop.context.layers_dir, layers.VENV) or {}


def _install_again(shop: Workshop, interpreter: Path) -> None:
    """The image's packages once more, where nothing is kept (a cleared cache, or none at all)."""
    from python_buildpack.make_venv import make_install
    from python_buildpack.packages import installer, venv  # only where the cache was cleared

    shop.log.info("Installing the packages for this build's steps: the cache does not hold them")
    metadata = read_venv_metadata(shop)
    packages = metadata.get("packages", {})
    # What came from no file may have another version by now: a date, a commit.
    versions = {name: packages[name] for name in metadata.get("artifacts", {}) if name in packages}
    venv.create_venv(shop.venv_dir, interpreter)
    install_set = shop.project.packages.install
    if install_set is not None:
        install = make_install(shop, install_set, interpreter, again=versions)
        installer.install_packages(install, shop.tools, shop.log)
