"""SBOMs of real builds: valid for the formats' own libraries, and true to what is installed."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from lib4sbom.parser import SBOMParser
from packageurl import PackageURL
from packaging.utils import canonicalize_name
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from tests.managers.conftest import Builder, Built, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import (
    Distribution,
    write_git,
    write_sdist,
    write_source,
    write_wheel,
)

# As setuptools wrote whole licences: folded, blank lines as spaces.
FOLDED = "License: MIT License\n        \n        Permission is hereby granted\n        "


@pytest.fixture
def filled(index: SimpleIndex, app: Path, tmp_path: Path) -> SimpleIndex:
    """An index, and an app that takes packages from it and from everywhere else."""
    wheels = (
        Distribution(
            name="Top.Most",
            version="1.0+local.1",
            requires=["base>=1", "middle[fancy]", "never; sys_platform == 'win32'"],
            fields=["License-Expression: mit OR Apache-2.0"],
        ),
        Distribution(name="base", version="2.0", fields=["License: Apache License 2.0"]),
        Distribution(
            name="middle",
            extras={"fancy": ["lace"], "plain": ["base"]},
            fields=["Classifier: License :: OSI Approved :: BSD License"],
        ),
        Distribution(name="optional", fields=[FOLDED], requires=["base"]),
        Distribution(name="chosen", extras={"more": ["optional"]}),
    )
    index.add(*(write_wheel(one, tmp_path) for one in wheels))
    index.add(write_sdist(Distribution(name="lace"), tmp_path))
    write_source(Distribution(name="local", requires=["base"]), app / "libs" / "local")
    bare, commit = write_git(Distribution(name="from-git"), tmp_path)
    index.folders["git"] = bare.parent
    url = f"http://127.0.0.1:{index.host.partition(':')[2]}/git/{bare.name}"
    requirements = f"Top.Most\nchosen[more]\n-e libs/local\nfrom-git @ git+{url}@{commit}\n"
    write_files(app, {"requirements.txt": requirements})
    return index


def read(built: Built, layer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The CycloneDX and the SPDX document of a layer, after the formats' own judgement."""
    cyclonedx = built.layers / f"{layer}.sbom.cdx.json"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx.read_text()) is None
    spdx = built.layers / f"{layer}.sbom.spdx.json"
    assert validate_full_spdx_document(parse_file(str(spdx))) == []
    return json.loads(cyclonedx.read_text()), json.loads(spdx.read_text())


def installed(built: Built) -> dict[str, str]:
    """What importlib.metadata finds in the layer."""
    (site,) = built.venv.glob("lib/python3*/site-packages")
    found = importlib.metadata.distributions(path=[str(site)])
    return {str(canonicalize_name(one.metadata["Name"])): one.version for one in found}


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_packages(build: Builder, app: Path, filled: SimpleIndex, installer: str) -> None:
    """Components are what is installed: purl, version, licence, hash, graph; in both formats."""
    built = build(app, PIP_INDEX_URL=filled.url, BP_PIP_INSTALLER=installer).passed()
    cyclonedx, spdx = read(built, "venv")

    components = {one["name"]: one for one in cyclonedx["components"]}
    packages = {one["name"]: one for one in spdx["packages"][1:]}
    assert {name: one["version"] for name, one in components.items()} == installed(built)
    assert {name: one["versionInfo"] for name, one in packages.items()} == installed(built)
    assert len(components) == 8

    licences = {
        name: one.get("licenses", [{}])[0].get("expression") for name, one in components.items()
    }
    assert licences == {
        "top-most": "MIT OR Apache-2.0",
        "base": "Apache-2.0",
        "optional": "MIT",
        **dict.fromkeys(("middle", "lace", "local", "from-git", "chosen")),
    }
    assert components["middle"]["licenses"][0]["license"]["name"] == "BSD License"
    assert packages["top-most"]["licenseDeclared"] == "MIT OR Apache-2.0"
    assert packages["middle"]["licenseDeclared"].startswith("LicenseRef-BSD-License-")
    assert packages["lace"]["licenseDeclared"] == "NOASSERTION"

    for name, one in components.items():
        purl = PackageURL.from_string(one["purl"])
        assert (purl.to_string(), purl.name, purl.version) == (one["purl"], name, one["version"])
        assert purl.type == ("generic" if name == "local" else "pypi")
        (reference,) = packages[name]["externalRefs"]
        assert reference["referenceLocator"] == one["purl"]
        files = list(filled.files.get(name, {}).values())
        assert [h["content"] for h in one.get("hashes", [])] == [file.sha256 for file in files]
        assert [h["checksumValue"] for h in packages[name].get("checksums", [])] == [
            file.sha256 for file in files
        ]
        assert packages[name].get("packageFileName") == (files[0].name if files else None)
    vcs = PackageURL.from_string(components["from-git"]["purl"]).qualifiers["vcs_url"]
    assert vcs.startswith("git+http://127.0.0.1:")

    names = {one["bom-ref"]: name for name, one in components.items()}
    names["layer:venv"] = "layer"
    graph = {
        names[one["ref"]]: {names[ref] for ref in one["dependsOn"]}
        for one in cyclonedx["dependencies"]
    }
    assert graph == {
        "layer": {"top-most", "chosen", "from-git", "local"},
        "top-most": {"base", "middle"},
        "middle": {"lace"},
        "chosen": {"optional"},
        "optional": {"base"},
        "local": {"base"},
        **{name: set() for name in ("base", "lace", "from-git")},
    }
    ids = {one["SPDXID"]: one["name"] for one in spdx["packages"]}
    ids["SPDXRef-layer-venv"] = "layer"
    assert {name: set() for name in graph} | {
        ids[one["spdxElementId"]]: {
            ids[other["relatedSpdxElement"]]
            for other in spdx["relationships"]
            if other["relationshipType"] == "DEPENDS_ON"
            and other["spdxElementId"] == one["spdxElementId"]
        }
        for one in spdx["relationships"]
        if one["relationshipType"] == "DEPENDS_ON"
    } == graph


