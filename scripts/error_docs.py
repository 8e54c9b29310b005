"""Write docs/errors.md from the code: every error with its text, its cause and its fix."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_buildpack import errors, hints
from python_buildpack.app_steps import collectstatic_causes
from python_buildpack.errors import UserError

OUT = Path(__file__).resolve().parent.parent / "docs" / "errors.md"
# Errors whose ids end in what was recognised in a tool's output: prefix -> the rules' pairs.
FAMILIES: dict[str, Callable[[], tuple[tuple[str, str], ...]]] = {
    "install-": hints.texts,
    "collectstatic-": collectstatic_causes.texts,
}
INTRODUCTION = """# Errors

<!-- written by `make error-docs` -->

Search this page for the id that the log printed: it is the last line of the error, in brackets
(`[lock-stale]`). Below each id are the text, with `<so>` what the log fills in, and the cause and the
fix where the text does not say both. Ids stay the same in later versions.

Not enough? Build again with `BP_LOG_LEVEL=debug`: the log then shows each decision, and each command
with its directory, the names of its variables, its exit code and its time.
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One section of the page."""

    id: str
    title: str
    body: str
    cause: str
    fix: str


def makers() -> Iterator[Callable[..., UserError]]:
    """The functions of errors.py that make an error."""
    for _, function in inspect.getmembers(errors, inspect.isfunction):
        signature = inspect.signature(function)
        if (
            function.__module__ == errors.__name__
            and signature.return_annotation == "UserError"
            and "error" not in signature.parameters  # adds to another one
        ):
            yield function


def placeholder(name: str, annotation: str) -> Any:
    """A value for a parameter, which shows in the text as the parameter's name."""
    shown = f"<{name.replace('_', ' ')}>"
    if annotation.startswith(("Mapping", "dict")):
        return {shown: [shown] if "Sequence" in annotation else "<what it does>"}
    if "tuple[int, str]" in annotation:
        return [("<line>", shown)]
    if annotation.startswith(("Sequence", "list")):
        return [shown]
    # Numbers are only printed, too; exit codes are compared.
    return 1 if name == "code" else shown


def described(function: Callable[..., UserError]) -> tuple[str, str]:
    """Cause and fix: the two paragraphs of the function's docstring."""
    text = inspect.getdoc(function) or ""
    cause, _, fix = text.partition("\n\nFix: ")
    if not cause or not fix:
        raise SystemExit(
            f"errors.{function.__name__} has no docstring of two paragraphs: when it happens, and "
            '"Fix: ..."'
        )
    return " ".join(cause.split()), " ".join(fix.split())


def entries() -> list[Entry]:
    """All of them, by id."""
    found: list[Entry] = []
    for function in makers():
        parameters = inspect.signature(function).parameters
        given = {
            name: placeholder(name, str(parameter.annotation))
            for name, parameter in parameters.items()
        }
        cause, fix = described(function)
        made = function(**given)
        found += [
            Entry(id=id, title=made.title, body=body, cause=cause, fix=fix)
            for id, body in dict.fromkeys(variants(made))
        ]
    return sorted(found, key=lambda entry: (entry.id, entry.title))


def variants(made: UserError) -> Iterator[tuple[str, str]]:
    """Id and body: several where the id has a prefix of a family, one for every other error."""
    if "<id>" not in made.id:
        yield made.id, made.body
        return
    for id, text in FAMILIES[made.id.replace("<id>", "")]():
        body = made.body.replace("<hint>", text).replace("<cause>", text)
        yield made.id.replace("<id>", id), body


def ids() -> tuple[str, ...]:
    """Every id that an error can have."""
    return tuple(dict.fromkeys(entry.id for entry in entries()))


def markdown() -> str:
    """The page."""
    lines = [INTRODUCTION]
    last = ""
    for entry in entries():
        if entry.id != last:
            lines.append(f"## `{entry.id}`\n")
            last = entry.id
        text = f"{entry.title}\n\n{entry.body}".rstrip()
        lines.append(f"```text\n{plain(text)}\n```\n")
        if not entry.id.startswith(tuple(FAMILIES)):
            lines.append(f"- Cause: {entry.cause}\n- Fix: {entry.fix}\n")
    return "\n".join(lines)


def plain(text: str) -> str:
    """Placeholders without the quotes that `repr` puts around texts of the user's."""
    return re.sub(r"'(<[a-z ]+>)'", r"\1", text)


def main() -> int:
    OUT.write_text(markdown(), encoding="utf-8")
    print(f"Wrote {OUT.relative_to(Path.cwd()) if OUT.is_relative_to(Path.cwd()) else OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
