"""The functions of src/ that parse: found in its syntax trees, so that none is forgotten."""

from __future__ import annotations

import ast
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent.parent / "src"
# Calls that read a file, or turn text into something else.
_READING = frozenset({"read_text", "read_bytes", "loads", "read_string", "read_toml", "fromfile"})
_CALLS = frozenset(
    [
        *(
            "ast.parse",
            "netrc.netrc",
            "csv.reader",
            "self.data",
            "self.text",
            "file.read",
            "open",
            "binding.read",
        ),
        *(f"files.{name}" for name in ("data", "text", "toml", "json")),
    ]
)
_NAMES = ("parse", "read_", "_parse", "_read")
# Not of users' files. Everything else needs a target.
EXCLUDED = {
    "cnb.build._version": "buildpack.toml is the buildpack's own",
    "cnb.build.read_build_context": "gathers what the others read",
    "cnb.build_plan.write_build_plan": "writes",
    "cnb.target._read_os_release": "the build image's own file",
    "cnb.target.read_target": "the build image's own file, and the lifecycle's variables",
    "cnb.store.read_store": "store.toml is the buildpack's own, and the lifecycle's",
    "python_buildpack.byte_code.compile_modules": "writes",
    "python_buildpack.compile_script": "runs in the app's Python; takes what compile() takes",
    "python_buildpack.in_image.launch_variables": "the kernel's files, in the image",
    "python_buildpack.make_python.packaged_runtimes": "the package's own record",
    "python_buildpack.app_steps.transient.read_venv_metadata": "metadata that was found to fit already",
    "python_buildpack.packages.credentials.write_certificates": "certificates are copied as they are",
    "python_buildpack.packages.installer": "gathers what the others read",
    **dict.fromkeys(
        (
            f"python_buildpack.packages.{name}"
            for name in ("hash_checking", "kept_wheels", "uv_installer")
        ),
        "what uv and pip write for the buildpack",
    ),
    "python_buildpack.kept_trees": "what an earlier build kept; tests/unit/test_kept_trees.py",
    "python_buildpack.in_image.launch_wrapper": "words that direct_words made; a target runs them",
    "python_buildpack.main._read_and_decide": "gathers what the others read",
    "python_buildpack.managers.read": "a protocol's",
    "python_buildpack.runtime.releases.builtin_list": "the package's own data",
    "python_buildpack.runtime.releases.builtin_releases": "the package's own data",
    "python_buildpack.runtime.releases.builtin_support": "the package's own data",
    "python_buildpack.runtime.releases.parse_releases": "for scripts/package.py",
    "python_buildpack.describe.report.read_facts": "the buildpack's own metadata; tests/unit/test_report.py",
    "python_buildpack.packages.resolution": "what uv and pip write for the buildpack",
    "python_buildpack.runtime.contents.strip_tree": "an archive that was unpacked",
    "python_buildpack.runtime.archive": "archives are checked by hash; tests/unit/test_runtime.py",
    "python_buildpack.packages.shared_libraries._system_folders": "the build image's own file",
    "python_buildpack.describe.sizes": "RECORD as the installers write it anew; tests/unit/test_report.py",
    "python_buildpack.packages.tools": "the package's own wheels",
}


def parsers() -> dict[tuple[str, int], str]:
    """(file, first line) -> dotted name of every function that parses and is not excluded."""
    found: dict[tuple[str, int], str] = {}
    for path in sorted(SRC.rglob("*.py")):
        module = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef) and _parses(node):
                name = f"{module}.{node.name}"
                if name not in EXCLUDED and module not in EXCLUDED:
                    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                    found[str(path), first] = name
    return found


def _parses(function: ast.FunctionDef) -> bool:
    if function.name.startswith(_NAMES) or function.name == "read":
        return True
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in _CALLS or called.rpartition(".")[2] in _READING:
                return True
    return False
