"""The manifests of deploy/kpack, held to kpack's own schemas; no cluster is needed for that."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.kpack.conftest import MANIFESTS

import kpack

Document = dict[str, Any]


def documents() -> list[tuple[str, Document]]:
    """Every document of every manifest, with its file's name."""
    return [
        (path.name, document)
        for path in sorted(MANIFESTS.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]


OURS = [
    pytest.param(document, id=f"{name}-{document['kind']}-{document['metadata']['name']}")
    for name, document in documents()
    if document["apiVersion"].startswith("kpack.io/")
]


@pytest.fixture(scope="module")
def source() -> Path:
    """kpack's source, of the version that the tests run."""
    return kpack.kpack_source()


@pytest.fixture(scope="module")
def definitions(source: Path) -> dict[tuple[str, str], Document]:
    """Kind and version -> openAPIV3Schema of kpack's CustomResourceDefinitions."""
    found = {}
    for name in kpack.DEFINITIONS:
        for document in yaml.safe_load_all((source / "config" / f"{name}.yaml").read_text()):
            spec = document["spec"]
            for version in spec["versions"]:
                key = spec["names"]["kind"], f"{spec['group']}/{version['name']}"
                found[key] = version["schema"]["openAPIV3Schema"]
    return found


@pytest.fixture(scope="module")
def check(source: Path) -> Callable[[Document], None]:
    """Holds a document to the OpenAPI of kpack's resources, in which no field is unknown.

    The schemas within the CustomResourceDefinitions take any field; these do not.
    """
    text = (source / "api" / "openapi-spec" / "swagger.json").read_text()
    tables = json.loads(text)["definitions"]
    for table in tables.values():
        if "properties" in table:
            table["additionalProperties"] = False
        # What kpack itself writes is no part of a manifest.
        table["required"] = [name for name in table.get("required", []) if name != "status"]

    def validate(document: Document) -> None:
        version = document["apiVersion"].removeprefix("kpack.io/")
        reference = f"#/definitions/kpack.build.{version}.{document['kind']}"
        jsonschema.Draft4Validator({"$ref": reference, "definitions": tables}).validate(document)

    return validate


@pytest.mark.parametrize("document", OURS)
def test_valid(
    document: Document,
    definitions: dict[tuple[str, str], Document],
    check: Callable[[Document], None],
) -> None:
    """Each resource is what kpack's definition of its kind, and its OpenAPI, ask for."""
    jsonschema.validate(document, definitions[document["kind"], document["apiVersion"]])
    check(document)


def mutations(document: Document) -> Iterator[Document]:
    """The document with one field of its spec misspelt, or of another type."""
    for name in document["spec"]:
        misspelt, retyped = copy.deepcopy(document), copy.deepcopy(document)
        misspelt["spec"][f"{name}x"] = misspelt["spec"].pop(name)
        retyped["spec"][name] = True
        yield from (misspelt, retyped)


@pytest.mark.parametrize("document", OURS)
def test_mistakes_are_noticed(document: Document, check: Callable[[Document], None]) -> None:
    """A misspelt field, and one of another type, are not valid: the schema is no mere formality."""
    for mutant in mutations(document):
        with pytest.raises(jsonschema.ValidationError):
            check(mutant)


def test_every_feature_has_an_example() -> None:
    """Each way to configure kpack that the documentation names is in a manifest."""
    kinds = {document["kind"] for _, document in documents()}
    assert {
        "ClusterBuildpack", "ClusterStore", "ClusterStack", "ClusterLifecycle", "ClusterBuilder",
        "Image", "Secret", "ServiceAccount",
    } <= kinds  # fmt: skip
    images = [document["spec"] for _, document in documents() if document["kind"] == "Image"]
    assert {name for spec in images for name in spec["source"]} == {"git", "blob", "registry"}
    assert {name for spec in images for name in spec.get("cache", {})} == {"volume", "registry"}
    assert {name for spec in images for name in spec.get("build", {})} == {"env", "services"}
    assert all(spec["serviceAccountName"] == "builds" for spec in images)
