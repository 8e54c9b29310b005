"""For every id of an error, what provokes it: files and variables for bin/build, or another test."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.managers.wheel_factory import Distribution, write_sdist, write_wheel


@dataclass(frozen=True, kw_only=True)
class Provocation:
    """What is built, with which variables. `{app}`, `{index}` and `{tls}` stand for places.

    `plan` is the build plan, `modes` are of files, `without` removes parts of the buildpack,
    `served` are what the index has, `words` what must be in the log besides the id.
    """

    files: Mapping[str, str | bytes] = field(default_factory=lambda: {"main.py": ""})
    variables: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    plan: str = ""
    modes: Mapping[str, int] = field(default_factory=dict)
    without: Sequence[str] = ()
    served: Sequence[Distribution | bytes] = ()


def version(text: str | bytes, **more: str) -> Provocation:
    """A `.python-version` with this content."""
    return Provocation(files={".python-version": text, **more})


def listed(archive: bytes | None = None, **changes: Any) -> Provocation:
    """A release list of one's own with one release, whose archive holds these bytes."""
    release = {
        "version": "3.13.2", "arch": "amd64", "free_threaded": False, "build": "1",
        "flavour": "install_only_stripped", "glibc": "2.17", "url": "a.tar.gz",
        "sha256": hashlib.sha256(archive or b"").hexdigest(), **changes,
    }  # fmt: skip
    files: dict[str, str | bytes] = {
        "main.py": "",
        "list/releases.json": json.dumps({"format": 1, "releases": [release]}),
    }
    if archive is not None:
        files["list/a.tar.gz"] = archive
    return Provocation(
        files=files,
        variables={
            "BP_PYTHON_RELEASES": "file://{app}/list/releases.json",
            "BP_CPYTHON_VERSION": "3.13.2",
            "CNB_TARGET_ARCH": "amd64",
        },
    )


