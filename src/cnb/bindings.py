"""Service bindings (servicebinding.io, and the older platform directory)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Binding:
    """One bound service; its entries are files in `path`."""

    name: str
    type: str
    provider: str
    path: Path
    keys: tuple[str, ...]

    def read(self, key: str) -> bytes:
        """The bytes of an entry. Raises `OSError`."""
        return (self.path / key).read_bytes()


class UnreadableBinding(Exception):
    """What a binding is cannot be read: the `why` of its entry `key`."""

    def __init__(self, name: str, key: str, why: str) -> None:
        super().__init__(f"{name}/{key}: {why}")
        self.name, self.key, self.why = name, key, why


def read_bindings(platform_dir: Path, environ: Mapping[str, str]) -> tuple[Binding, ...]:
    """Every binding with a type, by name. Where both forms are given, the newer one counts.

    Raises `UnreadableBinding`.
    """
    root_name = environ.get("SERVICE_BINDING_ROOT") or environ.get("CNB_BINDINGS")
    root = Path(root_name) if root_name else platform_dir / "bindings"
    found = (_read_binding(path) for path in _folders(root))
    return tuple(binding for binding in found if binding is not None)


def _folders(root: Path) -> list[Path]:
    try:
        if not root.is_dir():
            return []
        found = sorted(path for path in root.iterdir() if path.is_dir())
    except OSError as error:
        raise UnreadableBinding(f"{root}/*", "type", error.strerror or str(error)) from None
    return [path for path in found if not path.name.startswith(".")]


def _read_binding(path: Path) -> Binding | None:
    try:
        return _read(path)
    except OSError as error:
        # Most often nothing in it may be read.
        raise UnreadableBinding(path.name, "type", error.strerror or str(error)) from None


def _read(path: Path) -> Binding | None:
    # Older platforms keep the entries apart from the metadata.
    metadata = path / "metadata" if (path / "metadata").is_dir() else path
    entries = path / "secret" if (path / "secret").is_dir() else path
    kind = _text(metadata / "type") or _text(metadata / "kind")
    if not kind:
        return None
    keys = sorted(
        entry.name
        for entry in entries.iterdir()
        if entry.is_file() and not entry.name.startswith(".") and entry.name not in _NOT_ENTRIES
    )
    return Binding(
        name=path.name,
        type=kind.lower(),
        provider=_text(metadata / "provider"),
        path=entries,
        keys=tuple(keys),
    )


_NOT_ENTRIES = frozenset({"type", "kind", "provider"})


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
        return ""