def test_runtime(build: Builder, app: Path) -> None:
    """The python layer has one component: CPython, by the names that vulnerability data uses."""
    write_files(app, {"main.py": ""})
    built = build(app).passed()
    cyclonedx, spdx = read(built, "python")
    (component,) = cyclonedx["components"]
    version = component["version"]
    assert component["type"] == "platform"
    assert component["purl"] == f"pkg:generic/python@{version}"
    assert component["cpe"].startswith(f"cpe:2.3:a:python:python:{version}:")
    key = built.metadata("python")["key"]
    assert component["hashes"] == [{"alg": "SHA-256", "content": key["archive_sha256"]}]
    assert version == key["version"]
    assert {one["referenceType"] for one in spdx["packages"][1]["externalRefs"]} == {
        "purl",
        "cpe23Type",
    }
    empty, _ = read(built, "venv")
    assert empty["components"] == []


def test_none_wanted(build: Builder, app: Path) -> None:
    """Restored SBOMs go, and nothing else happens; one asked for later makes the layers anew."""
    write_files(app, {"main.py": ""})
    assert not list(build(app, BP_DISABLE_SBOM="true").passed().layers.glob("*.sbom.*"))
    again = build(app, keep=True).passed()
    assert again.log.count("the earlier build made no SBOM of it") == 2
    assert len(list(again.layers.glob("*.sbom.*"))) == 4
    off = build(app, keep=True, BP_DISABLE_SBOM="true").passed()
    assert "Reusing packages" in off.log and "Reusing Python" in off.log
    assert not list(off.layers.glob("*.sbom.*"))


def test_the_same_bytes_for_another_reader(build: Builder, app: Path, filled: SimpleIndex) -> None:
    """Two builds from nothing write the same documents: no clock and no chance is in them.

    lib4sbom, a reader that has nothing to do with this code, finds the same in both formats.
    """
    names = [
        f"{layer}.sbom.{kind}.json" for layer in ("python", "venv") for kind in ("cdx", "spdx")
    ]
    first = build(app, PIP_INDEX_URL=filled.url).passed()
    bytes_of = {name: (first.layers / name).read_bytes() for name in names}
    second = build(app, PIP_INDEX_URL=filled.url).passed()
    assert {name: (second.layers / name).read_bytes() for name in names} == bytes_of
    for kind in ("cdx", "spdx"):
        parser = SBOMParser()
        parser.parse_file(str(second.layers / f"venv.sbom.{kind}.json"))
        found = {
            one["name"]: one.get("version")
            for one in parser.get_packages()
            if not one["name"].startswith("pycnb/")
        }
        assert found == installed(second)


def test_no_credentials(
    build: Builder, app: Path, other_index: SimpleIndex, tmp_path: Path
) -> None:
    """Neither an index's nor a direct URL's user and password are in it."""
    wheel = write_wheel(Distribution(name="secret"), tmp_path)
    direct = write_wheel(Distribution(name="direct"), tmp_path)
    other_index.add(wheel, direct)
    base = other_index.url_with_credentials.removesuffix("simple/")
    write_files(app, {"requirements.txt": f"secret\ndirect @ {base}files/direct/{direct.name}\n"})
    built = build(app, PIP_INDEX_URL=other_index.url_with_credentials).passed()
    cyclonedx, _ = read(built, "venv")
    purls = {one["name"]: PackageURL.from_string(one["purl"]) for one in cyclonedx["components"]}
    assert purls["direct"].qualifiers["download_url"].endswith(f"/files/direct/{direct.name}")
    for path in built.layers.glob("*.sbom.*"):
        assert "s3cret-pa55" not in path.read_text()
        assert "alice" not in path.read_text()
