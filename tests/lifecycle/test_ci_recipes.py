"""The recipes of docs/ci: right for their system, and fast where it matters: run for real."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.lifecycle.test_build import reused

import ci_recipes
import oci_layout
import registry
from local_platform import PLATFORM_API, RUN_IMAGE, Build, Workspace, fresh
from pack_cli import ensure_pack

RECIPES = ci_recipes.RECIPES
SCRIPTS: Mapping[str, Callable[[Path], str]] = {
    "github-actions.yml": ci_recipes.github_script,
    "gitlab-ci.yml": ci_recipes.gitlab_script,
    "tekton.yaml": ci_recipes.tekton_script,
    "Jenkinsfile": ci_recipes.jenkins_script,
}
# How each names the commit, the image without a tag, and the directory with the source.
VARIABLES = {
    "gitlab-ci.yml": ("CI_COMMIT_SHA", "CI_REGISTRY_IMAGE", "CI_PROJECT_DIR"),
    "tekton.yaml": ("REVISION", "IMAGE", "SOURCE"),
    "Jenkinsfile": ("GIT_COMMIT", "IMAGE", "WORKSPACE"),
}


def test_every_recipe_has_a_row() -> None:
    """Nothing lies in docs/ci that is not linted and run here."""
    assert {path.name for path in RECIPES.iterdir()} == {*SCRIPTS, "README.md"}
    readme = (RECIPES / "README.md").read_text()
    assert [name for name in SCRIPTS if f"]({name})" not in readme] == []


@pytest.mark.parametrize(
    "path",
    [RECIPES / "github-actions.yml", *sorted(ci_recipes.WORKFLOWS.iterdir())],
    ids=lambda path: str(path.name),
)
def test_workflows(path: Path) -> None:
    """actionlint and the schema have nothing to say."""
    assert ci_recipes.lint_workflow(path, print) == ""


def test_other_recipes() -> None:
    """GitLab's schema, Tekton's own validation, a Groovy parser: nothing to say."""
    assert ci_recipes.lint_gitlab(RECIPES / "gitlab-ci.yml") == ""
    assert ci_recipes.lint_tekton(RECIPES / "tekton.yaml", print) == ""
    assert ci_recipes.lint_jenkins(RECIPES / "Jenkinsfile") == ""


def test_lints_find_mistakes(tmp_path: Path) -> None:
    """Each of them is shown a mistake, and says so."""
    for name, old, new, lint in (
        ("github-actions.yml", "runs-on", "run-on", lambda path: ci_recipes.lint_workflow(path, print)),
        ("gitlab-ci.yml", "group: image", "group: [image]", ci_recipes.lint_gitlab),
        ("tekton.yaml", "runAsUser", "runAsUsr", lambda path: ci_recipes.lint_tekton(path, print)),
        ("Jenkinsfile", "stages {", "stages (", ci_recipes.lint_jenkins),
    ):  # fmt: skip
        path = tmp_path / name
        path.write_text((RECIPES / name).read_text().replace(old, new))
        assert lint(path) != "", name


def test_options_of_pack() -> None:
    """The recipe of GitHub Actions uses options that pack has, and those that reuse layers."""
    (line,) = (
        line
        for line in ci_recipes.github_script(RECIPES / "github-actions.yml")
        .replace("\\\n", "")
        .splitlines()
        if line.startswith("pack build")
    )
    options = [word for word in shlex.split(line) if word.startswith("--")]
    assert {"--previous-image", "--cache-image", "--publish", "--tag"} <= set(options)
    known = subprocess.run(
        [ensure_pack(print), "build", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert [option for option in options if f"{option} " not in known] == []


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry."""
    with registry.registry(tmp_path_factory.mktemp("registry"), print) as address:
        yield address


def run_recipe(space: Workspace, app: Path, name: str, images: str, commit: str) -> Build:
    """The recipe's script, in the directories of this machine, as the job of one commit."""
    fresh(space, app, {})
    source = space.root / "source"
    subprocess.run(["cp", "-R", app, source], check=True)
    script = SCRIPTS[name](RECIPES / name)
    # What is fixed in a builder lies elsewhere here.
    script = script.replace(
        "/cnb/lifecycle/creator",
        f"{space.binaries}/creator -launcher {space.binaries}/launcher",
    ).replace("/workspace", str(space.app))
    revision, image, folder = VARIABLES[name]
    environ = {
        **os.environ,
        revision: commit,
        image: f"{images}/{name.lower().partition('.')[0]}/app",
        folder: str(source),
        "RUN_IMAGE": f"{images}/{RUN_IMAGE}",
        "CI_REGISTRY": images, "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": "p",
        "REGISTRY": images, "LOGIN_USR": "u", "LOGIN_PSW": "p",
        "HOME": str(space.root),
        "CNB_PLATFORM_API": PLATFORM_API,
        "CNB_NO_COLOR": "true",
        "CNB_LAYERS_DIR": str(space.layers),
        "CNB_PLATFORM_DIR": str(space.root / "platform"),
        "CNB_BUILDPACKS_DIR": str(space.root / "buildpacks"),
        "CNB_ORDER_PATH": str(space.root / "order.toml"),
        "CNB_USER_ID": str(space.uid),
        "CNB_GROUP_ID": str(space.uid),
    }  # fmt: skip
    for place in (space.root, source):
        subprocess.run(["chown", "-R", f"{space.uid}:{space.uid}", place], check=True)
    done = subprocess.run(
        ["sh", "-ec", script], env=environ, cwd=space.root, user=space.user, group=space.user,
        extra_groups=None if space.user is None else [],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    subprocess.run(["rm", "-rf", source], check=True)
    assert done.returncode == 0, done.stdout
    return Build(code=0, log=done.stdout, seconds=0.0)


@pytest.mark.parametrize("name", VARIABLES)
def test_recipe_reuses_layers(space: Workspace, images: str, tmp_path: Path, name: str) -> None:
    """Two commits on a machine that forgets everything: the second takes both layers from the image
    of the first, by the moving tag; only the app's own layer is new."""
    registry.push(images, oci_layout.image_path(space.layout, RUN_IMAGE), RUN_IMAGE)
    app = tmp_path / "app"
    app.mkdir()
    repository = f"{name.lower().partition('.')[0]}/app"
    (app / "main.py").write_text("print('first')\n")
    assert reused(run_recipe(space, app, name, images, "c1")) == []
    first = registry.read(images, repository, "c1")
    assert registry.read(images, repository, "main") == first

    (app / "main.py").write_text("print('second')\n")
    assert reused(run_recipe(space, app, name, images, "c2")) == ["python", "venv"]
    second = registry.read(images, repository, "c2")
    assert registry.read(images, repository, "main") == second
    digests = [{layer["digest"] for layer in image["layers"]} for image in (first, second)]
    assert len(digests[1] - digests[0]) == 1
