"""A private index serves every manager, however its credentials are given, and shows none of them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.managers.conftest import Builder, Built, distributions, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import PYPROJECT, Distribution, write_source, write_wheel

from python_buildpack.app.files import AppFiles
from python_buildpack.managers import pdm_hash, pipenv_reader, poetry_reader
from python_buildpack.managers.lock_fields import Fields

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

USER = "alice"
PASSWORD = "s3cret/pa55@word#1%2F"


@pytest.fixture
def private(workplace: Path) -> Iterator[SimpleIndex]:
    """An index with one distribution, behind basic authentication."""
    with SimpleIndex(user=USER, password=PASSWORD) as index:
        index.add(write_wheel(Distribution(name="secret"), workplace / "wheels"))
        yield index


def bind(workplace: Path, name: str, **entries: str) -> None:
    """A service binding of the platform's; `_` in a name stands for a dot."""
    folder = workplace / "platform" / "bindings" / name
    folder.mkdir(parents=True, exist_ok=True)
    for entry, text in entries.items():
        (folder / entry.replace("_", ".")).write_text(text)


# manager (and who installs) -> the app's files and settings
App = Callable[[SimpleIndex], tuple[Mapping[str, str], Mapping[str, str]]]


def _pip(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    return {"requirements.txt": "secret\n"}, {}


def _pip_itself(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    return {"requirements.txt": "secret\n"}, {"BP_PIP_INSTALLER": "pip"}


def _pip_locked(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    digest = next(iter(index.files["secret"].values())).sha256
    return {"requirements.txt": f"secret==1.0 --hash=sha256:{digest}\n"}, {}


def _pyproject(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    text = '[project]\nname = "a"\nversion = "1"\ndependencies = ["secret"]\n'
    return {"pyproject.toml": text}, {}


def _script(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    text = '# /// script\n# dependencies = ["secret"]\n# ///\n'
    return {"run.py": text}, {"BP_PYTHON_SCRIPT": "run.py"}


def _wheel(index: SimpleIndex) -> tuple[str, str]:
    """The URL of the one wheel and its hash."""
    file = next(iter(index.files["secret"].values()))
    return f"http://{index.host}/files/secret/{file.name}", file.sha256


def _pylock(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    url, digest = _wheel(index)
    text = (
        'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "secret"\n'
        f'version = "1.0"\nindex = "{index.url}"\n'
        f'wheels = [{{ url = "{url}", hashes = {{ sha256 = "{digest}" }} }}]\n'
    )
    return {"pylock.toml": text}, {}


def _uv(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    url, digest = _wheel(index)
    manifest = (
        '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10"\n'
        f'dependencies = ["secret"]\n[[tool.uv.index]]\nurl = "{index.url}"\ndefault = true\n'
    )
    lock = (
        'version = 1\nrevision = 3\nrequires-python = ">=3.10"\n'
        '[[package]]\nname = "a"\nversion = "1"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "secret" }]\n'
        '[package.metadata]\nrequires-dist = [{ name = "secret" }]\n'
        f'[[package]]\nname = "secret"\nversion = "1.0"\nsource = {{ registry = "{index.url}" }}\n'
        f'wheels = [{{ url = "{url}", hash = "sha256:{digest}" }}]\n'
    )
    return {"pyproject.toml": manifest, "uv.lock": lock}, {}


def _poetry(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    manifest = (
        '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10"\n'
        'dependencies = ["secret"]\n[tool.poetry]\npackage-mode = false\n'
    )
    (content,) = poetry_reader.content_hashes(
        tomllib.loads(manifest), lock_format=(2, 1), generator=""
    )
    lock = (
        '[[package]]\nname = "secret"\nversion = "1.0"\ngroups = ["main"]\n'
        f'files = [{{file = "a.whl", hash = "sha256:{_wheel(index)[1]}"}}]\n'
        f'[metadata]\nlock-version = "2.1"\ncontent-hash = "{content}"\n'
    )
    return {"pyproject.toml": manifest, "poetry.lock": lock}, {}


def _pdm(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    manifest = (
        '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10"\n'
        'dependencies = ["secret"]\n[tool.pdm]\ndistribution = false\n'
    )
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), {"pyproject.toml": manifest})
        content = pdm_hash.content_hash(AppFiles(Path(folder)), "sha256")
    lock = (
        '[metadata]\ngroups = ["default"]\nstrategy = ["inherit_metadata"]\n'
        f'lock_version = "4.5.0"\ncontent_hash = "sha256:{content}"\n'
        '[[package]]\nname = "secret"\nversion = "1.0"\ngroups = ["default"]\n'
        f'files = [{{file = "a.whl", hash = "sha256:{_wheel(index)[1]}"}}]\n'
    )
    return {"pyproject.toml": manifest, "pdm.lock": lock}, {}


def _pipenv(
    index: SimpleIndex, manifest: str = '[packages]\nsecret = "*"\n'
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    sources = [{"name": "any", "url": "https://nowhere.invalid/simple", "verify_ssl": True}]
    fields = Fields(file="Pipfile", values=tomllib.loads(manifest), repair="")
    lock = {
        "_meta": {
            "hash": {"sha256": min(pipenv_reader.content_hashes(fields, sources))},
            "sources": sources,
        },
        "default": {"secret": {"version": "==1.0", "hashes": [f"sha256:{_wheel(index)[1]}"]}},
    }
    return {"Pipfile": manifest, "Pipfile.lock": json.dumps(lock)}, {}


APPS: Mapping[str, App] = {
    "pip": _pip,
    "pip-installed-by-pip": _pip_itself,
    "pip-with-hashes": _pip_locked,
    "pyproject": _pyproject,
    "script": _script,
    "pylock": _pylock,
    "uv": _uv,
    "poetry": _poetry,
    "pdm": _pdm,
    "pipenv": _pipenv,
}

# How the index and its credentials are given: files and bindings below the workplace, variables.
Way = Callable[[SimpleIndex, Path], Mapping[str, str]]


def _in_url(index: SimpleIndex, workplace: Path) -> Mapping[str, str]:
    return {"PIP_INDEX_URL": index.url_with_credentials}


def _uv_variables(index: SimpleIndex, workplace: Path) -> Mapping[str, str]:
    return {
        "UV_DEFAULT_INDEX": f"corp={index.url}",
        "UV_INDEX_CORP_USERNAME": USER,
        "UV_INDEX_CORP_PASSWORD": PASSWORD,
    }


def _pip_conf(index: SimpleIndex, workplace: Path) -> Mapping[str, str]:
    write_files(
        workplace / "home" / ".config" / "pip",
        {"pip.conf": f"[global]\nindex-url = {index.url_with_credentials}\n"},
    )
    return {}


def _bound_pip_conf(index: SimpleIndex, workplace: Path) -> Mapping[str, str]:
    text = f"[global]\nindex-url = {index.url_with_credentials}\n"
    bind(workplace, "any", type="pip", pip_conf=text)
    return {}


def _netrc(index: SimpleIndex, workplace: Path) -> Mapping[str, str]:
    path = workplace / "home" / ".netrc"
    path.write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    path.chmod(0o600)
    return {"PIP_INDEX_URL": index.url}


def _bound_netrc(index: SimpleIndex, workplace: Path) -> Mapping[str, str]:
    text = f"machine 127.0.0.1\nlogin {USER}\npassword {PASSWORD}\n"
    bind(workplace, "any", type="netrc", _netrc=text)
    return {"UV_INDEX_URL": index.url}


def _bound_index(index: SimpleIndex, workplace: Path) -> Mapping[str, str]:
    bind(
        workplace, "any", type="pypi-index", url=index.url, username=USER, password=PASSWORD
    )  # fmt: skip
    return {}


def _bound_uv_toml(index: SimpleIndex, workplace: Path) -> Mapping[str, str]:
    text = f'[[index]]\nurl = "{index.url_with_credentials}"\ndefault = true\n'
    bind(workplace, "any", type="uv", uv_toml=text)
    return {}


WAYS: Mapping[str, Way] = {
    "url": _in_url,
    "uv-variables": _uv_variables,
    "pip.conf": _pip_conf,
    "bound-pip.conf": _bound_pip_conf,
    "netrc": _netrc,
    "bound-netrc": _bound_netrc,
    "pypi-index": _bound_index,
    "bound-uv.toml": _bound_uv_toml,
}
# Every way for pip's own files; for the others one variable and two files.
TABLE = [
    *(("pip", way) for way in WAYS),
    *(("pip-installed-by-pip", way) for way in WAYS),
    *(
        (app, way)
        for app in APPS
        if app not in ("pip", "pip-installed-by-pip")
        for way in ("url", "pip.conf", "netrc")
    ),
]


def assert_hidden(built: Built) -> None:
    """Neither the log nor a file that was left holds the password, raw or escaped."""
    forms = (PASSWORD, "s3cret%2Fpa55%40word%231%252F")
    assert not [form for form in forms if form in built.log], built.log
    for path in built.layers.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            assert not [form for form in forms if form.encode() in data], path


@pytest.mark.parametrize(("name", "way"), TABLE)
def test_private_index(
    build: Builder, app: Path, private: SimpleIndex, workplace: Path, name: str, way: str
) -> None:
    """The package comes from the private index; the password is nowhere."""
    files, settings = APPS[name](private)
    write_files(app, files)
    variables = WAYS[way](private, workplace)
    built = build(app, BP_LOG_LEVEL="debug", **settings, **variables).passed()
    assert "secret-1.0" in distributions(built.venv)
    assert private.downloads() == ["secret-1.0-py3-none-any.whl"]
    assert_hidden(built)


@pytest.mark.parametrize("name", [name for name in APPS if name not in ("pyproject", "script")])
def test_wrong_credentials(
    build: Builder, app: Path, private: SimpleIndex, workplace: Path, name: str
) -> None:
    """The error names the index and what to check, not the password."""
    files, settings = APPS[name](private)
    write_files(app, files)
    url = f"http://{USER}:wr0ng-pa55@{private.host}/simple/"
    built = build(app, BP_LOG_LEVEL="debug", PIP_INDEX_URL=url, **settings)
    built.failed("index-credentials", f"The index {private.url} refused", "401")
    assert "wr0ng" not in built.log


def test_rotated_password_reinstalls_nothing(
    build: Builder, app: Path, private: SimpleIndex
) -> None:
    """Another password for the same index leaves the layer as it is."""
    write_files(app, {"requirements.txt": "secret\n"})
    build(app, PIP_INDEX_URL=private.url_with_credentials).passed()
    private.requests.clear()
    url = f"http://other:t0ken@{private.host}/simple/"
    again = build(app, keep=True, PIP_INDEX_URL=url).passed()
    assert "Reusing packages from the previous image" in again.log
    assert private.requests == []


def test_sources_of_a_project_without_a_lock(
    build: Builder, app: Path, private: SimpleIndex, index: SimpleIndex, workplace: Path
) -> None:
    """pip never decides: it would take a package of that name from whichever index has one."""
    index.add(write_wheel(Distribution(name="secret", version="9.9"), workplace / "public"))
    write_source(Distribution(name="shop", requires=["secret"]), app)
    write_files(
        app,
        {
            "pyproject.toml": f"{PYPROJECT}[project]\nname = 'shop'\nversion = '1.0'\n"
            "dependencies = ['secret']\n[tool.uv.sources]\nsecret = { index = 'ours' }\n"
            f"[[tool.uv.index]]\nname = 'ours'\nurl = '{private.url}'\nexplicit = true\n"
        },
    )
    refused = build(app, PIP_INDEX_URL=index.url)
    assert refused.code == 1
    assert "pip decides" not in refused.log
    assert "secret-9.9" not in str(list(refused.layers.rglob("*.dist-info")))
    environ = {"UV_INDEX_OURS_USERNAME": USER, "UV_INDEX_OURS_PASSWORD": PASSWORD}
    built = build(app, PIP_INDEX_URL=index.url, **environ).passed()
    assert "secret-1.0" in distributions(built.venv)


def test_requirements_with_variables(
    build: Builder, app: Path, private: SimpleIndex, index: SimpleIndex, workplace: Path
) -> None:
    """An --index-url of the file wins over PIP_INDEX_URL, as with pip; its variables are expanded."""
    index.add(write_wheel(Distribution(name="secret", version="9.9"), workplace / "public"))
    line = f"--index-url http://${{WHO}}:${{HOW}}@{private.host}/simple/\n"
    write_files(app, {"requirements.txt": f"{line}secret\n"})
    environ = {"WHO": USER, "HOW": "s3cret%2Fpa55%40word%231%252F"}
    built = build(app, PIP_INDEX_URL=index.url, **environ).passed()
    assert "secret-1.0" in distributions(built.venv)
    assert index.requests == []
    assert_hidden(built)


@pytest.fixture
def certificates(workplace: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 with its key, and the private CA that signed it."""
    folder = workplace / "tls"
    folder.mkdir()
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Private"
        " -addext keyUsage=critical,keyCertSign",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out request -subj /CN=127.0.0.1",
        "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names"
        " -out one.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "one.pem").read_text() + (folder / "key.pem").read_text())
    return both, folder / "ca.pem"


@pytest.mark.parametrize("name", ["pip", "pip-installed-by-pip"])
def test_private_ca(
    build: Builder, app: Path, workplace: Path, certificates: tuple[Path, Path], name: str
) -> None:
    """An index behind TLS with a private CA: refused, then trusted by a ca-certificates binding."""
    certificate, ca = certificates
    with SimpleIndex(user=USER, password=PASSWORD, certificate=certificate) as index:
        index.add(write_wheel(Distribution(name="secret"), workplace / "wheels"))
        files, settings = APPS[name](index)
        write_files(app, files)
        variables = {**settings, "PIP_INDEX_URL": index.url_with_credentials, "PIP_RETRIES": "0"}
        build(app, **variables).failed("install-index-certificate", "ca-certificates")
        bind(workplace, "ours", type="ca-certificates", ca_pem=ca.read_text())
        built = build(app, **variables).passed()
    assert "secret-1.0" in distributions(built.venv)
    assert_hidden(built)


def test_unverified_source(
    build: Builder, app: Path, workplace: Path, certificates: tuple[Path, Path]
) -> None:
    """A Pipfile's `verify_ssl = false` lets in a certificate that nobody vouches for; true does not."""
    with SimpleIndex(certificate=certificates[0]) as index:
        index.add(write_wheel(Distribution(name="secret"), workplace / "wheels"))
        for verified in ("true", "false"):
            source = f'[[source]]\nname = "own"\nurl = "{index.url}"\nverify_ssl = {verified}\n'
            write_files(app, _pipenv(index, source + '[packages]\nsecret = "*"\n')[0])
            built = build(app)
            if verified == "true":
                built.failed("install-index-certificate", "ca-certificates")
    assert "secret-1.0" in distributions(built.passed().venv)


def test_credentials_by_host_for_direct_urls(
    build: Builder, app: Path, private: SimpleIndex
) -> None:
    """A file's own URL on the index's host is fetched with the index's credentials."""
    wheel = next(iter(private.files["secret"].values()))
    line = f"secret @ http://{private.host}/files/secret/{wheel.name}\n"
    write_files(app, {"requirements.txt": line})
    built = build(app, PIP_INDEX_URL=private.url_with_credentials).passed()
    assert "secret-1.0" in distributions(built.venv)
    assert hashlib.sha256(wheel.data).hexdigest() == wheel.sha256
    assert_hidden(built)


@pytest.mark.parametrize("kind", ["mapping", "mirror"])
def test_runtime_from_a_bound_mirror(build: Builder, app: Path, workplace: Path, kind: str) -> None:
    """dependency-mapping and dependency-mirror say where the runtime comes from."""
    archive = workplace / "cpython-3.13.7+20250101-x86_64-unknown-linux-gnu-install_only.tar.gz"
    archive.write_bytes(b"no archive")
    digest = hashlib.sha256(b"no archive").hexdigest()
    entries = {
        "mapping": {digest: archive.as_uri()},
        "mirror": {"default": f"file://{workplace}"},
    }[kind]
    folder = workplace / "platform" / "bindings" / "m"
    write_files(folder, {"type": f"dependency-{kind}", **entries})
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    release = {
        "version": "3.13.7",
        "arch": arch,
        "flavour": "install_only",
        "build": "20250101",
        "sha256": digest,
        "url": f"https://nowhere.invalid/{archive.name}",
        "glibc": "2.17",
        "free_threaded": False,
    }
    text = json.dumps({"format": 1, "releases": [release]})
    write_files(workplace, {"releases.json": text})
    write_files(app, {"requirements.txt": ""})
    built = build(app, BP_PYTHON_RELEASES=str(workplace / "releases.json"))
    # It was fetched, and its checksum held: what is wrong is that it is no archive.
    built.failed("archive-broken", archive.name)
