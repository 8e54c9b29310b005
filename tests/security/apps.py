"""An app for each builder that needs given distributions, as its users would write it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import tomli_w
from tests.managers.conftest import plain_environment, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import BACKEND, Distribution, metadata, write_wheel
from tests.security.places import TOKENS, USER, Source

import host_python
from python_buildpack.app.files import AppFiles
from python_buildpack.managers import pdm_hash, pipenv_reader, poetry_reader
from python_buildpack.managers.lock_fields import Fields

Files = dict[str, str]
VARIABLE = "${VAR} in the app's files"
TOKEN = "${VAR} in the path of an index in the app's files"
NAMED = "a named index's password"
LITERAL = "an index URL in the app's files"
Author = Callable[[Sequence[Source], SimpleIndex, Path], Files]


def index_url(source: Source, public: SimpleIndex) -> str:
    """The index as the app's files name it."""
    if source.place == VARIABLE:
        return source.server.url.replace("://", f"://{USER}:${{OWN_PASSWORD}}@")
    if source.place == TOKEN:
        return source.server.url.replace(source.server.token, f"${{{TOKENS[TOKEN]}}}")
    if source.place == LITERAL:
        return source.server.url_with_credentials
    return source.server.url if source.place == NAMED else public.url


def index_name(source: Source) -> str:
    """`own-named` and the like; '' for the public one, which the configuration replaces."""
    names = {
        VARIABLE: "own-variable", TOKEN: "own-token", NAMED: "own-named", LITERAL: "own-literal",
    }  # fmt: skip
    return names.get(source.place, "")


def _own(sources: Sequence[Source], public: SimpleIndex) -> dict[str, str]:
    return {index_name(s): index_url(s, public) for s in sources if index_name(s)}


def _pip(sources: Sequence[Source], public: SimpleIndex, uv: Path) -> Files:
    own = list(_own(sources, public).values())
    # pip takes variables as they are: they are escaped there already.
    options = [f"--index-url {own[0]}"] if own else []
    options += [f"--extra-index-url {url}" for url in own[1:]]
    return {"requirements.txt": "\n".join([*options, *(s.line for s in sources), ""])}


def _pyproject(sources: Sequence[Source], public: SimpleIndex, uv: Path) -> Files:
    project = {"name": "app", "version": "1", "dependencies": [s.line for s in sources]}
    return {"pyproject.toml": tomli_w.dumps({"project": project})}


def _script(sources: Sequence[Source], public: SimpleIndex, uv: Path) -> Files:
    table: dict[str, Any] = {"dependencies": [s.line for s in sources]}
    table["tool"] = {
        "uv": {"index": [{"name": n, "url": u} for n, u in _own(sources, public).items()]}
    }
    lines = tomli_w.dumps(table).splitlines()
    text = "".join(f"# {line}".rstrip() + "\n" for line in lines)
    return {"run.py": f"# /// script\n{text}# ///\n", "Procfile": "web: python run.py\n"}


def _setup_py(sources: Sequence[Source], public: SimpleIndex, uv: Path) -> Files:
    lines = tuple(s.line for s in sources)
    return {
        "setup.py": "from setuptools import setup\nsetup()\n",
        "PKG-INFO": metadata(Distribution(name="app", requires=lines)),
    }


def setuptools(folder: Path) -> Path:
    """A stand-in for setuptools: `__legacy__`, the backend of a lone setup.py, is all of it."""
    backend = BACKEND.replace("pathlib.Path(__file__).resolve().parent", "pathlib.Path.cwd()")
    files = {
        "setuptools/__init__.py": "",
        "setuptools/build_meta.py": f"{backend}\n__legacy__ = sys.modules[__name__]\n",
    }
    return write_wheel(Distribution(name="setuptools", version="99.0", files=files), folder)


