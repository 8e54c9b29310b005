"""An installed distribution, as its dist-info directory tells. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Its name (PEP 503), and the tags of the wheel that it came as.

    `fields` are those of METADATA by lower-case name; `direct_url` is PEP 610's record, empty for
    what came from an index.
    """

    name: str
    version: str
    wheel_tags: frozenset[str] = frozenset()
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    direct_url: Mapping[str, Any] = field(default_factory=dict)

    @property
    def requires(self) -> tuple[str, ...]:
        """Its requirements as its metadata has them."""
        return self.fields.get("requires-dist", ())
