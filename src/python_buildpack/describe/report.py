"""The machine-readable report: docs/build-report.schema.json says what is in it. Pure.

The label's part is a function of what the image is made from: neither time nor the history of its
builds is in it. The file has both besides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnb.launch import Process

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """What a layer's metadata tells, whether the layer was made or reused.

    `size` is bytes and files; `largest` maps the largest packages to their bytes; `installer` is
    the tool that installed them in the end, `installer_reason` why, where it took over from another.
    """

    size: tuple[int, int] | None = None
    largest: Mapping[str, int] = field(default_factory=dict)
    installer: str = ""
    installer_reason: str = ""


def facts_table(facts: LayerFacts) -> dict[str, Any]:
    """`facts` as the layer's `[metadata]` holds them."""
    bytes_, files = facts.size or (0, 0)
    table: dict[str, Any] = {"bytes": bytes_, "files": files}
    if facts.installer:
        table |= {"installer": facts.installer, "largest": dict(facts.largest)}
    if facts.installer_reason:
        table["installer_reason"] = facts.installer_reason
    return table


def read_facts(metadata: Mapping[str, Any]) -> LayerFacts:
    """The facts of a layer's `[metadata]`; none where they are absent, or not as written above."""
    table = metadata.get("facts")
    if not isinstance(table, Mapping):
        return LayerFacts()
    bytes_, files = _number(table.get("bytes")), _number(table.get("files"))
    largest = table.get("largest")
    sizes = {
        str(name): number
        for name, value in (largest.items() if isinstance(largest, Mapping) else ())
        if (number := _number(value)) is not None
    }
    return LayerFacts(
        size=None if bytes_ is None or files is None else (bytes_, files),
        largest=dict(sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))),
        installer=str(table.get("installer", "")),
        installer_reason=str(table.get("installer_reason", "")),
    )


def _number(value: object) -> int | None:
    """The lifecycle gives whole numbers back as floating ones, and the keys of tables sorted."""
    return int(value) if isinstance(value, (int, float)) else None


@dataclass(frozen=True, kw_only=True)
class Image:
    """What the image is made of, and why. `asked` says who asked for the version, if anybody did.

    `installer_reason` is that of the installer that was to install.
    """

    buildpack: str
    python: str
    asked: str
    manager: str
    installer_reason: str
    packages: Mapping[str, str]
    facts: Mapping[str, LayerFacts]
    processes: Sequence[Process]


def image_report(image: Image) -> dict[str, Any]:
    """The label's part."""
    venv = image.facts.get("venv", LayerFacts())
    packages: dict[str, Any] = {"manager": image.manager, "count": len(image.packages)}
    if venv.installer:
        reason = venv.installer_reason or image.installer_reason
        packages |= {"installer": venv.installer, "installer_reason": reason}
        packages["largest"] = [
            {"name": name, "version": image.packages.get(name, ""), "bytes": size}
            for name, size in venv.largest.items()
        ]
    return {
        "report_version": VERSION,
        "buildpack": {"id": "pycnb/python", "version": image.buildpack},
        "python": {
            "version": image.python,
            "reason": image.asked or "no version is asked for",
        },
        "packages": packages,
        "layers": {
            name: {"bytes": facts.size[0], "files": facts.size[1]}
            for name, facts in image.facts.items()
            if facts.size is not None
        },
        "processes": [
            {
                "type": one.type,
                "command": [*one.command, *one.args],
                "default": one.default,
            }
            for one in image.processes
        ],
    }


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of this build, and the seconds that it took."""

    name: str
    seconds: float


def build_report(
    image: Mapping[str, Any] | None,
    *,
    buildpack: str,
    started: str,
    seconds: float,
    python_from: str,
    steps: Sequence[Step],
    layers: Mapping[str, Sequence[str]],
    warnings: Sequence[str],
    error: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The file's contents. `layers` maps each layer to why it was made; nothing: it was reused.

    `python_from` says how the version was found, empty where it was not.
    `image` is None where the build ended before that was known, with `error`.
    """
    head = image or {
        "report_version": VERSION,
        "buildpack": {"id": "pycnb/python", "version": buildpack},
    }
    build: dict[str, Any] = {
        "result": "failed" if error else "passed",
        "started": started,
        "seconds": round(seconds, 3),
        "steps": [{"name": one.name, "seconds": round(one.seconds, 3)} for one in steps],
        "layers": {
            name: {"action": "made" if reasons else "reused", "reasons": list(reasons)}
            for name, reasons in layers.items()
        },
        "warnings": list(warnings),
    }
    if python_from:
        build["python_from"] = python_from
    if error:
        build["error"] = dict(error)
    return {**head, "build": build}


def cleaned(report: Any, clean: Callable[[str], str]) -> Any:
    """`report` with each of its texts cleaned by itself.

    In JSON a secret may be spelt otherwise, and a URL's credentials would seem to reach from one
    text into another.
    """
    if isinstance(report, str):
        return clean(report)
    if isinstance(report, Mapping):
        return {name: cleaned(value, clean) for name, value in report.items()}
    if isinstance(report, Sequence):
        return [cleaned(value, clean) for value in report]
    return report


def as_label(report: Mapping[str, Any]) -> str:
    """One line; the same bytes for the same report."""
    return json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
