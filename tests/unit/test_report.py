"""The build report, its schema, the closing table."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cnb.launch import Process
from python_buildpack.describe import summary
from python_buildpack.describe.report import (
    VERSION,
    Image,
    LayerFacts,
    Step,
    as_label,
    build_report,
    cleaned,
    facts_table,
    image_report,
    read_facts,
)
from python_buildpack.describe.report_file import write_report
from python_buildpack.describe.sizes import directory_size, largest_packages
from python_buildpack.log import Log

SCHEMA_FILE = Path(__file__).resolve().parent.parent.parent / "docs" / "build-report.schema.json"
SCHEMA = json.loads(SCHEMA_FILE.read_bytes())
VENV = LayerFacts(size=(7_000_000, 500), largest={"torch": 9, "flask": 5}, installer="uv 1.0")
BIG = {"venv": LayerFacts(size=(12345678, 1))}
IMAGE = Image(
    buildpack="1.2.3",
    python="3.13.2",
    asked=".python-version line 1: 3.13",
    manager="pip",
    installer_reason="it is faster",
    packages={"torch": "2.0", "flask": "3.0"},
    facts={"python": LayerFacts(size=(40, 2)), "venv": VENV},
    processes=[Process(type="web", command=("a", "b"), args=("c",), default=True)],
)


def file(image: dict[str, Any] | None, **error: str) -> dict[str, Any]:
    """A report with times."""
    return build_report(
        image,
        buildpack="1.2.3",
        started="2026-01-02T03:04:05+00:00",
        seconds=1.23456,
        python_from="the default",
        steps=[Step(name="Python", seconds=1.0)],
        layers={"python": (), "venv": ("requirements.txt changed",)},
        warnings=["old"],
        error=error or None,
    )


def test_schema() -> None:
    """The label, the file, and the file of a build that failed early are what the schema says."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    label = image_report(IMAGE)
    failed = file(None, id="lock-stale", title="t", body="b")
    for report in (label, file(label), failed):
        validator.validate(report)
    assert SCHEMA["properties"]["report_version"]["const"] == VERSION
    assert file(label)["build"]["layers"] == {
        "python": {"action": "reused", "reasons": []},
        "venv": {"action": "made", "reasons": ["requirements.txt changed"]},
    }
    # And it is not satisfied by everything.
    wrong: list[dict[str, Any]] = [
        {**label, "report_version": 2},
        {**label, "layers": {"other": {"bytes": 1, "files": 1}}},
        {name: value for name, value in label.items() if name != "python"},
        file(None),
        {**failed, "build": {**failed["build"], "result": "passed"}},
    ]
    for report in wrong:
        assert not validator.is_valid(report)


def test_label_is_one_line() -> None:
    """Whatever order the report is in."""
    report = image_report(IMAGE)
    assert as_label(report) == as_label(dict(reversed(list(report.items()))))
    assert "\n" not in as_label(report)
    assert json.loads(as_label(report)) == report


def test_secrets_are_found_in_the_texts_not_in_the_json(tmp_path: Path) -> None:
    """Whatever they hold, and whatever stands beside them; label and file stay JSON."""
    log = Log(io.StringIO())
    log.hide(['pa"ss\\word', "1234"])
    url = Process(
        type="web", command=("python", "app.py"), args=("--url", "http://${HOST}:${PORT}")
    )
    address = Process(type="worker", command=("celery",), args=("-n", "worker@example.com"))
    secret = Process(type="other", command=('pa"ss\\word', "http://u:p@host/"), args=("1234",))
    processes = [url, address, secret]
    report = image_report(dataclasses.replace(IMAGE, processes=processes, facts=BIG))
    path = tmp_path / "new" / "report.json"
    write_report(path, report, log)
    for text in (as_label(cleaned(report, log.clean)), path.read_text()):
        read = json.loads(text)
        assert [one["command"] for one in read["processes"]] == [
            ["python", "app.py", "--url", "http://${HOST}:${PORT}"],
            ["celery", "-n", "worker@example.com"],
            ["****", "http://****@host/", "****"],
        ]
        assert read["layers"] == {"venv": {"bytes": 12345678, "files": 1}}


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    """They are written as JSON writes such characters; a path that cannot be is worth a warning."""
    stream = io.StringIO()
    path = tmp_path / "report.json"
    write_report(path, {"name": "caf\udce9"}, Log(stream))
    assert json.loads(path.read_bytes()) == {"name": "caf\udce9"}
    write_report(Path("a\0b"), {}, Log(stream))
    assert "was not written" in stream.getvalue()


