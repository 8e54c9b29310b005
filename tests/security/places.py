"""Where secrets are given to a build: the table, each with what becomes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.managers.conftest import write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_git, write_sdist, write_wheel

USER = "alice"
MANAGERS = ("pip", "pipenv", "poetry", "uv", "pdm", "pylock", "pyproject", "setup.py", "script")
# pip itself installs too, where uv cannot.
BUILDERS = (*MANAGERS, "pip by pip")


def secret(place: str) -> str:
    """What is planted there; long enough to occur by no chance."""
    return "k" + hashlib.sha256(place.encode()).hexdigest()[:23]


def password(place: str) -> str:
    """With what needs escaping around it."""
    return f"p/{secret(place)}@x"


@dataclass
class Scene:
    """What a build is given. `server` serves what this place's credentials open.

    `ca` is the text of the certificate that the servers' own are signed with.
    """

    home: Path
    bindings: Path
    server: SimpleIndex
    ca: str
    environ: dict[str, str] = field(default_factory=dict)

    def bind(self, kind: str, **entries: str) -> None:
        """A service binding; `_` in a name stands for a dot."""
        files = {name.replace("_", "."): text for name, text in entries.items()}
        number = len(list(self.bindings.glob("*")))
        write_files(self.bindings / f"{number:02}-{kind}", {"type": kind, **files})

    def add(self, variable: str, value: str) -> None:
        """Another value of a variable with a list."""
        self.environ[variable] = f"{self.environ.get(variable, '')} {value}".strip()


@dataclass(frozen=True, kw_only=True)
class Place:
    """`plant` puts the secret there. `serves`: what is installed with it ('': nothing is).
    `in_path`: it is a part of the URL's path, not a password.

    `only` are the builders that it concerns, the others have no such place: `why`.
    """

    round: str
    plant: Callable[[Scene], None]
    serves: str = ""
    in_path: bool = False
    only: tuple[str, ...] = BUILDERS
    why: str = ""


def _url(scene: Scene) -> str:
    return scene.server.url_with_credentials


def _page(scene: Scene) -> str:
    project = next(iter(scene.server.files))
    return f"{_url(scene)}{project}/"


def _netrc(scene: Scene) -> str:
    return f"machine {scene.server.address} login {USER} password {scene.server.password}\n"


def _variable(name: str, value: Callable[[Scene], str] = _url) -> Callable[[Scene], None]:
    return lambda scene: scene.add(name, value(scene))


def _named(scene: Scene) -> None:
    scene.add("UV_INDEX", f"corp={scene.server.url}")
    scene.environ |= {
        "UV_INDEX_CORP_USERNAME": USER,
        "UV_INDEX_CORP_PASSWORD": scene.server.password,
    }


def _own_named(scene: Scene) -> None:
    prefix = "POETRY_HTTP_BASIC_OWN-NAMED".replace("-", "_")
    scene.environ |= {f"{prefix}_USERNAME": USER, f"{prefix}_PASSWORD": scene.server.password}


def _home_netrc(scene: Scene) -> None:
    path = scene.home / ".netrc"
    path.write_text(_netrc(scene))
    scene.add("UV_EXTRA_INDEX_URL", scene.server.url)


def _bound_netrc(scene: Scene) -> None:
    scene.bind("netrc", _netrc=_netrc(scene))
    scene.add("UV_EXTRA_INDEX_URL", scene.server.url)


def _home_pip_conf(scene: Scene) -> None:
    text = f"[global]\nfind-links = {_page(scene)}\n"
    write_files(scene.home / ".config" / "pip", {"pip.conf": text})


def _bound_pip_conf(scene: Scene) -> None:
    scene.bind("pip", pip_conf=f"[global]\nextra-index-url = {_url(scene)}\n")


def _bound_uv(scene: Scene) -> None:
    scene.bind("uv", uv_toml=f'[[index]]\nurl = "{_url(scene)}"\n')


def _bound_poetry(scene: Scene) -> None:
    text = f'[http-basic.house]\nusername = "{USER}"\npassword = "{scene.server.password}"\n'
    scene.bind("poetry", auth_toml=text)
    scene.add("UV_INDEX", f"house={scene.server.url}")


def _bound_index(scene: Scene) -> None:
    scene.bind("pypi-index", url=scene.server.url, username=USER, password=scene.server.password)


def _releases(scene: Scene) -> None:
    scene.environ["BP_PYTHON_RELEASES"] = (
        _url(scene).removesuffix("simple/") + "lists/releases.json"
    )


def _in_files(scene: Scene) -> None:
    """The app's files hold it: apps.py writes them."""


def _expanded(scene: Scene) -> None:
    scene.environ["OWN_PASSWORD"] = scene.server.password


def _expanded_token(variable: str) -> Callable[[Scene], None]:
    return lambda scene: scene.environ.update({variable: scene.server.token})