def runtime_that_does_not_start() -> bytes:
    """An archive whose interpreter no system can execute."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("python/bin/python3.13", "python/lib/python3.13/os.py"):
            entry = tarfile.TarInfo(name)
            entry.mode, text = 0o755, b"#!/no/such/interpreter\n"
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return gzip.compress(packed.getvalue(), mtime=0)


def source_that_says(words: str) -> bytes:
    """An sdist `one` whose build fails with these words of other tools."""
    made = Distribution(name="one", files={"one.py": ""})
    backend = f"raise SystemExit({words!r})\n"
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w:gz") as tar:
        for name, content in (
            ("PKG-INFO", "Metadata-Version: 2.1\nName: one\nVersion: 1.0\n"),
            (
                "pyproject.toml",
                '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n',
            ),
            ("own.py", backend),
        ):
            entry = tarfile.TarInfo(f"one-{made.version}/{name}")
            entry.size = len(content.encode())
            tar.addfile(entry, io.BytesIO(content.encode()))
    return text.getvalue()


def pylock(packages: str, head: str = "") -> Provocation:
    """A pylock.toml."""
    return Provocation(
        files={"pylock.toml": f'lock-version = "1.0"\ncreated-by = "tests"\n{head}\n{packages}'}
    )


PYPROJECT = '[project]\nname = "app"\nversion = "1"\n'
UV_LOCK = 'version = 1\nrequires-python = ">=3.10"\n'
ONE = Distribution(name="one")
NLTK = (
    '<nltk_data><packages><package id="stopwords" subdir="corpora" url="stopwords.zip" '
    f'checksum="{"0" * 32}"/></packages><collections/></nltk_data>'
)
WHEEL = '[[packages]]\nname = "one"\nversion = "1.0"\n[packages.directory]\npath = "{}"\n'

PROVOKED: dict[str, Provocation] = {
    "archive-broken": listed(b"<html>Sign in</html>"),
    "archive-needs-zstd": Provocation(
        files=listed(b"\x28\xb5\x2f\xfd").files,
        variables=listed(b"\x28\xb5\x2f\xfd").variables,
        without=("vendor/zstandard",),
    ),
    "binding-unreadable": Provocation(
        files={"main.py": "", "bindings/mine/type": "pypi-index"},
        variables={"SERVICE_BINDING_ROOT": "{app}/bindings"},
        words="mine",
    ),
    "build-plan-version-conflict": Provocation(
        files={".python-version": "3.13\n"},
        plan='[[entries]]\nname = "python"\n[entries.metadata]\nversion = "<3.0"\n',
        words="Fix: change what the other buildpack requires",
    ),
    "certificate-untrusted": Provocation(variables={"BP_PYTHON_RELEASES": "{tls}/releases.json"}),
    "checksum-mismatch": listed(b"x", sha256="0" * 64),
    "committed-environment": Provocation(
        files={"Procfile": "web: .venv/bin/gunicorn app:app\n", ".venv/pyvenv.cfg": "home = /x\n"}
    ),
    "dependency-group-unknown": Provocation(
        files={"pyproject.toml": PYPROJECT}, variables={"BP_PYTHON_GROUPS": "gui"}, words="gui"
    ),
    "download-failed": dataclasses.replace(
        listed(url="absent.tar.gz"), words="absent.tar.gz does not exist in the build image"
    ),
    "environment-forbidden": Provocation(variables={"PIP_TARGET": "/x"}, words="PIP_TARGET"),
    "extra-unknown": Provocation(
        files={"pyproject.toml": PYPROJECT}, variables={"BP_PYTHON_EXTRAS": "gui"}, words="gui"
    ),
    "file-unreadable": Provocation(files={"pyproject.toml": "not [ toml\n"}),
    "find-links-missing": Provocation(variables={"BP_PIP_FIND_LINKS": "absent"}),
    "hashes-missing": Provocation(
        files={"requirements.txt": "one @ {index}files/one/one-1.0-py3-none-any.whl\n"},
        variables={"BP_REQUIRE_HASHES": "true"},
        served=[ONE],
    ),
    "hook-cannot-start": Provocation(
        files={"main.py": "", "bin/pre_compile": "#!/no/such\n"}, modes={"bin/pre_compile": 0o755}
    ),
    "hook-failed": Provocation(
        files={"main.py": "", "bin/pre_compile": "#!/bin/sh\nexit 3\n"},
        modes={"bin/pre_compile": 0o755},
    ),
    "hook-not-executable": Provocation(files={"main.py": "", "bin/pre_compile": "#!/bin/sh\n"}),
    "index-credentials": Provocation(
        files={"requirements.txt": "one\n"}, variables={"PIP_INDEX_URL": "{closed}"}
    ),
    "index-url-invalid": Provocation(
        files={"requirements.txt": "one\n"},
        variables={"PIP_INDEX_URL": "https://user:pa/ss@host:port/simple"},
    ),
    "install-compiler-missing": Provocation(
        files={"requirements.txt": "one\n"},
        served=[source_that_says("error: command 'gcc' failed: No such file or directory")],
        words="one is compiled",
    ),
    "install-failed": Provocation(
        files={"requirements.txt": "one\n"}, served=[source_that_says("an odd failure")]
    ),
    "install-flat-layout": Provocation(
        files={"requirements.txt": "one\n"},
        served=[
            source_that_says("Multiple top-level packages discovered in a flat-layout: ['a', 'b'].")
        ],
        words="['a', 'b']",
    ),
    "install-git-missing": Provocation(
        files={"requirements.txt": "one @ git+{index}one.git\n"},
        variables={"PATH": "{app}/bin"},
    ),
    "install-index-credentials": Provocation(
        files={"requirements.txt": "one @ {closed}one-1.0-py3-none-any.whl\n"},
        words="or are missing, for http://127.0.0.1:",
    ),
    "install-python-too-new": Provocation(
        files={"requirements.txt": "one\n"},
        served=[source_that_says("ModuleNotFoundError: No module named 'distutils'")],
        words="it needs distutils, which Python has only up to 3.11",
    ),
    "internal-error": Provocation(
        variables={"CNB_LAYERS_DIR": "{app}/main.py/layers"}, words="Please report it"
    ),
    "lock-ambiguous": pylock(WHEEL.format(".") * 2),
    "lock-environment": pylock(WHEEL.format("."), "environments = [\"sys_platform == 'win32'\"]"),
    "lock-inputs": Provocation(
        files={
            "pyproject.toml": PYPROJECT,
            "pdm.lock": '[metadata]\ngroups = ["default"]\nlock_version = "4.5.0"\n'
            "lock_inputs = []\n",
        }
    ),
    "lock-malformed": Provocation(files={"pylock.toml": 'lock-version = "1.0"\n'}),
    "lock-missing": Provocation(files={"Pipfile": "[packages]\n"}, words="pipenv lock"),
    "lock-path-missing": dataclasses.replace(
        pylock(WHEEL.format("absent")), words="installs one from 'absent'"
    ),
    "lock-stale": Provocation(
        files={
            "pyproject.toml": PYPROJECT,
            "poetry.lock": "package = []\n[metadata]\nlock-version = '2.1'\npython-versions = '*'\n"
            f"content-hash = '{'0' * 64}'\n",
        },
        words="poetry lock",
    ),
    "lock-version-unknown": Provocation(
        files={"pylock.toml": 'lock-version = "9.0"\ncreated-by = "x"\npackages = []\n'}
    ),
    "manifest-missing": Provocation(files={"uv.lock": UV_LOCK}),
    **{
        id: Provocation(
            files={"requirements.txt": "nltk\n", "nltk.txt": text, "index.xml": index},
            variables={"BP_NLTK_INDEX": "index.xml"},
            served=[Distribution(name="nltk")],
        )
        for id, text, index in (
            ("nltk-line-invalid", "corpora/stopwords\n", NLTK),
            ("nltk-data-unknown", "stopword\n", NLTK),
            ("nltk-index-unusable", "stopwords\n", "<html>"),
        )
    },
    "package-manager-without-files": Provocation(variables={"BP_PYTHON_PACKAGE_MANAGER": "poetry"}),
    "name-not-utf8": Provocation(
        files={"pylock.caf\udce9.toml": pylock("packages = []\n").files["pylock.toml"]},
        words="pylock.caf\\udce9.toml",
    ),
    "package-managers-conflict": Provocation(
        files={"pyproject.toml": PYPROJECT, "poetry.lock": "", "requirements.txt": "one\n"}
    ),
    "path-leaves-app": Provocation(variables={"BP_PYTHON_PROJECT_DIR": "../other"}),
    "procfile-invalid": Provocation(files={"Procfile": "gunicorn app\n"}, words="line 1"),
    "project-directory-missing": Provocation(variables={"BP_PYTHON_PROJECT_DIR": "services/api"}),
    "pylock-unknown": Provocation(
        files={"pylock.a.toml": "", "pylock.b.toml": ""}, words="pylock.a.toml, pylock.b.toml"
    ),
    "python-free-threaded-unknown": version("3.13t\n"),
    "python-implementation-unsupported": version("pypy3.10\n"),
    "python-minor-unknown": version("3.99\n"),
    "python-range-empty": version(">=3.99\n"),
    "python-range-invalid": version("^3.12\n"),
    "python-version-conflict": version(
        "3.13\n", **{"pyproject.toml": PYPROJECT + 'requires-python = "<3.12"\n'}
    ),
    "python-version-distribution": Provocation(
        files={**listed(version="3.8.20").files, ".python-version": "3.8\n"},
        variables={
            "BP_PYTHON_RELEASES": "file://{app}/list/releases.json",
            "CNB_TARGET_DISTRO_NAME": "debian",
            "CNB_TARGET_DISTRO_VERSION": "12",
            "CNB_TARGET_ARCH": "amd64",
        },
    ),
    "python-version-end-of-life": version("3.6\n"),
    "python-version-invalid": version("3,13\n"),
    "python-version-major-only": version("3\n"),
    "python-version-moving": version("latest\n"),
    "python-version-not-text": Provocation(
        files={"pyproject.toml": '[project]\nname = "a"\nversion = "1"\nrequires-python = 3.13\n'}
    ),
    "python-version-other-architecture": Provocation(
        files={
            "main.py": "",
            "list/releases.json": json.dumps(
                {
                    "format": 1,
                    "releases": [
                        json.loads(
                            str(listed(arch=arch, version=number).files["list/releases.json"])
                        )["releases"][0]
                        for arch, number in (("arm64", "3.13.2"), ("amd64", "3.13.1"))
                    ],
                }
            ),
        },
        variables=listed().variables,
    ),
    "python-version-spelling": version("python-3.13\n"),
    "python-version-unknown": version("3.13.99\n"),
    "python-version-virtualenv": version("my-app-env\n"),
    "release-list-unreadable": Provocation(
        files={"main.py": "", "list.json": "[]"},
        variables={"BP_PYTHON_RELEASES": "file://{app}/list.json"},
    ),
    "releases-lack-architecture": listed(arch="arm64"),
    "requirements-file-elsewhere": Provocation(
        files={"manage.py": "", "requirements/base.txt": "one\n", "requirements/live.txt": "one\n"},
        words="Set BP_PIP_REQUIREMENT=requirements/live.txt",
    ),
    "requirements-file-missing": Provocation(files={"requirements.txt": "-r absent.txt\n"}),
    "requirements-file-misspelt": Provocation(files={"requirement.txt": "one\n"}),
    "requirements-of-another-machine": Provocation(
        files={"requirements.txt": "one\nsix @ file:///home/conda/six_16/work\n"},
        words="requirements.txt line 2",
    ),
    "requirements-too-deep": Provocation(
        files={
            "requirements.txt": "-r 0.txt\n",
            **{f"{n}.txt": f"-r {n + 1}.txt\n" for n in range(60)},
            "60.txt": "",
        }
    ),
    "runtime-unusable": dataclasses.replace(
        listed(runtime_that_does_not_start()), words="the loader that it names is not"
    ),
    "script-metadata-invalid": Provocation(
        files={"run.py": "# /// script\n# dependencies = [\n# ///\n"},
        variables={"BP_PYTHON_SCRIPT": "run.py"},
    ),
    "script-without-metadata": Provocation(
        files={"run.py": ""}, variables={"BP_PYTHON_SCRIPT": "run.py"}
    ),
    "setting-invalid": Provocation(variables={"BP_PIP_INSTALLER": "conda"}, words="auto, uv, pip"),
    "settings-contradict": Provocation(
        files={"run.py": "", "pylock.toml": "", "requirements.txt": ""},
        variables={"BP_PYLOCK": "pylock.toml", "BP_PIP_REQUIREMENT": "requirements.txt"},
    ),
    "sources-need-uv": Provocation(
        files={
            "pyproject.toml": PYPROJECT
            + '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
            + '[tool.uv.sources]\none = { path = "one" }\n'
        },
        variables={"BP_PIP_INSTALLER": "pip"},
        words="[tool.uv.sources]",
    ),
    "sources-need-lock": Provocation(
        files={
            "pyproject.toml": PYPROJECT
            + 'dependencies = ["one"]\n[tool.uv.sources]\none = { git = "https://x.example/one" }\n'
        }
    ),
    "uv-needed": Provocation(
        files={
            **pylock(WHEEL.format("libs/one")).files,
            "libs/one/pyproject.toml": '[project]\nname = "one"\nversion = "1.0"\n',
        },
        variables={"PATH": "/usr/bin:/bin"},
        without=("uv",),
    ),
    "version-file-bom": version(b"\xef\xbb\xbf3.13\n"),
    "version-file-control-characters": version("3.13\u200b\n"),
    "version-file-empty": version("# none\n"),
    "version-file-holds-more": version("EOF\n3.12\n", words="echo '3.12'"),
    "version-file-misspelt": Provocation(files={"python-version": "3.13\n"}),
    "version-file-not-utf8": version(b"3.13 # caf\xe9\n"),
    "version-file-several": version("3.13\n3.12\n"),
    "version-file-utf16": version("3.13\n".encode("utf-16")),
    "workspace-member-needed": Provocation(
        files={
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["a"]\n',
            "a/pyproject.toml": '[project]\nname = "a"\nversion = "1"\n',
            "uv.lock": UV_LOCK + '[manifest]\nmembers = ["a"]\n'
            '[[package]]\nname = "a"\nversion = "1"\nsource = { editable = "a" }\n',
        }
    ),
    "workspace-member-unknown": Provocation(
        files={
            "pyproject.toml": PYPROJECT,
            "uv.lock": UV_LOCK
            + '[[package]]\nname = "app"\nversion = "1"\nsource = { virtual = "." }\n',
        },
        variables={"BP_UV_PACKAGE": "other"},
    ),
}

# Provoked for real by tests of their own, which need more than an app: id -> where the id stands.
ELSEWHERE: dict[str, str] = {
    **{
        f"collectstatic-{cause}": "tests/lifecycle/test_app_steps.py"
        for cause in (
            *("database", "directory-unwritable", "failed", "improperly-configured"),
            *("missing-file", "module-missing", "no-settings", "service-unreachable"),
            *("setting-missing", "static-root", "syntax-error", "time-zones"),
        )
    },
    **{
        f"install-{hint}": "tests/managers/test_hints.py"
        for hint in (
            *("conflict", "hash-mismatch", "header-missing", "index-unreachable", "no-wheel"),
            *("out-of-memory", "package-missing", "python2-only", "version-from-vcs"),
            *("version-missing", "yanked", "disk-full"),
        )
    },
    "disk-full": "tests/managers/test_errors.py",
    "index-variable-missing": "tests/managers/test_pipenv.py",
    "install-index-certificate": "tests/managers/test_indexes.py",
    "install-wheels-missing": "tests/managers/test_offline.py",
    "stopped": "tests/lifecycle/test_stop.py",
    "uv-lock-unusable": "tests/managers/test_uv.py",
}


def write(one: Distribution | bytes, folder: Path) -> Path:
    """A wheel of the distribution, or the sdist `one` with these bytes."""
    if isinstance(one, Distribution):
        return write_wheel(one, folder)
    path = write_sdist(ONE, folder)
    path.write_bytes(one)
    return path