def _pylock(sources: Sequence[Source], public: SimpleIndex, uv: Path) -> Files:
    packages: list[dict[str, Any]] = []
    for one in sources:
        entry: dict[str, Any] = {"name": one.name, "version": "1.0"}
        if one.kind == "vcs":
            entry["vcs"] = {"type": "git", "url": one.full_url, "commit-id": one.commit}
        elif one.kind == "url":
            entry["archive"] = {"url": one.full_url, "hashes": {"sha256": one.sha256}}
        else:
            key = "sdist" if one.kind == "sdist" else "wheels"
            file = {"name": one.file, "url": one.url, "hashes": {"sha256": one.sha256}}
            entry[key] = [file] if key == "wheels" else file
        packages.append(entry)
    lock = {"lock-version": "1.0", "created-by": "tests", "packages": packages}
    return {"pylock.toml": tomli_w.dumps(lock)}


def _pdm(sources: Sequence[Source], public: SimpleIndex, uv: Path) -> Files:
    own = [{"name": name, "url": url} for name, url in _own(sources, public).items()]
    manifest = {
        "project": {
            "name": "app",
            "version": "1",
            "requires-python": ">=3.9",
            "dependencies": [s.line for s in sources],
        },
        "tool": {"pdm": {"distribution": False, "source": own}},
    }
    packages: list[dict[str, Any]] = []
    for one in sources:
        entry: dict[str, Any] = {"name": one.name, "version": "1.0", "groups": ["default"]}
        if one.kind == "vcs":
            entry |= {"git": one.full_url, "revision": one.commit, "ref": one.commit}
        else:
            entry["files"] = [{"file": one.file, "hash": f"sha256:{one.sha256}"}]
            if one.kind == "url":
                entry["url"] = one.full_url
                entry["files"][0] = {"url": one.full_url, "hash": f"sha256:{one.sha256}"}
        packages.append(entry)
    lock: dict[str, Any] = {
        "metadata": {
            "groups": ["default"],
            "strategy": ["inherit_metadata"],
            "lock_version": "4.5.0",
        },
        "package": packages,
    }
    files = {"pyproject.toml": tomli_w.dumps(manifest)}
    with tempfile.TemporaryDirectory() as name:
        digest = pdm_hash.content_hash(AppFiles(write_files(Path(name), files)), "sha256")
    lock["metadata"]["content_hash"] = f"sha256:{digest}"
    return {**files, "pdm.lock": tomli_w.dumps(lock)}


def _poetry(sources: Sequence[Source], public: SimpleIndex, uv: Path) -> Files:
    wanted: dict[str, Any] = {"python": ">=3.9"}
    packages: list[dict[str, Any]] = []
    for one in sources:
        name = index_name(one)
        entry: dict[str, Any] = {
            "name": one.name, "version": "1.0", "optional": False, "python-versions": "*",
            "groups": ["main"], "files": [{"file": one.file, "hash": f"sha256:{one.sha256}"}],
        }  # fmt: skip
        if one.kind == "vcs":
            wanted[one.name] = {"git": one.full_url}
            entry["files"] = []
            entry["source"] = {
                "type": "git", "url": one.full_url, "reference": "HEAD",
                "resolved_reference": one.commit,
            }  # fmt: skip
        elif one.kind == "url":
            wanted[one.name] = {"url": one.full_url}
            entry["source"] = {"type": "url", "url": one.full_url}
        elif name:
            wanted[one.name] = {"version": "1.0", "source": name}
            url = index_url(one, public)
            entry["source"] = {"type": "legacy", "url": url.rstrip("/"), "reference": name}
        else:
            wanted[one.name] = "1.0"
        packages.append(entry)
    own = [{"name": n, "url": u, "priority": "explicit"} for n, u in _own(sources, public).items()]
    table = {"package-mode": False, "dependencies": wanted, "source": own}
    manifest = {"tool": {"poetry": table}}
    digest = sorted(poetry_reader.content_hashes(manifest, lock_format=(2, 1), generator="2.1.0"))[
        0
    ]
    lock = {
        "package": packages,
        "extras": {},
        "metadata": {"lock-version": "2.1", "python-versions": ">=3.9", "content-hash": digest},
    }
    return {"pyproject.toml": tomli_w.dumps(manifest), "poetry.lock": tomli_w.dumps(lock)}


