"""Layers: types, metadata, environment files (buildpack.md, Layer Types and Environment)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cnb.sbom import remove_sbom
from cnb.toml import TOMLDecodeError, read_toml, write_toml

RESERVED_NAMES = frozenset({"build", "launch", "store"})
Action = Literal["override", "append", "prepend", "default"]
Scope = Literal["all", "build", "launch"]


class UnreadableLayer(Exception):
    """The layer's TOML file is not what the lifecycle writes."""


@dataclass(frozen=True, kw_only=True)
class LayerTypes:
    """The flags of `[types]`; all false: the lifecycle ignores the layer."""

    launch: bool = False
    build: bool = False
    cache: bool = False


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Where a layer's parts lie."""

    path: Path
    name: str

    @property
    def toml_path(self) -> Path:
        """`<layers>/<name>.toml`."""
        return self.path.parent / f"{self.name}.toml"


@dataclass(frozen=True, kw_only=True)
class EnvFile:
    """One change of one variable. `delim` goes between values that are joined."""

    name: str
    value: str
    action: Action = "override"
    delim: str | None = None
    scope: Scope = "all"
    process: str | None = None


def layer(layers_dir: Path, name: str) -> Layer:
    """Raises `ValueError` for a name that the lifecycle would not take."""
    if name in RESERVED_NAMES or "." in name or "/" in name or not name:
        raise ValueError(f"{name!r} cannot be the name of a layer")
    return Layer(path=layers_dir / name, name=name)


def read_layer_metadata(layers_dir: Path, name: str) -> dict[str, Any] | None:
    """`[metadata]` as restored; None where there is no TOML file.

    Raises `UnreadableLayer` when the file is not TOML or holds something else.
    """
    path = layer(layers_dir, name).toml_path
    if not path.is_file():
        return None
    try:
        metadata = read_toml(path).get("metadata", {})
    except (OSError, UnicodeDecodeError, TOMLDecodeError, RecursionError) as error:
        raise UnreadableLayer(f"{path}: {error}") from error
    if not isinstance(metadata, dict):
        raise UnreadableLayer(f"{path}: metadata is not a table")
    return metadata


def write_layer_toml(
    layers_dir: Path, name: str, types: LayerTypes, metadata: Mapping[str, Any]
) -> None:
    """Write `<name>.toml`, whole or not at all."""
    flags = {"launch": types.launch, "build": types.build, "cache": types.cache}
    write_toml(layer(layers_dir, name).toml_path, {"types": flags, "metadata": dict(metadata)})


def remove_layer(layers_dir: Path, name: str) -> None:
    """Remove the layer's directory, TOML and SBOM files, whichever exist."""
    found = layer(layers_dir, name)
    found.toml_path.unlink(missing_ok=True)
    remove_sbom(layers_dir, name)
    if found.path.is_symlink() or found.path.is_file():
        found.path.unlink()
    elif found.path.is_dir():
        import shutil  # it costs more than this whole module

        shutil.rmtree(found.path)


_SCOPES = {"all": "env", "build": "env.build", "launch": "env.launch"}


def write_layer_env(layer_dir: Path, files: Sequence[EnvFile]) -> None:
    """Write environment files, verbatim: no newline is added.

    Raises `ValueError` for what the lifecycle would take for something else.
    """
    for file in files:
        if not file.name or any(character in file.name for character in "./=\0"):
            raise ValueError(f"{file.name!r} cannot be the name of a variable")
        if file.process is not None and (not file.process or "/" in file.process):
            raise ValueError(f"{file.process!r} cannot be a process type")
        if file.process is not None and file.scope != "launch":
            raise ValueError("only launch variables can be for one process")
        folder = layer_dir / _SCOPES[file.scope]
        if file.process is not None:
            folder /= file.process
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{file.name}.{file.action}").write_bytes(file.value.encode())
        if file.delim is not None:
            (folder / f"{file.name}.delim").write_bytes(file.delim.encode())