def test_the_installer_and_its_reason_belong_together() -> None:
    """Where pip took over from uv, what spoke for uv is no reason."""
    assert image_report(IMAGE)["packages"]["installer_reason"] == "it is faster"
    pip = dataclasses.replace(VENV, installer="pip", installer_reason="uv could not install this")
    reused = read_facts({"facts": facts_table(pip)})
    packages = image_report(dataclasses.replace(IMAGE, facts={"venv": reused}))["packages"]
    assert packages["installer"] == "pip"
    assert packages["installer_reason"] == "uv could not install this"


def test_facts_survive_the_metadata() -> None:
    """The lifecycle sorts keys and makes numbers floats; what is odd or absent is no facts at all."""
    table = {**facts_table(VENV), "bytes": 7e6, "files": 500.0}
    table["largest"] = {name: float(size) for name, size in sorted(VENV.largest.items())}
    assert read_facts({"facts": table}) == VENV
    assert list(read_facts({"facts": table}).largest) == ["torch", "flask"]
    assert isinstance(read_facts({"facts": table}).largest["torch"], int)
    others: list[dict[str, Any]] = [
        {},
        {"facts": 1},
        {"facts": {}},
        {"facts": {"bytes": "1", "largest": []}},
    ]
    for odd in others:
        assert read_facts(odd) == LayerFacts()


def test_sizes(tmp_path: Path) -> None:
    """A file with two names counts once, byte code counts for its package."""
    files = {
        "six.py": 10,
        "__pycache__/six.cpython-313.pyc": 5,
        "flask/app.py": 100,
        "flask/__pycache__/app.cpython-313.pyc": 50,
        "flask/static/x.css": 7,
        "google/one/a.py": 3,
        "google/two/b.py": 4,
        "fast.cpython-313-x86_64-linux-gnu.so": 20,
    }
    owners = {
        "six": ["six.py"],
        "Flask": ["flask/app.py", "flask/static/x.css", "../../../bin/flask"],
        "google_one": ["google/one/a.py"],
        "google_two": ["google/two/b.py"],
        "fast": ["fast.cpython-313-x86_64-linux-gnu.so"],
    }
    for name, size in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "again.py").hardlink_to(tmp_path / "flask" / "app.py")
    (tmp_path / "link.py").symlink_to("flask/app.py")
    assert directory_size(tmp_path) == (sum(files.values()), len(files))
    for name, rows in owners.items():
        record = tmp_path / f"{name}-1.0.dist-info" / "RECORD"
        record.parent.mkdir()
        record.write_text("".join(f"{row},,\n" for row in rows))
    assert largest_packages(tmp_path, 4) == {"flask": 157, "fast": 20, "six": 15, "google-two": 4}


def test_malformed_record(tmp_path: Path) -> None:
    """What can be read of it counts: a field that never ends is too long for the csv module."""
    (tmp_path / "odd.py").write_text("x")
    record = tmp_path / "odd-1.0.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text('odd.py,,\n"' + "x" * 200_000)
    assert largest_packages(tmp_path) == {"odd": 1}


@pytest.mark.parametrize(
    ("size", "packages", "said"),
    [
        (summary.LARGE - 1, ("torch", "nvidia-cublas"), ()),
        (summary.LARGE, ("torch",), ("torch 2.0 MB",)),
        (summary.LARGE, ("torch", "nvidia-cublas"), ("torch 2.0 MB", "UV_TORCH_BACKEND=cpu")),
        (summary.LARGE, ("tensorflow", "nvidia-cublas"), ("torch 2.0 MB", "tensorflow-cpu")),
    ],
)
def test_advice_on_large_images(
    size: int, packages: tuple[str, ...], said: tuple[str, ...]
) -> None:
    """The largest packages, and for builds with CUDA the way to the one without."""
    facts = LayerFacts(size=(size, 1), largest={"torch": 2_000_000})
    text = summary.about_size(dict.fromkeys(packages, "1.0"), facts)
    assert bool(text) == bool(said)
    for words in said:
        assert words in text
    assert len(text.splitlines()) == len(said)


def test_table() -> None:
    """Columns are aligned; what is not known is left out."""
    text = summary.summary(
        "3.13.2 (the default)",
        {"flask": "3.0"},
        "pip",
        {"python": LayerFacts(), "venv": VENV},
        {"python": True, "venv": False},
        ["web", "worker"],
    )
    assert text.splitlines() == [
        "Python     3.13.2 (the default)                          reused",
        "Packages   1 package (pip, installed by uv 1.0)  7.0 MB  made",
        "Processes  web, worker",
    ]
