"""Poetry's notation for versions of Python, as PEP 440 ranges. Pure."""

from __future__ import annotations

import re

_LONGEST = 500
_SEPARATOR = re.compile(r"(?<!^)(?<![\^~=>< ,]) *(?<!-)[, ](?!-) *(?!,|$)")
_ONE = re.compile(
    r"(?P<operator>\^|~=|~|!=|>=|>|<=|<|==|=)?\s*v?(?P<version>[0-9][^\s,|]*|\*)",
    re.IGNORECASE,
)


def translate_poetry(text: str) -> tuple[str, ...]:
    """Poetry's constraint as PEP 440 ranges, one of which must hold.

    Raises `ValueError`. As poetry-core has it: `^` keeps the first number that is not zero, `~`
    the first two, a bare version is exact.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long")
    alternatives = []
    for alternative in re.split(r"\s*\|\|?\s*", text.strip()):
        alternative = alternative.rstrip(",").rstrip()
        parts = _SEPARATOR.split(alternative)
        translated = [one for one in map(_translate_one, parts) if one != "*"]
        alternatives.append(",".join(translated) or "*")
    return tuple(alternatives)


def _translate_one(text: str) -> str:
    found = _ONE.fullmatch(text.strip())
    if found is None or (found["version"] == "*" and found["operator"]):
        raise ValueError(text)
    operator, version = found["operator"] or "==", found["version"]
    if version == "*":
        return "*"
    if operator not in ("==", "=", "!="):
        version = version.partition("+")[0]  # PEP 440 orders no local versions
    if operator in ("^", "~"):
        release = re.match(r"[0-9]{1,4}(\.[0-9]{1,4})*", version)
        if release is None:
            raise ValueError(text)
        numbers = [int(number) for number in release[0].split(".")]
        if operator == "~":
            kept = min(2, len(numbers))
        else:
            kept = next((n for n, number in enumerate(numbers, 1) if number), len(numbers))
        end = [*numbers[: kept - 1], numbers[kept - 1] + 1]
        return f">={version},<{'.'.join(map(str, end))}"
    if operator == "~=" and "." not in version:
        return f">={version},<{int(version) + 1}"
    if operator in (">", ">=", "<", "<="):
        version = version.removesuffix(".*")
    return ("==" if operator == "=" else operator) + version
