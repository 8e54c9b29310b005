"""Detect: does the app root hold any sign of a Python app? Looks at names only, imports little."""

from __future__ import annotations

import os
import sys

from cnb import exit_codes
from cnb.build_plan import write_build_plan
from cnb.detect import read_detect_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MARKER_FILES = (
    "requirements.txt",
    "Pipfile",
    "Pipfile.lock",
    "poetry.lock",
    "pyproject.toml",
    "uv.lock",
    "pdm.lock",
    "setup.py",
    "setup.cfg",
    ".python-version",
    "runtime.txt",
    "manage.py",
    "app.py",
    "main.py",
    "wsgi.py",
    "asgi.py",
)
# A near miss passes, so that build can name the right spelling.
MISSPELT_REQUIREMENTS = (
    "requirement.txt",
    "requirements.text",
    "requirments.txt",
    "requiremnts.txt",
    "requirements.tx",
    "requirements",
    "requirement",
    "requirements.txt.txt",
    "require.txt",
    "reqs.txt",
)
# What was probably meant: in lower case, with plain hyphens.
_MISSPELT_VERSION_FILES = {
    ".python-version": (
        *(".python_version", "python-version", "python_version", ".pythonversion", "pythonversion"),
        *(".python-versions", "python-versions", ".python.version", "python.version"),
        *(".python-version.txt", "python-version.txt", ".python_version.txt", "python_version.txt"),
        *(".python-verison", ".python-vesion", ".python-verion", ".python-versoin"),
        *(".pyhton-version", ".phyton-version", ".pyton-version", ".pythn-version"),
        *(".py-version", ".pyversion"),
    ),
    "runtime.txt": (
        *("runtime.text", "runtime.tx", "runtime.txt.txt", "runtimes.txt", "runtim.txt"),
        *("runtme.txt", "rutime.txt", "rumtime.txt", "run-time.txt", "run_time.txt"),
        "python-runtime.txt",
    ),
}
_HYPHENS = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2212", "------")
VENV_MARKERS = (os.path.join(".venv", "pyvenv.cfg"), os.path.join("venv", "pyvenv.cfg"))  # noqa: PTH118


def is_misspelt_requirements(name: str) -> bool:
    """True for names that were probably meant to be `requirements.txt`."""
    lower = name.lower()
    return name != "requirements.txt" and (
        lower == "requirements.txt" or lower in MISSPELT_REQUIREMENTS
    )


def misspelt_version_file(name: str) -> str | None:
    """The name that was probably meant, `.python-version` or `runtime.txt`; None for others."""
    usual = name.strip().lower().translate(_HYPHENS)
    for right, misspelt in _MISSPELT_VERSION_FILES.items():
        if name != right and (usual == right or usual in misspelt):
            return right
    return None


def python_sign(app_dir: str, script: str = "") -> str | None:
    """The name of the first sign of a Python app in `app_dir`, or None."""
    try:
        names = os.listdir(app_dir)  # noqa: PTH208
    except OSError:
        return None
    present = frozenset(names)
    for name in _telling(present):
        if not os.path.isdir(os.path.join(app_dir, name)):  # noqa: PTH112, PTH118
            return name
    for marker in VENV_MARKERS:
        if os.path.isfile(os.path.join(app_dir, marker)):  # noqa: PTH113, PTH118
            return marker
    if script.endswith(".py"):
        return script
    if "Procfile" in present and _procfile_names_python(os.path.join(app_dir, "Procfile")):  # noqa: PTH118
        return "Procfile"
    return None


def _telling(present: frozenset[str]) -> Iterator[str]:
    yield from (name for name in MARKER_FILES if name in present)
    for name in sorted(present):
        if (
            name == "pylock.toml"
            or (name.startswith("pylock.") and name.endswith(".toml"))
            or is_misspelt_requirements(name)
            or misspelt_version_file(name)
        ):
            yield name


def misspelt_procfiles(names: Iterable[str]) -> list[str]:
    """Of an app's file names those that were meant to be `Procfile`; none where that is there."""
    found = [name for name in names if name.lower() in ("procfile", "procfile.txt")]
    return [] if "Procfile" in found else sorted(found)


def _procfile_names_python(path: str) -> bool:
    if not os.path.isfile(path):  # noqa: PTH113 - a pipe would be waited for
        return False
    try:
        with open(path, "rb") as file:
            words = file.read(65536).split()
    except OSError:
        return False
    return any(word.endswith(b".py") for word in words)


def detect(argv: list[str], environ: Mapping[str, str]) -> int:
    """Run detect: exit code 0 (pass), 100 (no Python app here)."""
    context = read_detect_context(argv, environ, os.getcwd())  # noqa: PTH109
    if environ.get("BP_PYTHON_DISABLE", "").strip().lower() in ("1", "true", "yes", "on"):
        print("BP_PYTHON_DISABLE is set: the Python buildpack stands aside.")
        return exit_codes.FAIL
    project_dir = environ.get("BP_PYTHON_PROJECT_DIR", "").strip()
    root = os.path.join(context.app_dir, project_dir) if project_dir else context.app_dir  # noqa: PTH118
    sign = python_sign(root, environ.get("BP_PYTHON_SCRIPT", "").strip())
    if sign is None and environ.get("BP_PIP_REQUIREMENT", "").strip():
        # Build tells where such a file is missing.
        sign = "BP_PIP_REQUIREMENT"
    if project_dir and not os.path.isdir(root):  # noqa: PTH112
        # Build tells what is wrong with it.
        sign = "BP_PYTHON_PROJECT_DIR"
    if sign is None:
        print(
            "No Python app found. Looked for: "
            + ", ".join(MARKER_FILES)
            + ", pylock.toml, a Procfile that names a .py file."
        )
        try:
            names = sorted(os.listdir(root))  # noqa: PTH208
            print("Found: " + ", ".join(names[:50]))
            for name in misspelt_procfiles(names):
                print(f"{name} is not read: its name must be Procfile.")
            script = next((name for name in names if name.endswith(".py")), "")
            if script:
                print(f"To build {script}: echo 'web: python {script}' > Procfile")
        except OSError as error:
            print(f"{root} cannot be listed: {error}", file=sys.stderr)
        return exit_codes.FAIL
    write_build_plan(
        context.plan_path,
        [(["python", "venv"], [("python", {"launch": True}), ("venv", {"launch": True})])],
    )
    return exit_codes.PASS
