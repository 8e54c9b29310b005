"""Steps that run the app's code during the build: static files, hooks, byte code."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lifecycle.conftest import BUILDER, EXAMPLES, Host

import local_platform
import oci_layout
import package
from local_platform import APP_IMAGE, Build, Workspace, create, free_port, get, started
from python_buildpack import kept_trees

SETTINGS = """
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only-for-this-test"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "website.urls"
WSGI_APPLICATION = "website.wsgi.application"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "assets"]
"""
MANIFEST = """
STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
}
"""
FLASK = EXAMPLES / "flask"


@pytest.fixture(scope="module")
def site(shelter: Path, buildpack: Path, binaries: Path) -> Iterator[Workspace]:
    """One workspace for all tests of a module: the later builds reuse the layers of the first."""
    with tempfile.TemporaryDirectory(prefix="s", dir=shelter) as name:
        Path(name).chmod(0o755)
        user = BUILDER if os.getuid() == 0 else None
        yield local_platform.prepare(Path(name), buildpack, package.version(), binaries, user)


@pytest.fixture
def django_app(tmp_path: Path) -> Path:
    """A site with static files of its own."""
    app = tmp_path / "app"
    shutil.copytree(EXAMPLES / "django", app, ignore=shutil.ignore_patterns("__pycache__"))
    (app / "website" / "settings.py").write_text(SETTINGS)
    (app / "assets").mkdir()
    (app / "assets" / "site.css").write_text("body { color: green }\n")
    return app


def passed(build: Build) -> Build:
    """`build`, which must have passed."""
    assert build.code == 0, build.log
    return build


def reused(build: Build) -> list[str]:
    """The layers of this buildpack that the lifecycle took from the previous image."""
    return sorted(re.findall(r"Reusing layer 'pycnb/python:([\w-]+)'", build.log))


def image_files(space: Workspace, tmp_path: Path) -> Path:
    """The app's directory as the image has it."""
    root = tmp_path / "image"
    shutil.rmtree(root, ignore_errors=True)
    oci_layout.extract_image(oci_layout.read_image(space.layout, APP_IMAGE), root)
    return root / space.app.relative_to("/")


def test_static_files(site: Workspace, django_app: Path, tmp_path: Path) -> None:
    """A first build collects them; one with changed code does, too, and reuses both layers."""
    build = passed(create(site, django_app))
    assert "python manage.py collectstatic --noinput" in build.log
    first = oci_layout.read_image(site.layout, APP_IMAGE)
    collected = image_files(site, tmp_path) / "staticfiles" / "site.css"
    assert collected.read_text() == "body { color: green }\n"

    (django_app / "assets" / "site.css").write_text("body { color: red }\n")
    build = passed(create(site, django_app))
    assert reused(build) == ["python", "venv"]
    assert "Installing" not in build.log
    collected = image_files(site, tmp_path) / "staticfiles" / "site.css"
    assert collected.read_text() == "body { color: red }\n"
    second = oci_layout.read_image(site.layout, APP_IMAGE)
    assert len(set(first.layers) - set(second.layers)) == 1
    left = sorted(path.name for path in site.buildpack_layers.iterdir() if path.is_dir())
    assert left == ["pip-cache"]
    assert all(p.is_file() for p in (site.buildpack_layers / "pip-cache" / "kept").iterdir())

    # The same without what the cache kept: installed once more, the layers still reused.
    shutil.rmtree(site.root / "cache")
    (site.root / "cache").mkdir()
    build = passed(create(site, django_app))
    assert "the cache does not hold them" in build.log
    assert reused(build) == ["python", "venv"]
    assert oci_layout.read_image(site.layout, APP_IMAGE).digest == second.digest


