"""The recipes of docs/ci and this project's own workflows: what they run, and the lints of their field."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from go_tools import TOOLS_DIR, ensure_tools

ROOT = TOOLS_DIR.parent
RECIPES = ROOT / "docs" / "ci"
WORKFLOWS = ROOT / ".github" / "workflows"
ACTIONLINT = "github.com/rhysd/actionlint"
TEKTON = "github.com/tektoncd/pipeline"


def read_yaml(path: Path) -> Any:
    """A YAML 1.2 document."""
    return YAML(typ="safe").load(path)


def gitlab_script(path: Path) -> str:
    """The shell script of the one job."""
    return "\n".join(read_yaml(path)["build-image"]["script"])


def tekton_script(path: Path) -> str:
    """The shell script of the one step."""
    (step,) = read_yaml(path)["spec"]["steps"]
    return str(step["script"])


def jenkins_script(path: Path) -> str:
    """The shell script of the one `sh`, as Groovy reads a string in three quotes."""
    (text,) = re.findall(r"sh '''(.*?)'''", path.read_text(), re.DOTALL)
    return str(text).replace("\\\n", "").replace("\\\\", "\\")


def github_script(path: Path) -> str:
    """The shell script of the one step that runs one."""
    (job,) = read_yaml(path)["jobs"].values()
    (script,) = (step["run"] for step in job["steps"] if "run" in step)
    return str(script)


def lint_workflow(path: Path, log: Callable[[str], None]) -> str:
    """What actionlint and the workflow schema complain of; empty: nothing."""
    program = ensure_tools("actionlint", ACTIONLINT, ("cmd/actionlint",), log)
    return _output(str(program / "actionlint"), "-no-color", str(path)) + _schema(
        "vendor.github-workflows", path
    )


def lint_gitlab(path: Path) -> str:
    """What GitLab's own schema complains of."""
    return _schema("vendor.gitlab-ci", path)


def lint_tekton(path: Path, log: Callable[[str], None]) -> str:
    """What Tekton's webhook would complain of: its own validation is run."""
    program = ensure_tools("tekton", TEKTON, ("./validate",), log) / "validate"
    return _output(str(program), stdin=path.read_text())


def lint_jenkins(path: Path) -> str:
    """What a parser of Groovy complains of."""
    program = (
        "import sys\n"
        "from groovy_parser.parser import parse_groovy_content\n"
        "parse_groovy_content(sys.stdin.read())\n"
    )
    return _output(sys.executable, "-c", program, stdin=path.read_text())


def _schema(name: str, path: Path) -> str:
    return _output(sys.executable, "-m", "check_jsonschema", "--builtin-schema", name, str(path))


def _output(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""
