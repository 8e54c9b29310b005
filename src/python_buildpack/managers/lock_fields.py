"""Typed access to the tables of locks and manifests; what is odd in them is a user's error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from python_buildpack import errors


@dataclass(frozen=True, kw_only=True)
class Fields:
    """A table in `file`, at `path` (empty: the whole file). `repair` is the command that mends it.

    Every getter raises `UserError` for a value of another type, and names its place.
    """

    file: str
    values: Mapping[str, Any]
    repair: str
    path: str = ""

    def place(self, key: str) -> str:
        """`package[3].version`, as errors name it."""
        return f"{self.path}.{key}" if self.path else key

    def text(self, key: str) -> str:
        """A string that must be there."""
        value = self.optional_text(key)
        if value is None:
            raise self.error(key, "is missing")
        return value

    def optional_text(self, key: str) -> str | None:
        """A string, or None where there is none."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, str):
            raise self.error(key, "is not a string")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """A boolean."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "is not true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty where there is none."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "is not a list of strings")
        return tuple(value)

    def table(self, key: str) -> Fields:
        """A table; an empty one where there is none."""
        value = self.values.get(key, {})
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise self.error(key, "is not a table")
        return self._below(self.place(key), value)

    def tables(self, key: str) -> tuple[Fields, ...]:
        """A list of tables; empty where there is none."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise self.error(key, "is not a list of tables")
        return tuple(
            self._below(f"{self.place(key)}[{number}]", item) for number, item in enumerate(value)
        )

    def error(self, key: str, why: str) -> errors.UserError:
        """The error that says why the value at `key` cannot be used."""
        return errors.lock_field_invalid(self.file, self.place(key), why, self.repair)

    def _below(self, path: str, values: Mapping[str, Any]) -> Fields:
        return Fields(file=self.file, values=values, repair=self.repair, path=path)
