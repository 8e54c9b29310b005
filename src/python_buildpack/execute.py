"""Carries a plan out: the layers, reused or made, and what the lifecycle is told of them."""

from __future__ import annotations

from collections.abc import Mapping

from cnb.layers import LayerTypes, remove_layer, write_layer_toml
from cnb.sbom import remove_sbom
from python_buildpack import layers
from python_buildpack.describe.report import LayerFacts, facts_table, read_facts
from python_buildpack.workshop import Workshop

# What a build that changes nothing does not need is imported where it is used.


def provide_python(shop: Workshop) -> LayerFacts:
    """The `python` layer: reused, or its contents made; its TOML written last."""
    plan, log, layers_dir = shop.plan, shop.log, shop.context.layers_dir
    types = LayerTypes(launch=True, build=plan.at_build, cache=plan.at_build)
    if plan.python.reuse:
        log.info("Reusing Python from the previous image")
        metadata = dict(shop.restored.python or {})
        metadata["sbom"] = shop.settings.sbom
        _drop_unwanted_sbom(shop, layers.PYTHON)
    else:
        from python_buildpack.make_python import make_python

        remove_layer(layers_dir, layers.PYTHON)
        log.info(f"Installing Python {plan.release.name}: {'; '.join(plan.python.reasons)}")
        facts = make_python(shop)
        metadata = {
            "format": layers.FORMAT,
            "key": layers.as_table(plan.python_key),
            "sbom": shop.settings.sbom,
            "facts": facts_table(facts),
        }
    write_layer_toml(layers_dir, layers.PYTHON, types, metadata)
    return read_facts(metadata)


def provide_packages(shop: Workshop) -> tuple[Mapping[str, str], LayerFacts]:
    """The `venv` layer: reused, or installed anew; what is installed in it, and its facts."""
    plan, log, layers_dir = shop.plan, shop.log, shop.context.layers_dir
    types = LayerTypes(launch=True, build=plan.at_build, cache=plan.at_build)
    if plan.venv.reuse:
        restored = dict(shop.restored.venv or {})
        log.info("Reusing packages from the previous image")
        restored["sbom"] = shop.settings.sbom
        write_layer_toml(layers_dir, layers.VENV, types, restored)
        _drop_unwanted_sbom(shop, layers.VENV)
        in_place = restored.get("in-place")
        if in_place and isinstance(in_place, list):
            from python_buildpack.packages.in_place import link_again

            link_again(shop.context.app_dir, shop.venv_dir, in_place)
        return dict(restored.get("packages", {})), read_facts(restored)
    from python_buildpack.make_venv import make_venv
    from python_buildpack.packages.in_place import kept_paths

    remove_layer(layers_dir, layers.VENV)
    for notice in shop.project.packages.notices:
        log.info(notice)
    reasons = (*plan.venv.reasons, *layers.summed_up(plan.changed_lines))
    wanted = shop.project.packages.install
    what = "Installing packages" if wanted is not None else "Preparing the launch environment"
    log.info(f"{what}: {'; '.join(reasons)}")
    installed, facts = make_venv(shop)
    metadata = {
        "format": layers.FORMAT,
        "key": layers.as_table(plan.venv_key),
        "sbom": shop.settings.sbom,
        "requirements": {name: list(lines) for name, lines in plan.shown.items()},
        "packages": installed.versions,
        "artifacts": installed.artifacts,
        "in-place": kept_paths(shop.venv_dir),
        **({"compiled-on": plan.distribution} if installed.compiled else {}),
        "facts": facts_table(facts),
    }
    write_layer_toml(layers_dir, layers.VENV, types, metadata)
    return installed.versions, read_facts(metadata)


def _drop_unwanted_sbom(shop: Workshop, layer: str) -> None:
    if not shop.settings.sbom:
        remove_sbom(shop.context.layers_dir, layer)


def provide_pip_cache(shop: Workshop) -> None:
    """The `pip-cache` layer: built wheels only, so it is small, often empty."""
    shop.cache_dir.mkdir(parents=True, exist_ok=True)
    write_layer_toml(
        shop.context.layers_dir,
        layers.PIP_CACHE,
        LayerTypes(cache=True),
        {"format": layers.FORMAT},
    )
