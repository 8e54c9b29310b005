"""docs/errors.md is what the code says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.managers.provocations import ELSEWHERE, PROVOKED

import error_docs
from python_buildpack import errors

ROOT = Path(__file__).resolve().parent.parent.parent


def test_page_is_fresh() -> None:
    """`make error-docs` was run after the last change."""
    assert error_docs.OUT.read_text(encoding="utf-8") == error_docs.markdown(), "make error-docs"


def test_no_error_is_left_out() -> None:
    """Every function that makes an error is on the page, with a text, a cause and a fix."""
    tree = ast.parse(Path(errors.__file__).read_bytes())
    making = {
        function.name
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        and any(
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "UserError"
            and not (node.args and ast.unparse(node.args[0]) == "error.id")
            for node in ast.walk(function)
        )
    }
    assert {function.__name__ for function in error_docs.makers()} == making
    for entry in error_docs.entries():
        assert entry.title and entry.body and entry.cause and entry.fix, entry.id
        assert "<id>" not in entry.id


def test_every_error_is_provoked() -> None:
    """A new id needs a row in tests/managers/provocations.py, or a test that is named there."""
    assert not set(PROVOKED) & set(ELSEWHERE)
    assert set(PROVOKED) | set(ELSEWHERE) == set(error_docs.ids())
    for id, file in ELSEWHERE.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"[\"'\[\\]{id}[\"'\\\]]", text), f"{id} is not in {file}"