# What goes wrong -> (file and what is added to it), the error's id, words that must be shown.
FAILURES: dict[str, tuple[dict[str, str], str, tuple[str, ...]]] = {
    "no STATIC_ROOT": (
        {"website/settings.py": SETTINGS + "\nSTATIC_ROOT = None\n"},
        "collectstatic-static-root",
        ("Traceback", "ImproperlyConfigured", 'STATIC_ROOT = BASE_DIR / "staticfiles"'),
    ),
    "manifest storage, missing file": (
        {
            "website/settings.py": SETTINGS + MANIFEST,
            "assets/site.css": 'body { background: url("gone.png") }\n',
        },
        "collectstatic-missing-file",
        ("Traceback", "ManifestStaticFilesStorage", "Cause: gone.png is referred to"),
    ),
    "setting from the environment": (
        {"website/settings.py": SETTINGS + '\nSECRET_KEY = os.environ["APP_SECRET"]\n'},
        "collectstatic-setting-missing",
        ("Traceback", "KeyError", "APP_SECRET, which is not set", "--env APP_SECRET="),
    ),
    "setting by django-environ": (
        {
            "website/settings.py": SETTINGS
            + "\nfrom django.core.exceptions import ImproperlyConfigured\n"
            + 'raise ImproperlyConfigured("Set the APP_URL environment variable")\n'
        },
        "collectstatic-setting-missing",
        ("Traceback", "ImproperlyConfigured", "APP_URL is not set", "--env APP_URL="),
    ),
    "database at import": (
        {
            "website/settings.py": SETTINGS
            + 'INSTALLED_APPS = [*INSTALLED_APPS, "website"]\n'
            + 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", '
            + '"NAME": BASE_DIR / "no" / "such.db"}}\n',
            "website/models.py": "from django.db import connection\n"
            "connection.cursor().execute('SELECT 1')\n",
        },
        "collectstatic-database",
        ("Traceback", "OperationalError", "asks its database while it is imported"),
    ),
    "package that is not installed": (
        {"website/settings.py": SETTINGS + "\nimport storages\n"},
        "collectstatic-module-missing",
        ("Traceback", "the module storages is not there", "requirements"),
    ),
    "wrong settings module": (
        {"manage.py": "import os, sys\n\nos.environ['DJANGO_SETTINGS_MODULE'] = 'website.typo'\n"
         "from django.core.management import execute_from_command_line\n\n"
         "execute_from_command_line(sys.argv)\n"},
        "collectstatic-module-missing",
        ("Traceback", "the module website.typo is not there", "DJANGO_SETTINGS_MODULE"),
    ),
    "no settings at all": (
        {"manage.py": "import sys\n\n"
         "from django.core.management import execute_from_command_line\n\n"
         "execute_from_command_line(sys.argv)\n"},
        "collectstatic-no-settings",
        ("No Django settings specified", "DJANGO_SETTINGS_MODULE"),
    ),
    "syntax error": (
        {"website/settings.py": SETTINGS + "\nDEBUG = = False\n"},
        "collectstatic-syntax-error",
        ("Traceback", "SyntaxError", "cannot be compiled"),
    ),
    "service that refuses connections": (
        {"website/settings.py": SETTINGS + "\nimport socket\n"
         'socket.create_connection(("127.0.0.1", 9))\n'},
        "collectstatic-service-unreachable",
        ("Traceback", "cannot be reached from the build"),
    ),
    "a place that cannot be written": (
        {"website/settings.py": SETTINGS + '\nopen("/proc/1/mem", "wb")\n'},
        "collectstatic-directory-unwritable",
        ("Traceback", "/proc/1/mem cannot be written"),
    ),
    "time zone that nobody knows": (
        {
            "website/settings.py": SETTINGS
            + '\nimport zoneinfo\n\nzoneinfo.ZoneInfo("Mars/Phobos")\n'
        },
        "collectstatic-time-zones",
        ("Traceback", "Mars/Phobos is not known"),
    ),
    "settings that refuse": (
        {"website/settings.py": SETTINGS + "\nfrom django.core.exceptions import *\n"
         'raise ImproperlyConfigured("a matter of taste")\n'},
        "collectstatic-improperly-configured",
        ("Traceback", "a matter of taste"),
    ),
    "anything else": (
        {"website/settings.py": SETTINGS + '\nraise RuntimeError("an odd failure")\n'},
        "collectstatic-failed",
        ("Traceback", "an odd failure"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FAILURES)
def test_static_files_fail(site: Workspace, django_app: Path, what: str) -> None:
    """Django's own words, the likely cause, an id, and how to build without."""
    files, id, words = FAILURES[what]
    for name, text in files.items():
        (django_app / name).write_text(text)
    build = create(site, django_app)
    assert build.code == 51, build.log
    assert f"[{id}]" in build.log, build.log
    for word in (*words, "DISABLE_COLLECTSTATIC=1"):
        assert word in build.log, build.log


def test_static_files_with_a_manifest(site: Workspace, django_app: Path, tmp_path: Path) -> None:
    """Names with digests, twice the same; settings by DJANGO_SETTINGS_MODULE; nested manage.py."""
    nested = django_app / "my-site"
    nested.mkdir()
    for name in ("manage.py", "website", "assets"):
        shutil.move(django_app / name, nested / name)
    (nested / "website" / "production.py").write_text("from website.settings import *\n" + MANIFEST)
    settings = {"DJANGO_SETTINGS_MODULE": "website.production"}
    build = passed(create(site, django_app, settings))
    assert "python my-site/manage.py collectstatic --noinput" in build.log
    names = {path.name for path in (image_files(site, tmp_path) / "my-site/staticfiles").iterdir()}
    assert "staticfiles.json" in names
    assert any(re.fullmatch(r"site\.[0-9a-f]{12}\.css", name) for name in names)
    first = oci_layout.read_image(site.layout, APP_IMAGE).digest
    passed(create(site, django_app, settings))
    assert oci_layout.read_image(site.layout, APP_IMAGE).digest == first


def test_static_files_are_not_wanted(site: Workspace, django_app: Path) -> None:
    """Turned off; or not enabled, told by the settings' text, or by Django itself."""
    build = passed(create(site, django_app, {"DISABLE_COLLECTSTATIC": "1"}))
    assert "DISABLE_COLLECTSTATIC is set" in build.log
    assert "manage.py" not in build.log

    settings = django_app / "website" / "settings.py"
    settings.write_text(SETTINGS.replace('["django.contrib.staticfiles"]', "[]"))
    assert "manage.py" not in passed(create(site, django_app)).log

    settings.write_text(SETTINGS.replace('["django.contrib.staticfiles"]', "list(())"))
    build = passed(create(site, django_app))
    assert "not among the INSTALLED_APPS" in build.log


def write_hook(app: Path, name: str, text: str, mode: int = 0o755) -> None:
    """A hook of the app."""
    path = app / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


SHOW = """#!/bin/sh
echo "cwd $(pwd)"
echo "python $(command -v python)"
python -c 'import sys; print("prefix", sys.prefix)'
echo "mine $MINE, platform ${CNB_LAYERS_DIR-none}"
"""


def test_hooks(site: Workspace, flask_app: Path, tmp_path: Path) -> None:
    """Both run in the app's root with its Python; what they write is built, and in the image."""
    write_hook(flask_app, "pre_compile", SHOW + "echo iniconfig==2.0.0 >> requirements.txt\n")
    write_hook(
        flask_app,
        "post_compile",
        SHOW + "python -c 'import flask, app'\n"
        "gunicorn --version\n"
        "mkdir generated && echo 'answer = 42' > generated/module.py\n",
    )
    for reusing in ([], ["python", "venv"]):
        if not reusing:
            shutil.rmtree(oci_layout.image_path(site.layout, APP_IMAGE), ignore_errors=True)
        build = passed(create(site, flask_app, {"MINE": "one"}))
        assert reused(build) == reusing
        layers = site.buildpack_layers
        assert build.log.count(f"cwd {site.app}\n") == 2
        assert build.log.count("mine one, platform none\n") == 2
        assert f"python {layers}/python/bin/python\n" in build.log
        assert f"python {layers}/venv/bin/python\n" in build.log
        assert f"prefix {layers}/venv\n" in build.log
        assert "gunicorn (version" in build.log
        image = image_files(site, tmp_path)
        assert (image / "generated" / "module.py").read_text() == "answer = 42\n"
        assert list((image / "generated" / "__pycache__").glob("module.*.pyc"))
        assert "iniconfig" in (image / "requirements.txt").read_text()
        if not reusing:  # the launcher needs the layers in their places
            port = free_port()
            with started(site, port) as process:
                assert get(f"http://127.0.0.1:{port}/", process) == "Hello from Flask\n"


HOOK_ERRORS = {
    "not executable": ("#!/bin/sh\n", 0o644, "hook-not-executable", "chmod +x bin/post_compile"),
    "fails": ("#!/bin/sh\necho my own words\nexit 3\n", 0o755, "hook-failed", "exit code 3"),
    "no such program": ("#!/no/such/bash\n", 0o755, "hook-cannot-start", "#!/no/such/bash"),
    "Windows line ends": ("#!/bin/sh\r\nexit 0\r\n", 0o755, "hook-cannot-start", "CRLF"),
}


@pytest.mark.parametrize("what", HOOK_ERRORS)
def test_hook_errors(site: Workspace, tmp_path: Path, what: str) -> None:
    """Each fails the build, with the next step."""
    text, mode, id, words = HOOK_ERRORS[what]
    (tmp_path / "app.py").write_text("")
    write_hook(tmp_path, "post_compile", text, mode)
    build = create(site, tmp_path)
    assert build.code == 51
    assert f"[{id}]" in build.log and words in build.log, build.log
    assert ("my own words" in build.log) == (what == "fails")


def test_hook_without_an_interpreter_line(site: Workspace, tmp_path: Path) -> None:
    """A shell runs it, as a shell would."""
    (tmp_path / "app.py").write_text("")
    write_hook(tmp_path, "post_compile", "echo run by sh\n")
    assert "run by sh" in passed(create(site, tmp_path)).log


def byte_code(folder: Path) -> dict[str, bytes]:
    """Every .pyc below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.pyc")}


def test_byte_code(site: Workspace, tmp_path: Path) -> None:
    """The app's modules are compiled, times ignored, twice the same; broken ones are left."""
    app = tmp_path / "app"
    (app / "package").mkdir(parents=True)
    (app / "app.py").write_text("import package\n")
    (app / "package" / "__init__.py").write_text("answer = 42\n")
    (app / "package" / "template.py").write_text("{{ cookiecutter }} = \n")
    for name in (".hidden", "node_modules", "venv"):
        (app / name).mkdir()
        (app / name / "module.py").write_text("")
    (app / "venv" / "pyvenv.cfg").write_text("")
    log = passed(create(site, app)).log
    assert re.search(
        r"!     Warning: Not valid Python 3\.\d+:\n !     package/template.py line 1: ", log
    )
    compiled = byte_code(image_files(site, tmp_path))
    names = {re.sub(r"\.cpython-\d+", "", name) for name in compiled}
    assert names == {"__pycache__/app.pyc", "package/__pycache__/__init__.pyc"}
    assert {data[4] for data in compiled.values()} == {1}
    digest = oci_layout.read_image(site.layout, APP_IMAGE).digest
    passed(create(site, app))
    assert oci_layout.read_image(site.layout, APP_IMAGE).digest == digest

    # Live reload replaces sources in the running container: they are looked at then.
    passed(create(site, app, {"BP_LIVE_RELOAD_ENABLED": "true"}))
    assert {data[4] for data in byte_code(image_files(site, tmp_path)).values()} == {3}
    passed(create(site, app, {"BP_PYTHON_COMPILE_APP": "false"}))
    assert not byte_code(image_files(site, tmp_path))


def test_a_downloaded_runtime_is_lent(space: Workspace, served: Host, tmp_path: Path) -> None:
    """A hook runs it in every build; it is downloaded once, or where the cache is gone.

    It is kept with its byte code; what was made for one step, from the second time on.
    """
    app = tmp_path / "app"
    app.mkdir()
    (app / "app.py").write_text("")
    write_hook(app, "post_compile", "#!/bin/sh\npython -c 'import ssl, sys; print(sys.prefix)'\n")
    settings = {"BP_PYTHON_RELEASES": f"{served.url}/releases.json"}
    kept = space.buildpack_layers / "pip-cache" / "kept"

    def downloads() -> int:
        return sum(1 for line in served.requests if line.endswith(".tar.gz"))

    def compiled() -> bool:
        (runtime,) = kept.glob("runtime-*")
        with kept_trees._reader(runtime) as stream:
            return b"__pycache__" in stream.readline()

    for cleared, reusing, expected in (
        (False, [], 1),
        (False, ["python", "venv"], 1),
        (True, ["python", "venv"], 2),
        (False, ["python", "venv"], 2),
    ):
        if cleared:
            shutil.rmtree(space.root / "cache")
            (space.root / "cache").mkdir()
        build = passed(create(space, app, settings))
        assert reused(build) == reusing
        assert f"{space.buildpack_layers}/venv\n" in build.log
        assert downloads() == expected
        assert (space.buildpack_layers / "python").exists() == (not reusing)
        assert sorted(path.name.partition("-")[0] for path in kept.iterdir()) == [
            "packages",
            "runtime",
        ]
        assert compiled() != cleared

    # Without the hook nothing of it is kept.
    shutil.rmtree(app / "bin")
    passed(create(space, app, settings))
    assert not list(kept.iterdir())
