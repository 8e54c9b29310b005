"""The table at the end of the log, and what is said about large images. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from python_buildpack.describe.report import LayerFacts

LARGE = 250_000_000
_CPU = {
    "torch": "set UV_TORCH_BACKEND=cpu in the build's environment (a lock must name PyTorch's index "
    "of CPU builds itself)",
    "tensorflow": "write tensorflow-cpu in place of tensorflow",
}


def megabytes(size: int) -> str:
    """`12.3 MB`."""
    return f"{size / 1e6:.1f} MB"


def plural(count: int, noun: str) -> str:
    """`1 package`, `2 packages`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """`rows` with their columns aligned; the last one is as long as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join(
            [*(text.ljust(width) for text, width in zip(row[:-1], widths, strict=True)), row[-1]]
        ).rstrip()
        for row in rows
    )


def summary(
    python: str,
    packages: Mapping[str, str],
    manager: str,
    facts: Mapping[str, LayerFacts],
    reused: Mapping[str, bool],
    processes: Sequence[str],
) -> str:
    """One row for each layer, and one for the processes."""
    listed = plural(len(packages), "package")
    by = facts["venv"].installer
    what = {
        "python": python,
        "venv": f"{listed} ({manager}, installed by {by})" if by else listed,
    }
    rows = [
        [
            {"python": "Python", "venv": "Packages"}[name],
            what[name],
            megabytes(size[0]) if (size := facts[name].size) else "",
            "reused" if reused[name] else "made",
        ]
        for name in what
    ]
    rows.append(["Processes", ", ".join(processes) or "none", "", ""])
    return table(rows)


def about_size(packages: Mapping[str, str], facts: LayerFacts) -> str:
    """The largest packages where there is much to save, else nothing."""
    if facts.size is None or facts.size[0] < LARGE:
        return ""
    largest = ", ".join(f"{name} {megabytes(size)}" for name, size in facts.largest.items())
    lines = [f"The packages take {megabytes(facts.size[0])}, most of it: {largest}"]
    if any(name.startswith("nvidia-") for name in packages):
        lines += [
            f"{name} came with its libraries for NVIDIA's GPUs. Where there is none, take the build "
            f"for CPUs: {advice}."
            for name, advice in _CPU.items()
            if name in packages
        ]
    return "\n".join(lines)
