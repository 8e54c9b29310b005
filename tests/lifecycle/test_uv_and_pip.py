"""uv and pip install the same: distributions, every file's bytes, what each program does.

Each app is built by the packaged buildpack's own bin/build, at the same paths, once as users get
it (uv, with pip as the judge) and once with BP_PIP_INSTALLER=pip.
"""

from __future__ import annotations

import configparser
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.lifecycle.conftest import Host

from cnb.toml import read_toml
from python_buildpack.packages.venv import installed_distributions

# What is not compared, and why. Patterns of paths below the venv layer.
EXCLUDED: dict[str, str] = {
    r".*\.dist-info/INSTALLER": "names the installer",
    r".*\.dist-info/REQUESTED": "uv does not write it; whether a package was asked for by name",
    r".*\.dist-info/direct_url\.json": "the same facts, with other optional fields",
    r".*\.pyc": "compiled by each installer on its own; their sources are compared",
}
# Compared in another form.
RECORD = re.compile(r".*\.dist-info/RECORD")  # line by line, without the lines of excluded files
# The environment itself and the launch support, not the packages in it.
VENV_OWN = re.compile(
    r"bin/(python|activate|Activate)[^/]*|pyvenv\.cfg|lib64|\.gitignore|"
    r"(env\.launch|exec\.d|pycnb|include/python3[^/]*)(/.*)?"
)
SHEBANG = re.compile(rb"\A#!.*\n")  # the interpreter is written in each installer's own way


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What one installer made of an app."""

    log: str
    distributions: dict[str, str]
    files: dict[str, tuple[str, str]]
    """Path -> executable or not or a link, and a digest or the link's target."""
    records: dict[str, list[list[str]]]
    programs: dict[str, tuple[int, str, str]]
    """Name -> exit code and output of `NAME --help`."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Directories of one platform, whose `python` layer is reused in every build."""

    root: Path
    buildpack: Path
    python_toml: str

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def app(self) -> Path:
        return self.root / "app"

    def run(self, settings: Mapping[str, str]) -> tuple[int, str]:
        """One run of bin/build over fresh layers."""
        shutil.rmtree(self.layers, ignore_errors=True)
        self.layers.mkdir()
        if self.python_toml:
            (self.layers / "python.toml").write_text(self.python_toml)
        done = subprocess.run(
            [self.buildpack / "bin" / "build"],
            cwd=self.app,
            env={
                **os.environ,
                "HOME": str(self.root),
                "CNB_BUILDPACK_DIR": str(self.buildpack),
                "CNB_LAYERS_DIR": str(self.layers),
                "CNB_PLATFORM_DIR": str(self.root),
                "CNB_BP_PLAN_PATH": str(self.root / "plan.toml"),
                **settings,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def install(self, settings: Mapping[str, str]) -> Installed:
        """Build, and look at the result."""
        code, log = self.run(settings)
        assert code == 0, log
        self.lend_python()
        packages = read_toml(self.layers / "venv.toml")["metadata"]["packages"]
        installed = self.look(log)
        assert installed.distributions == packages
        return installed

    def install_plainly(self, settings: Mapping[str, str]) -> Installed:
        """What `python -m venv` and `pip install -r` make, without the buildpack."""
        shutil.rmtree(self.layers, ignore_errors=True)
        self.layers.mkdir()
        python, venv = self.lend_python(), self.layers / "venv"
        pip = max((self.buildpack / "pip").glob("pip-*.whl"), key=lambda path: path.name)
        commands: list[list[str | Path]] = [
            [python, "-I", "-m", "venv", "--without-pip", venv],
            [python, f"{pip}/pip", "--python", venv / "bin" / "python", "install", "--no-cache-dir",
             "--requirement", "requirements.txt"],
        ]  # fmt: skip
        for command in commands:
            environ = {**os.environ, "HOME": str(self.root), **settings}
            done = subprocess.run(
                command, cwd=self.app, env=environ, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        return self.look("")

    def lend_python(self) -> Path:
        """Put the interpreter where the reused layer has none; its path."""
        layer = self.layers / "python"
        layer.mkdir()
        (layer / "cpython").symlink_to(self.buildpack / "runtime" / "cpython")
        (python,) = (layer / "cpython" / "bin").glob("python3.*")
        return python

    def look(self, log: str) -> Installed:
        """What is installed now."""
        venv = self.layers / "venv"
        names = console_scripts(venv)
        return Installed(
            log=log,
            distributions={one.name: one.version for one in installed_distributions(venv)},
            files=files_of(venv, names),
            records=records_of(venv, names),
            programs=self._programs(names),
        )

    def _programs(self, generated: Sequence[str]) -> dict[str, tuple[int, str, str]]:
        bin_dir = self.layers / "venv" / "bin"
        own = {p.name for p in bin_dir.iterdir() if not VENV_OWN.fullmatch(f"bin/{p.name}")}
        assert own >= set(generated)
        return {name: self._ask(bin_dir / name) for name in sorted(own)}

    def _ask(self, program: Path) -> tuple[int, str, str]:
        done = subprocess.run(
            [program, "--help"],
            cwd=self.app,
            env={
                "HOME": str(self.root),
                "PATH": f"{program.parent}:/usr/bin:/bin",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


def console_scripts(venv: Path) -> list[str]:
    """The programs that the installer itself writes, for entry points."""
    found: list[str] = []
    for path in venv.glob("lib/python3*/site-packages/*.dist-info/entry_points.txt"):
        parser = configparser.ConfigParser(delimiters="=", interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(path.read_text())
        for section in ("console_scripts", "gui_scripts"):
            if parser.has_section(section):
                found += parser.options(section)
    return found


def excluded(path: str, generated: Sequence[str]) -> bool:
    """Whether a file is not compared, or (programs for entry points) by what it does."""
    return any(re.fullmatch(pattern, path) for pattern in EXCLUDED) or path in {
        f"bin/{name}" for name in generated
    }


def files_of(venv: Path, generated: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Every file that is compared by its bytes."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(venv.rglob("*")):
        name = path.relative_to(venv).as_posix()
        if excluded(name, generated) or RECORD.fullmatch(name):
            continue
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_file():
            data = path.read_bytes()
            if name.startswith("bin/"):
                data = SHEBANG.sub(b"#!\n", data)
            mode = "program" if path.stat().st_mode & 0o111 else "file"
            found[name] = (mode, hashlib.sha256(data).hexdigest())
    return found


def records_of(venv: Path, generated: Sequence[str]) -> dict[str, list[list[str]]]:
    """The lines of every RECORD about files that are compared."""
    found: dict[str, list[list[str]]] = {}
    for path in venv.glob("lib/python3*/site-packages/*.dist-info/RECORD"):
        rows = csv.reader(path.read_text().splitlines())
        found[path.parent.name] = sorted(
            row if not place.startswith("bin/") else [place, "", ""]
            for row in rows
            for place in [os.path.normpath(f"lib/python3/site-packages/{row[0]}")]
            if not excluded(place, generated)
        )
    return found


@pytest.fixture(scope="module")
def bench(shelter: Path, buildpack: Path) -> Iterator[Bench]:
    """The `python` layer is made once; what it says of itself has it reused ever after."""
    with tempfile.TemporaryDirectory(prefix="b", dir=shelter) as name:
        root = Path(name)
        (root / "app").mkdir()
        (root / "app" / "app.py").write_text("")
        (root / "plan.toml").write_text("")
        first = Bench(root=root, buildpack=buildpack, python_toml="")
        code, log = first.run({})
        assert code == 0, log
        made = (first.layers / "python.toml").read_text()
        yield Bench(root=root, buildpack=buildpack, python_toml=made)


def wheel(
    name: str,
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    extras: Sequence[str] = (),
    scripts: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    requires_python: str = ">=3.8",
) -> tuple[str, bytes]:
    """A wheel with one module, which says its version; file name and bytes."""
    dist = f"{name}-{version}"
    contents = {
        f"{name}.py": f"import sys\ndef main():\n    print({dist!r}, sys.argv[1:])\n".encode(),
        f"{dist}.dist-info/METADATA": "".join(
            [
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                f"Requires-Python: {requires_python}\n",
                *(f"Provides-Extra: {extra}\n" for extra in extras),
                *(f"Requires-Dist: {requirement}\n" for requirement in requires),
            ]
        ).encode(),
        f"{dist}.dist-info/WHEEL": (
            b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        **(files or {}),
    }
    if scripts:
        lines = "".join(f"{script} = {name}:main\n" for script in scripts)
        entry_points = f"[console_scripts]\n{lines}"
        contents[f"{dist}.dist-info/entry_points.txt"] = entry_points.encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, data in contents.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
            archive.writestr(info, data)
        record = f"{dist}.dist-info/RECORD"
        archive.writestr(record, "".join(f"{path},,\n" for path in [*contents, record]))
    return f"{dist}-py3-none-any.whl", stream.getvalue()


def sdist(name: str, version: str = "1.0") -> tuple[str, bytes]:
    """A source distribution as it was twenty years ago: setup.py alone."""
    setup = (
        "from setuptools import setup\n"
        f"setup(name={name!r}, version={version!r}, py_modules=[{name!r}],\n"
        f"      scripts=['bin/{name}-script'],\n"
        f"      entry_points={{'console_scripts': ['{name} = {name}:main']}})\n"
    )
    contents = {
        "setup.py": setup,
        f"{name}.py": f"def main():\n    print('{name} {version} from source')\n",
        f"bin/{name}-script": "#!/usr/bin/env python\nprint('a script')\n",
        "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n",
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for path, text in contents.items():
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size, info.mtime = len(text), 315532801
            tar.addfile(info, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", stream.getvalue()


def publish(host: Host, *files: tuple[str, bytes], index: str = "simple") -> None:
    """Put `files` on a simple index of the loopback host (PEP 503)."""
    pages: dict[str, list[str]] = {}
    for name, data in files:
        project = re.sub(r"[-_.]+", "-", name.partition("-")[0]).lower()
        host.files[f"/files/{index}/{name}"] = data
        demand = ""
        if b"Requires-Python: >=3.99" in data:
            demand = ' data-requires-python="&gt;=3.99"'
        digest = hashlib.sha256(data).hexdigest()
        pages.setdefault(project, []).append(
            f'<a href="/files/{index}/{name}#sha256={digest}"{demand}>{name}</a>'
        )
    for project, links in pages.items():
        body = "<!DOCTYPE html><html><body>\n" + "\n".join(links) + "\n</body></html>"
        host.files[f"/{index}/{project}/"] = body.encode()


def write(app: Path, **files: str) -> None:
    """Files of the app; `__` in a name stands for `/`, `_DOT_` for a dot."""
    for name, text in files.items():
        path = app / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass(kw_only=True)
class Case:
    """An app to be installed both ways."""

    app: Path
    host: Host
    settings: dict[str, str] = field(default_factory=dict)
    pip_because: str = ""
    """Why pip installs it even where uv may: a part of the log."""
    uv_refuses: str = ""
    """A part of uv's words where it cannot, so that pip decides."""

    def requirements(self, text: str) -> None:
        """Write requirements.txt; `{host}` and `{index}` are the loopback host's."""
        text = text.replace("{index}", f"{self.host.url}/simple/").replace("{host}", self.host.url)
        (self.app / "requirements.txt").write_text(text, encoding="utf-8")


CASES: dict[str, Callable[[Case], None]] = {}


def case(make: Callable[[Case], None]) -> Callable[[Case], None]:
    """Add a case to the table."""
    CASES[make.__name__] = make
    return make


@case
def pinned(case: Case) -> None:
    """Packages of the public index, with a console script and data files."""
    case.requirements("flask==3.0.3\nwerkzeug==3.0.4\n")


@case
def extras_and_markers(case: Case) -> None:
    """Extras, extras of extras, and markers that hold and that do not."""
    publish(
        case.host,
        wheel(
            "cnbtop",
            extras=["a", "b"],
            requires=['cnbleft; extra == "a"', 'cnbtop[a]; extra == "b"'],
        ),
        wheel("cnbleft", scripts=["cnbleft"]),
        wheel("cnbright"),
        wheel("cnbnever"),
    )
    case.requirements(
        "--index-url {index}\n"
        "cnbtop[b] >= 1.0\n"
        'cnbright; python_version >= "3.8" and sys_platform == "linux"\n'
        'cnbnever; sys_platform == "win32" or python_version < "3"\n'
        'cnbnever; implementation_name == "pypy"\n'
    )


@case
def hashes(case: Case) -> None:
    """Every line with its hash, over several lines."""
    files = [wheel("cnbtop", requires=["cnbleft"]), wheel("cnbleft")]
    publish(case.host, *files)
    first, second = (hashlib.sha256(data).hexdigest() for _, data in files)
    case.requirements(
        "--index-url {index}\n"
        f"cnbtop==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{first}\n"
        f"cnbleft==1.0 --hash=sha256:{second}\n"
    )


@case
def nested_files(case: Case) -> None:
    """`-r` and `-c`, relative to the file that names them; constraints of what nobody names."""
    publish(
        case.host,
        *[wheel("cnbtop", version, requires=["cnbleft"]) for version in ("1.0", "1.5", "2.0")],
        *[wheel("cnbleft", version) for version in ("1.0", "2.0")],
        wheel("cnbright"),
    )
    write(
        case.app,
        base__one_DOT_txt="-c ../limits/two.txt\n-r three.txt\ncnbtop\n",
        base__three_DOT_txt="cnbright\n",
        limits__two_DOT_txt="cnbtop<2\ncnbleft==1.0\ncnbnobody==3\n",
    )
    case.requirements("-r base/one.txt\n--index-url {index}\n")


PYPROJECT = """\
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"
[project]
name = "local-lib"
version = "0.3"
dependencies = ["iniconfig==2.0.0"]
[project.optional-dependencies]
more = ["cnbleft"]
[project.scripts]
local-lib = "local_lib:main"
[tool.setuptools.package-data]
local_lib = ["*.json"]
"""


def local_lib(app: Path) -> None:
    """A project in a directory of the app."""
    write(
        app,
        libs__local__pyproject_DOT_toml=PYPROJECT,
        libs__local__src__local_lib____init___DOT_py="",
    )
    folder = app / "libs/local/src/local_lib"
    shutil.rmtree(app / "libs/local/src")
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("def main():\n    print('local')\n")
    (folder / "data.json").write_text("{}\n")


@case
def editable(case: Case) -> None:
    """A project of the app, editable, with its dependency and its program."""
    local_lib(case.app)
    case.requirements("-e ./libs/local\n")


@case
def local_directory(case: Case) -> None:
    """The same, built into a wheel, with an extra."""
    local_lib(case.app)
    publish(case.host, wheel("cnbleft"))
    case.requirements("--extra-index-url {index}\n./libs/local[more]\n")


@case
def direct_urls(case: Case) -> None:
    """Wheels by their URL, named and bare, one with a hash; their dependencies from the index."""
    files = [wheel("cnbtop", requires=["cnbleft"]), wheel("cnbright", scripts=["cnbright"])]
    publish(case.host, *files, wheel("cnbleft"))
    digest = hashlib.sha256(files[1][1]).hexdigest()
    case.requirements(
        "-i {index}\n"
        "cnbtop @ {host}/files/simple/cnbtop-1.0-py3-none-any.whl\n"
        f"{{host}}/files/simple/cnbright-1.0-py3-none-any.whl#sha256={digest}\n"
    )


@case
def version_control(case: Case) -> None:
    """A git repository, at a tag that is not its newest state."""
    repository = case.app.parent / "repository"
    shutil.rmtree(repository, ignore_errors=True)
    local_lib(repository)
    project = repository / "libs" / "local"

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "safe.directory=*"]
        subprocess.run(["git", *who, *arguments], cwd=project, check=True, capture_output=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    git("tag", "v1")
    (project / "src/local_lib/__init__.py").write_text("raise SystemExit('too new')\n")
    git("commit", "--quiet", "--all", "--message", "two")
    case.requirements(f"local-lib @ git+file://{project}@v1\n")


@case
def no_binary(case: Case) -> None:
    """Built from source though there is a wheel."""
    publish(case.host, wheel("cnbold", files={"wheel_only.txt": b""}), sdist("cnbold"))
    case.requirements("--extra-index-url {index}\n--no-binary cnbold\ncnbold==1.0\n")


@case
def only_binary(case: Case) -> None:
    """The newest version has no wheel, so that an older one is taken."""
    publish(case.host, wheel("cnbtop", "1.0"), sdist("cnbtop", "2.0"), wheel("cnbleft"))
    case.requirements("--index-url {index}\n--only-binary :all:\ncnbtop\ncnbleft\n")


@case
def legacy_sdist(case: Case) -> None:
    """setup.py alone, with a script and an entry point; the package's only form."""
    publish(case.host, sdist("cnbold", "0.9"))
    case.requirements("--extra-index-url {index}\ncnbold\n")


@case
def pre_releases_wanted(case: Case) -> None:
    """`--pre` is pip's alone."""
    publish(case.host, wheel("cnbtop", "1.0"), wheel("cnbtop", "2.0rc1"))
    case.pip_because = "uv lacks --pre"
    case.requirements("--index-url {index}\n--pre\ncnbtop\n")


@case
def pre_releases_by_specifier(case: Case) -> None:
    """Named in a specifier, or the only ones that there are, or not at all."""
    publish(
        case.host,
        *[wheel(name, version) for name in ("cnbtop", "cnbleft") for version in ("1.0", "2.0rc1")],
        wheel("cnbright", "1.0b1"),
    )
    case.requirements("--index-url {index}\ncnbtop>=2.0rc1\ncnbleft\ncnbright\n")


@case
def pre_releases_of_dependencies(case: Case) -> None:
    """A package asks for one of another package."""
    publish(
        case.host,
        wheel("cnbtop", requires=["cnbleft>=1.0rc1"]),
        *[wheel("cnbleft", version) for version in ("1.0rc1", "1.0", "2.0rc1")],
    )
    case.uv_refuses = "uv passes over pre-releases of cnbleft that a package asks for"
    case.requirements("--index-url {index}\ncnbtop\n")


@case
def pre_releases_that_there_are_none_of(case: Case) -> None:
    """As s3transfer has it, so boto3: the bound names one."""
    top = wheel("cnbtop", requires=["cnbleft>=1,<2.0a0"])
    publish(case.host, top, *[wheel("cnbleft", version) for version in ("1.0", "1.1", "2.0")])
    case.requirements("--index-url {index}\ncnbtop\n")


@case
def pre_releases_of_an_extra_that_nobody_wants(case: Case) -> None:
    """What it asks for says nothing: pip passes over them as well."""
    top = wheel("cnbtop", requires=["cnbleft>=1", "cnbleft<2.0a0; extra == 'crt'"])
    publish(case.host, top, *[wheel("cnbleft", version) for version in ("1.0", "1.1rc1")])
    case.uv_refuses = "uv passes over pre-releases of cnbleft that a package asks for"
    case.requirements("--index-url {index}\ncnbtop\n")


@case
def pre_releases_of_an_extra(case: Case) -> None:
    """The same where the app wants it."""
    top = wheel("cnbtop", requires=["cnbleft>=1", "cnbleft<2.0a0; extra == 'crt'"])
    publish(case.host, top, *[wheel("cnbleft", version) for version in ("1.0", "1.1rc1")])
    case.uv_refuses = "uv passes over pre-releases of cnbleft that a package asks for"
    case.requirements("--index-url {index}\ncnbtop[crt]\n")


@case
def withdrawn_versions(case: Case) -> None:
    """Yanked ones are passed over, unless they are pinned (PEP 592)."""
    publish(case.host, *[wheel(name, v) for name in ("cnbtop", "cnbleft") for v in ("1.0", "2.0")])
    for name in ("cnbtop", "cnbleft"):
        page = case.host.files[f"/simple/{name}/"].decode().splitlines()
        page = [x.replace("<a ", '<a data-yanked="broken" ') if "-2.0-" in x else x for x in page]
        case.host.files[f"/simple/{name}/"] = "\n".join(page).encode()
    case.requirements("--index-url {index}\ncnbtop\ncnbleft==2.0\n")


@case
def paths_in_nested_files(case: Case) -> None:
    """pip takes projects' paths from where it runs, and those of --find-links from the file."""
    local_lib(case.app)
    name, data = wheel("cnbtop")
    (case.app / "base" / "wheels").mkdir(parents=True)
    (case.app / "base" / "wheels" / name).write_bytes(data)
    write(case.app, base__one_DOT_txt="--find-links wheels\n-e ./libs/local\ncnbtop\n")
    case.requirements("-r base/one.txt\n")


@case
def the_same_version_twice(case: Case) -> None:
    """Of equal versions, links go before indexes, and the first index before the others."""
    publish(case.host, wheel("cnbtop"), wheel("cnbleft", files={"index.txt": b""}))
    publish(case.host, wheel("cnbtop", files={"other.txt": b""}), index="other")
    name, data = wheel("cnbleft", files={"links.txt": b""})
    (case.app / "wheels").mkdir()
    (case.app / "wheels" / name).write_bytes(data)
    case.requirements(
        "--index-url {index}\n--extra-index-url {host}/other/\n--find-links wheels\n"
        "cnbtop\ncnbleft\n"
    )


@case
def several_indexes(case: Case) -> None:
    """The best version of all indexes is taken, whichever comes first."""
    publish(case.host, wheel("cnbtop", "1.0"), wheel("cnbleft", "2.0"))
    publish(case.host, wheel("cnbtop", "2.0"), wheel("cnbleft", "1.0"), index="other")
    case.requirements("--index-url {index}\n--extra-index-url {host}/other/\ncnbtop\ncnbleft\n")


@case
def find_links(case: Case) -> None:
    """A directory of the app, relative to it, and a page; no index at all."""
    name, data = wheel("cnbtop", requires=["cnbleft"])
    (case.app / "wheels").mkdir()
    (case.app / "wheels" / name).write_bytes(data)
    publish(case.host, wheel("cnbleft"))
    case.requirements("--no-index\n--find-links wheels\n-f {host}/simple/cnbleft/\ncnbtop\n")


@case
def variables(case: Case) -> None:
    """`${VAR}` in options and URLs; one that is not set stays as it is."""
    publish(case.host, wheel("cnbtop"), wheel("cnbleft"))
    case.settings = {"INDEX_HOST": case.host.url, "PLACE": "files/simple"}
    case.requirements(
        "--index-url ${INDEX_HOST}/simple/\n"
        "cnbtop @ ${INDEX_HOST}/${PLACE}/cnbtop-1.0-py3-none-any.whl\n"
        "cnbleft ; python_version != '${NOT_SET}'\n"
    )


@case
def odd_text(case: Case) -> None:
    """A byte order mark, comments, continuations, Windows' line ends, blank lines, no last one."""
    publish(case.host, wheel("cnbtop"), wheel("cnbleft"), wheel("cnbright"))
    case.requirements(
        "\ufeff# a comment\r\n\r\n--index-url {index}  # another\r\n"
        "  cnbtop==1.0 \\\r\n  --hash=sha256:{cnbtop}   # more\r\n\t\r\n"
        "cnbleft == 1.0 --hash=sha256:{cnbleft} # <- #\r\n# cnbright \\\r\ncnbright==1.0 --hash=sha256:{cnbright}"
    )
    path = case.app / "requirements.txt"
    text = path.read_text(encoding="utf-8")
    for name in ("cnbtop", "cnbleft", "cnbright"):
        digest = hashlib.sha256(wheel(name)[1]).hexdigest()
        text = text.replace(f"{{{name}}}", digest)
    path.write_bytes(text.encode())


@case
def a_line_that_uv_refuses(case: Case) -> None:
    """A continuation between name and version: pip takes it, so it is installed."""
    publish(case.host, wheel("cnbtop", "1.0"), wheel("cnbtop", "2.0"))
    case.uv_refuses = "Couldn't parse requirement"
    case.requirements("--index-url {index}\ncnbtop \\\n  < 2.0\n")


@case
def utf_16(case: Case) -> None:
    """As PowerShell writes it."""
    publish(case.host, wheel("cnbtop"))
    case.requirements("--index-url {index}\r\ncnbtop\r\n")
    path = case.app / "requirements.txt"
    path.write_bytes(path.read_text().encode("utf-16"))


@case
def what_this_python_cannot_use(case: Case) -> None:
    """Versions for other Pythons are passed over."""
    publish(case.host, wheel("cnbtop", "1.0"), wheel("cnbtop", "2.0", requires_python=">=3.99"))
    case.requirements("--index-url {index}\ncnbtop\n")


@case
def wheels_with_everything(case: Case) -> None:
    """Scripts, data files, headers, both kinds of libraries; a script with arguments of its own."""
    data = "cnbtop-1.0.data"
    files = {
        f"{data}/scripts/run-cnbtop": b"#!python\nprint('a script')\n",
        f"{data}/scripts/run-shell": b"#!/bin/sh\necho a shell script\n",
        f"{data}/data/share/cnbtop/file.txt": b"data\n",
        f"{data}/headers/cnbtop.h": b"/* header */\n",
        f"{data}/purelib/cnbtop_pure.py": b"",
        f"{data}/platlib/cnbtop_plat.py": b"",
        "cnbtop_package/__init__.py": b"",
        "cnbtop_package/data/\xc3\xa4.txt".encode("latin-1").decode(): b"text",
        "namespace/cnbtop/module.py": b"",
    }
    publish(
        case.host,
        wheel("cnbtop", scripts=["cnbtop", "Top_2.x"], files=files),
        wheel("cnbleft", files={"namespace/cnbleft/module.py": b""}),
    )
    case.requirements("--index-url {index}\ncnbtop\ncnbleft\n")


@case
def odd_versions(case: Case) -> None:
    """Epochs, local versions, post releases, and names in another spelling."""
    publish(
        case.host,
        wheel("cnbtop", "1!1.0"),
        wheel("cnbtop", "2.0"),
        wheel("cnbleft", "1.0"),
        wheel("cnbleft", "1.0+local.1"),
        wheel("cnb_right", "1.0.post2"),
    )
    case.requirements("--index-url {index}\nCNBTOP\ncnbleft==1.0\nCnb.Right~=1.0\n")


@case
def the_app_itself(case: Case) -> None:
    """`-e .`, as many repositories have it."""
    write(
        case.app,
        setup_DOT_py="from setuptools import setup\nsetup(name='app', version='1', py_modules=['app'])\n",
    )
    case.requirements("-e .\n")


@case
def configured_by_pip_conf(case: Case) -> None:
    """pip's own configuration names the index."""
    publish(case.host, wheel("cnbtop"))
    conf = case.app.parent / "pip.conf"
    conf.write_text(f"[global]\nindex-url = {case.host.url}/simple/\n[install]\nno-compile = yes\n")
    case.settings = {"PIP_CONFIG_FILE": str(conf)}
    case.requirements("cnbtop\n")


def sources_of(app: Path) -> list[Path]:
    """The app's own files and directories: byte code beside them is a later step's work."""
    return sorted(path for path in app.rglob("*") if "__pycache__" not in path.parts)


def prepare(bench: Bench, host: Host, name: str) -> Case:
    """Write the app of a case."""
    shutil.rmtree(bench.app)
    bench.app.mkdir()
    (bench.app / "app.py").write_text("")
    made = Case(app=bench.app, host=host)
    CASES[name](made)
    return made


@pytest.mark.parametrize("name", CASES)
def test_both_install_the_same(bench: Bench, host: Host, name: str) -> None:
    """Distributions, files, records and programs are equal."""
    made = prepare(bench, host, name)
    sources = sources_of(bench.app)
    ours = bench.install(made.settings)
    if made.pip_because:
        assert f"with pip: {made.pip_because}" in ours.log
    else:
        assert "with uv " in ours.log
        assert ("pip decides" in ours.log) == bool(made.uv_refuses), ours.log
        assert made.uv_refuses in ours.log
    theirs = bench.install({**made.settings, "BP_PIP_INSTALLER": "pip"})
    assert "with pip: BP_PIP_INSTALLER=pip" in theirs.log
    assert ours.distributions == theirs.distributions
    assert ours.files == theirs.files
    assert ours.records == theirs.records
    assert ours.programs == theirs.programs
    assert ours.distributions
    assert sources_of(bench.app) == sources


@pytest.mark.parametrize("name", ["pinned", "editable", "hashes", "wheels_with_everything"])
def test_plain_pip_installs_the_same(bench: Bench, host: Host, name: str) -> None:
    """The buildpack adds nothing to what pip puts in a virtual environment, and takes nothing."""
    made = prepare(bench, host, name)
    ours = bench.install(made.settings)
    plain = bench.install_plainly(made.settings)
    assert ours.distributions == plain.distributions

    def packages(installed: Installed) -> dict[str, tuple[str, str]]:
        return {path: one for path, one in installed.files.items() if not VENV_OWN.fullmatch(path)}

    assert packages(ours) == packages(plain)
    assert ours.records == plain.records
    assert ours.programs == plain.programs


def test_packages_are_linked_where_the_layers_are_a_volume(bench: Bench, host: Host) -> None:
    """As with pack and kpack: /tmp is another file system. Nothing of uv's stays beside the layers."""
    made = prepare(bench, host, "pinned")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        assert Path(other).stat().st_dev != bench.layers.stat().st_dev
        ours = bench.install({**made.settings, "TMPDIR": other, "BP_LOG_LEVEL": "debug"})
        assert not list(Path(other).iterdir())
    assert "--link-mode hardlink" in ours.log
    assert "Failed to hardlink" not in ours.log
    folders = {path.name for path in bench.layers.iterdir() if path.is_dir()}
    assert folders == {"pip-cache", "python", "venv"}


def test_enough_is_compared() -> None:
    """The exclusions leave modules, metadata and launch files in; the cases are many."""
    assert len(CASES) >= 12
    for path in ("lib/python3.13/site-packages/x-1.dist-info/METADATA", "bin/other", "x/y.py"):
        assert not excluded(path, ["program"])
    assert excluded("bin/program", ["program"])