# The variables whose values are tokens in the paths of the app's URLs.
TOKENS = {
    "${VAR} in the path of an index in the app's files": "OWN_INDEX_KEY",
    "${VAR} in the path of a direct URL": "OWN_URL_KEY",
}
EXPANDING = ("pip", "pip by pip", "pipenv", "pdm")
NAMING = ("poetry", "uv")
LITERAL = ("pip", "pip by pip", "pipenv", "pdm", "poetry", "script")
PLACES: Mapping[str, Place] = {
    # The build's configuration, by variables and files of the user.
    "PIP_INDEX_URL": Place(round="variables", plant=_variable("PIP_INDEX_URL"), serves="sdist"),
    "PIP_EXTRA_INDEX_URL": Place(round="variables", plant=_variable("PIP_EXTRA_INDEX_URL"), serves="wheel"),
    "PIP_EXTRA_INDEX_URL, in its path": Place(round="variables", plant=_variable("PIP_EXTRA_INDEX_URL"), serves="sdist", in_path=True),
    "UV_INDEX": Place(round="variables", plant=_variable("UV_INDEX"), serves="wheel"),
    "UV_INDEX_CORP_PASSWORD": Place(round="variables", plant=_named, serves="wheel"),
    "BP_PIP_FIND_LINKS": Place(round="variables", plant=_variable("BP_PIP_FIND_LINKS", _page), serves="wheel"),
    "~/.netrc": Place(round="variables", plant=_home_netrc, serves="wheel"),
    "BP_DEPENDENCY_MIRROR": Place(round="variables", plant=_variable("BP_DEPENDENCY_MIRROR")),
    "BP_PYTHON_RELEASES": Place(round="variables", plant=_releases, serves="releases"),
    "any variable": Place(round="variables", plant=_variable("DATABASE_URL", lambda s: f"postgres://{USER}:{s.server.password}@db/x")),
    # Service bindings, and the user's pip.conf.
    "~/.config/pip/pip.conf": Place(round="bindings", plant=_home_pip_conf, serves="wheel"),
    "binding pip": Place(round="bindings", plant=_bound_pip_conf, serves="wheel"),
    "binding netrc": Place(round="bindings", plant=_bound_netrc, serves="wheel"),
    "binding uv": Place(round="bindings", plant=_bound_uv, serves="wheel"),
    "binding poetry": Place(round="bindings", plant=_bound_poetry, serves="wheel"),
    "binding pypi-index": Place(round="bindings", plant=_bound_index, serves="sdist"),
    "binding dependency-mirror": Place(round="bindings", plant=lambda s: s.bind("dependency-mirror", default=_url(s))),
    "binding dependency-mapping": Place(round="bindings", plant=lambda s: s.bind("dependency-mapping", **{"0" * 64: _url(s)})),
    "binding ca-certificates": Place(round="bindings", plant=lambda s: s.bind("ca-certificates", ca_pem=f"{s.server.password}\n{s.ca}")),
    "another binding": Place(round="bindings", plant=lambda s: s.bind("postgresql", password=s.server.password)),
    # What the app's own files say.
    "${VAR} in the app's files": Place(round="own", plant=_expanded, serves="wheel", only=EXPANDING, why="it expands no variables"),
    **{
        name: Place(round="own", plant=_expanded_token(variable), serves=serves, in_path=True, only=EXPANDING, why="it expands no variables")
        for (name, variable), serves in zip(TOKENS.items(), ("wheel", "url"), strict=True)
    },
    "a named index's password": Place(round="own", plant=_own_named, serves="wheel", only=NAMING, why="it has no named indexes, or their URLs hold variables"),
    "an index URL in the app's files": Place(round="own", plant=_in_files, serves="wheel", only=LITERAL, why="it names no index, or has no URLs with passwords in locks"),
    "a VCS URL in the app's files": Place(round="own", plant=_in_files, serves="vcs", only=tuple(b for b in BUILDERS if b != "uv"), why="uv.lock holds no credentials of VCS URLs: git's own configuration has them"),
    "a direct URL in the app's files": Place(round="own", plant=_in_files, serves="url"),
}  # fmt: skip
ROUNDS = ("variables", "bindings", "own")
SECRETS = {name: secret(name) for name in PLACES}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A distribution that a place's server offers, and how the app refers to it.

    `index` is the URL of its index without, `full_index` with credentials; likewise `url`.
    """

    place: str
    kind: str
    name: str
    server: SimpleIndex
    file: str = ""
    sha256: str = ""
    commit: str = ""

    @property
    def line(self) -> str:
        """As a requirement."""
        if self.kind == "vcs":
            return f"{self.name} @ git+{self.full_url}@{self.commit}"
        return f"{self.name} @ {self.full_url}" if self.kind == "url" else f"{self.name}==1.0"

    @property
    def path(self) -> str:
        module = self.name.replace("-", "_")
        return f"git/{module}.git" if self.kind == "vcs" else f"files/{self.name}/{self.file}"

    @property
    def url(self) -> str:
        return self.server.url.removesuffix("simple/") + self.path

    @property
    def full_url(self) -> str:
        url = self.server.url_with_credentials.removesuffix("simple/") + self.path
        if self.place in TOKENS:
            return url.replace(self.server.token, f"${{{TOKENS[self.place]}}}")
        return url


def fill(place: str, number: int, server: SimpleIndex, folder: Path) -> Source | None:
    """Have a place's server offer what it serves."""
    kind = PLACES[place].serves
    dist = Distribution(name=f"from-{number}")
    if kind == "vcs":
        _, commit = write_git(dist, folder / dist.name)
        server.folders["git"] = folder / dist.name
        return Source(place=place, kind=kind, name=dist.name, server=server, commit=commit)
    if kind not in ("wheel", "sdist", "url"):
        # find-links pages and release lists need none of it; an index must not be empty.
        server.add(write_wheel(dist, folder / dist.name))
        return None
    make = write_wheel if kind == "wheel" else write_sdist
    path = make(dist, folder / dist.name)
    server.add(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Source(
        place=place, kind=kind, name=dist.name, server=server, file=path.name, sha256=digest
    )
