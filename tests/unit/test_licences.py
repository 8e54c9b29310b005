"""Licences as metadata declares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from packaging.licenses import canonicalize_license_expression

from python_buildpack.describe import licences
from python_buildpack.describe.licences import Licence, declared_licence

OSI = "License :: OSI Approved :: "


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({}, Licence()),
        ({"license-expression": ["mit"]}, Licence(expression="MIT")),
        ({"license-expression": ["no such thing"]}, Licence(name="no such thing")),
        ({"license": ["Apache License, Version 2.0"]}, Licence(expression="Apache-2.0")),
        ({"license": ["The MIT License"]}, Licence(expression="MIT")),
        ({"license": ["BSD-3-Clause"]}, Licence(expression="BSD-3-Clause")),
        ({"license": ["3-Clause BSD License"]}, Licence(expression="BSD-3-Clause")),
        # Which of the BSD licences, or which version of the GPL, nobody knows.
        ({"license": ["BSD"]}, Licence(name="BSD")),
        ({"license": ["GPL"]}, Licence(name="GPL")),
        ({"license": ["UNKNOWN"], "classifier": [f"{OSI}MIT License"]}, Licence(expression="MIT")),
        ({"license": ["Copyright (c) " + "x" * 200]}, Licence()),
        ({"classifier": ["Topic :: Internet", f"{OSI}MIT License"]}, Licence(expression="MIT")),
        ({"classifier": [f"{OSI}BSD License"]}, Licence(name="BSD License")),
        ({"classifier": [OSI.removesuffix(" :: ")]}, Licence()),
        # Both, or either? The classifiers do not say.
        (
            {"classifier": [f"{OSI}MIT License", f"{OSI}ISC License (ISCL)"]},
            Licence(name="MIT License; ISC License (ISCL)"),
        ),
        (
            {"license": ["MIT OR ISC"], "classifier": [f"{OSI}MIT License"]},
            Licence(expression="MIT OR ISC"),
        ),
    ],
)
def test_declared(fields: Mapping[str, Sequence[str]], licence: Licence) -> None:
    """An expression where the metadata leaves no doubt, else its own words."""
    assert declared_licence(fields) == licence


def test_what_is_mapped_exists() -> None:
    """Every target of the tables is an expression of SPDX, spelt as SPDX does."""
    for expression in (*licences._CLASSIFIERS.values(), *licences._FREE_TEXTS.values()):
        assert canonicalize_license_expression(expression) == expression
