"""What the log tells of a build that passes, for whoever has nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.managers.conftest import Builder, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_wheel


def test_nothing_to_install(build: Builder, app: Path, workplace: Path) -> None:
    """No installation is told of; the process with its line, and once; the plan without an owner.

    A module that cannot be byte-compiled is told.
    """
    write_files(app, {"main.py": "", "Procfile": "# ours\nweb: python main.py\n"})
    write_files(app, {"lib/module.py": "", "lib/__pycache__": "no directory"})
    (workplace / "plan.toml").write_text(
        '[[entries]]\nname = "venv"\n[[entries]]\nname = "python"\nmetadata = {version = "3.*"}\n'
    )
    log = build(app, BP_LOG_LEVEL="debug").passed().log
    assert "only Python is installed" in log
    assert "Installing packages" not in log
    assert "       Preparing the launch environment: there is no earlier build to reuse\n" in log
    assert "web (default): python main.py (Procfile line 2)\n" in log
    assert log.count("python main.py") == 1
    plan = "service bindings: none; asked for in the build plan: python version='3.*', venv\n"
    assert plan in log
    assert "Warning: Modules of the app were left without byte code:\n" in log
    assert f"{app}/lib/__pycache__" in log


def test_a_module_that_is_nowhere(
    build: Builder, app: Path, index: SimpleIndex, workplace: Path
) -> None:
    """A server's application that neither the app nor a package has is told while it is built.

    So are scripts, where a word can be nothing else.
    """
    for name in ("gunicorn", "shop"):
        index.add(write_wheel(Distribution(name=name), workplace / "wheels"))
    commands = ["gone:app", "shop:app", "main:app", "site.wsgi", "wsgiref.simple_server:demo_app"]
    # Words that are no script's name.
    commands += ["--config=a.py shop:app", "-ca.py shop:app", "shop:app --extra $HOME/a.py"]
    procfile = "".join(f"p{n}: gunicorn {words}\n" for n, words in enumerate(commands, start=1))
    procfile += "q1: CONF=a.py gunicorn shop:app\nq2: python ${APP_ROOT}/a.py\nq3: python a.py\n"
    requirements = {"requirements.txt": "gunicorn\nshop\n"}
    write_files(app, {"main.py": "", "site/wsgi.py": "", "Procfile": procfile, **requirements})
    warnings = [
        line.partition("Procfile ")[2]
        for line in build(app, PIP_INDEX_URL=index.url).passed().log.splitlines()
        if "Warning: Procfile" in line
    ]
    assert warnings == [
        "line 1: neither the app nor its packages have a module gone.",
        "line 11: there is no a.py in the app.",
    ]