def _pipenv(sources: Sequence[Source], public: SimpleIndex, uv: Path) -> Files:
    own = _own(sources, public)
    listed = [
        {"name": name, "url": url, "verify_ssl": url.startswith("https:")}
        for name, url in {"public": public.url, **own}.items()
    ]
    wanted: dict[str, Any] = {}
    locked: dict[str, Any] = {}
    for one in sources:
        hashes = [f"sha256:{one.sha256}"]
        if one.kind == "vcs":
            wanted[one.name] = {"git": one.full_url, "ref": one.commit}
            locked[one.name] = {"git": one.full_url, "ref": one.commit}
        elif one.kind == "url":
            wanted[one.name] = {"file": one.full_url}
            locked[one.name] = {"file": one.full_url, "hashes": hashes}
        else:
            name = index_name(one) or "public"
            wanted[one.name] = {"version": "==1.0", "index": name}
            locked[one.name] = {"version": "==1.0", "hashes": hashes, "index": name}
    manifest = {"source": listed, "packages": wanted}
    fields = Fields(file="Pipfile", values=manifest, repair="")
    digest = sorted(pipenv_reader.content_hashes(fields, listed))[0]
    meta = {"hash": {"sha256": digest}, "pipfile-spec": 6, "requires": {}, "sources": listed}
    lock = {"_meta": meta, "default": locked, "develop": {}}
    return {"Pipfile": tomli_w.dumps(manifest), "Pipfile.lock": json.dumps(lock)}


def _uv(sources: Sequence[Source], public: SimpleIndex, uv: Path) -> Files:
    """Locked by uv itself."""
    indexes: list[dict[str, Any]] = [
        {"name": name, "url": url, "explicit": True} for name, url in _own(sources, public).items()
    ]
    manifest = {
        "project": {
            "name": "app",
            "version": "1",
            "requires-python": ">=3.10",
            "dependencies": [s.line for s in sources],
        },
        "tool": {
            "uv": {
                "index": [*indexes, {"name": "public", "url": public.url, "default": True}],
                "sources": {s.name: {"index": index_name(s)} for s in sources if index_name(s)},
            }
        },
    }
    with tempfile.TemporaryDirectory() as name:
        folder = write_files(Path(name) / "app", {"pyproject.toml": tomli_w.dumps(manifest)})
        environ = {**plain_environment(Path(name)), "UV_CACHE_DIR": f"{name}/cache"}
        for one in sources:
            if one.place == NAMED:
                prefix = "UV_INDEX_" + index_name(one).replace("-", "_").upper()
                environ |= {f"{prefix}_USERNAME": USER, f"{prefix}_PASSWORD": one.server.password}
                environ["UV_INSECURE_HOST"] = one.server.host
        done = subprocess.run(
            [uv, "lock", "--no-python-downloads", "--python", host_python.find_host_python()],
            cwd=folder, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


AUTHORS: Mapping[str, Author] = {
    "pip": _pip,
    "pip by pip": _pip,
    "pipenv": _pipenv,
    "poetry": _poetry,
    "uv": _uv,
    "pdm": _pdm,
    "pylock": _pylock,
    "pyproject": _pyproject,
    "setup.py": _setup_py,
    "script": _script,
}
SETTINGS: Mapping[str, Mapping[str, str]] = {"pip by pip": {"BP_PIP_INSTALLER": "pip"}}


def escaped(builder: str, password: str) -> str:
    """The value of a variable that stands in a URL: pip takes it as it is."""
    return quote(password, safe="") if builder.startswith("pip ") or builder == "pip" else password
