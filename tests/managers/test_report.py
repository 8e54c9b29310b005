"""The build report of real builds: the label, the file, after a failure, after no change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from tests.managers.conftest import ROOT, Builder, Built, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_wheel

from cnb.toml import read_toml

SCHEMA = json.loads((ROOT / "docs" / "build-report.schema.json").read_bytes())


def label(built: Built) -> str:
    """The label as it comes into the image."""
    labels = read_toml(built.layers / "launch.toml")["labels"]
    return str({one["key"]: one["value"] for one in labels}["io.pycnb.python.report"])


def checked(text: str) -> dict[str, Any]:
    """The report, which the schema must allow."""
    report = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    return dict(report)


def test_report(build: Builder, app: Path, index: SimpleIndex, tmp_path: Path) -> None:
    """The label is the same from nothing and without change; the file tells each build's story."""
    index.add(
        write_wheel(Distribution(name="big", files={"big.py": "#" * 5000}), tmp_path),
        write_wheel(Distribution(name="small", files={"small.py": "1\n"}), tmp_path),
    )
    write_files(
        app,
        {
            "requirements.txt": "small\nbig\n",
            "Procfile": "web: python -m big\nother: sh -c 'a b'\n",
        },
    )
    file = tmp_path / "reports" / "build.json"
    settings = {"PIP_INDEX_URL": index.url, "BP_BUILD_REPORT_PATH": str(file)}

    cold = build(app, **settings).passed()
    first, written = label(cold), checked(file.read_text())
    report = checked(first)
    assert "build" not in report
    assert report["packages"]["count"] == 2
    assert [one["name"] for one in report["packages"]["largest"]] == ["big", "small"]
    on_disk = [p for p in cold.venv.rglob("*") if p.is_file() and not p.is_symlink()]
    assert report["layers"]["venv"] == {
        "bytes": sum(path.stat().st_size for path in on_disk),
        "files": len(on_disk),
    }
    assert [one["type"] for one in report["processes"]] == ["web", "other"]
    story = written.pop("build")
    assert written == report
    assert story["layers"]["venv"]["action"] == "made"
    assert [one["name"] for one in story["steps"]] == ["Python", "Packages", "Launch"]
    assert any("No Python version" in text for text in story["warnings"])

    warm = build(app, keep=True, **settings).passed()
    assert label(warm) == first
    assert checked(file.read_text())["build"]["layers"] == {
        "python": {"action": "reused", "reasons": []},
        "venv": {"action": "reused", "reasons": []},
    }

    write_files(app, {"requirements.txt": "small\n"})
    build(app, keep=True, **settings).passed()
    reasons = checked(file.read_text())["build"]["layers"]["venv"]["reasons"]
    assert reasons == ["requirements.txt changed", "removed big"]

    write_files(app, {"requirements.txt": "absent\n"})
    assert build(app, keep=True, **settings).code == 1
    failed = checked(file.read_text())
    assert failed["build"]["result"] == "failed"
    assert failed["build"]["error"]["id"] == "install-package-missing"


def test_a_path_that_cannot_be_written(build: Builder, app: Path) -> None:
    """The report is lost, and the log says so; the build is not."""
    write_files(app, {"main.py": "", "file": ""})
    built = build(app, BP_BUILD_REPORT_PATH="file/report.json").passed()
    assert (
        "The build report (BP_BUILD_REPORT_PATH) was not written to file/report.json" in built.log
    )
