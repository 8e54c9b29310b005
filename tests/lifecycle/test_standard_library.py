"""The trimmed runtime still imports every module that an app can use."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import host_python
from python_buildpack.runtime import contents

DOCS = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
# What the trim recipe takes away, as docs/performance.md tells users.
REMOVED = (
    "test",
    "idlelib",
    "tkinter",
    "turtle",
    "turtledemo",
    "ensurepip",
    "pip",
)
# CPython's own tests of itself, which docs call that.
OWN_TESTS = re.compile(r"(_?test|_?xxtest|xx|_ctypes_test|_tkinter|__phello__)|.*\.tests?(\.|$)")

# Prints which modules of the standard library at sys.argv[1] this Python can import.
IMPORT_ALL = """
import importlib, json, os, pathlib, sys
os.environ["BROWSER"] = "true"
root = pathlib.Path(sys.argv[1])
names = set(sys.builtin_module_names)
for path in [*root.rglob("*.py"), *(root / "lib-dynload").glob("*.so")]:
    words = path.relative_to(root).parts
    if words[0] in ("site-packages", "__pycache__") or words[0].startswith("config-"):
        continue
    if words[0] == "lib-dynload":
        words = (words[-1].split(".")[0],)
    words = [word.removesuffix(".py") for word in words]
    if words[-1] == "__init__":
        del words[-1]
    if words and words[-1] != "__main__" and all(word.isidentifier() for word in words):
        names.add(".".join(words))
found = []
sys.stdout = sys.stderr = open(os.devnull, "w")
for name in sorted(names - {"antigravity"}):
    if name.split(".")[0] in ("test", "idlelib", "turtledemo") or ".test" in name:
        found.append(name)  # whether it is there counts: it need not run
        continue
    try:
        importlib.import_module(name)
        found.append(name)
    except BaseException:
        pass
os.write(1, json.dumps(found).encode())
os._exit(0)
"""


def importable(python: Path | str, library: Path) -> set[str]:
    """The modules below `library` that `python` imports."""
    done = subprocess.run(
        [python, "-I", "-c", IMPORT_ALL, library], stdout=subprocess.PIPE, check=True, env={}
    )
    return set(json.loads(done.stdout))


def test_every_module_imports(buildpack: Path) -> None:
    """What the untrimmed CPython imports, the runtime imports; except the documented removals."""
    host = host_python.find_host_python()
    library = Path(
        subprocess.check_output(
            [host, "-I", "-c", "import os; print(os.path.dirname(os.__file__))"], text=True
        ).strip()
    )
    minor = library.name
    before = importable(host, library)
    trimmed = buildpack / "runtime" / "cpython"
    after = importable(trimmed / "bin" / minor, library)
    assert len(before) > 500
    # Test suites are not run by either: what is not there cannot be imported.
    gone = {
        name
        for name in before
        if name not in after
        or not (contents.is_kept(f"lib/{minor}/{name.replace('.', '/')}/__init__.py"))
    }
    unexpected = {
        name for name in gone if name.split(".")[0] not in REMOVED and not OWN_TESTS.match(name)
    }
    assert unexpected == set()
    assert {"ensurepip", "turtle"} <= gone | (set(REMOVED) - before)


def test_removals_are_documented() -> None:
    """docs/performance.md names each of them."""
    text = DOCS.read_text()
    assert [name for name in REMOVED if f"`{name}`" not in text] == []
