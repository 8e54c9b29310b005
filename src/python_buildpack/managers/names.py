"""Names of distributions, extras and groups in their one spelling."""

from __future__ import annotations

import re


def pep503_name(name: str) -> str:
    """`Shop..PG_Tools` is `shop-pg-tools` (PEP 503; PEP 685 for extras, PEP 735 for groups)."""
    return re.sub(r"[-_.]+", "-", name).lower()
