"""One configuration of indexes, whichever tool it was written for, and what each tool gets of it."""

from __future__ import annotations

import netrc
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from cnb.bindings import Binding, read_bindings
from python_buildpack.errors import UserError
from python_buildpack.managers.declaration import Index
from python_buildpack.packages import index_pins
from python_buildpack.packages.app_indexes import AppIndexes, app_indexes
from python_buildpack.packages.credentials import secrets, write_certificates
from python_buildpack.packages.index_access import Access, grant
from python_buildpack.packages.package_sources import PackageSources, Source, read_package_sources

URL = "https://h.example/simple"
LOGIN = "https://me:p%40ss%2F1@h.example/simple"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home directory: nothing of this machine's configuration is read."""
    path = tmp_path / "home"
    path.mkdir()
    return path


def bind(tmp_path: Path, name: str, **entries: str) -> tuple[Binding, ...]:
    """A service binding; `_` in a name stands for a dot."""
    folder = tmp_path / "bindings" / name
    folder.mkdir(parents=True)
    for entry, text in entries.items():
        (folder / entry.replace("_", ".")).write_text(text)
    return read_bindings(tmp_path, {})


def read(
    home: Path,
    environ: Mapping[str, str] | None = None,
    bindings: tuple[Binding, ...] = (),
    *,
    prefer_uv: bool = False,
) -> PackageSources:
    """The configuration, where no other file is in reach."""
    given = {"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "none"), **(environ or {})}
    return read_package_sources(given, bindings, home / "app", prefer_uv=prefer_uv)


def access(sources: PackageSources, folder: Path, *, own_index: bool = False) -> Access:
    """What the tools get for an app without indexes of its own."""
    return grant(
        sources, app_indexes(sources, (), {}), sources.find_links, {"PATH": "/bin", "UV_INDEX": "x"}, folder,
        no_index=sources.no_index, own_index=own_index,
    )  # fmt: skip


@pytest.mark.parametrize(
    "environ",
    [
        {"PIP_INDEX_URL": LOGIN},
        {"UV_INDEX_URL": LOGIN},
        {"UV_DEFAULT_INDEX": LOGIN},
        {"UV_DEFAULT_INDEX": f"corp={LOGIN}"},
        {
            "UV_DEFAULT_INDEX": f"my-corp={URL}",
            "UV_INDEX_MY_CORP_USERNAME": "me",
            "UV_INDEX_MY_CORP_PASSWORD": "p@ss/1",
        },
    ],
)
def test_variables_of_the_index(home: Path, tmp_path: Path, environ: Mapping[str, str]) -> None:
    """pip's and uv's variables mean the same to both tools."""
    sources = read(home, environ)
    assert sources.index is not None
    assert (sources.index.url, sources.index.user, sources.index.password) == (URL, "me", "p@ss/1")
    tools = access(sources, tmp_path)
    assert tools.uv_environment["UV_DEFAULT_INDEX"] == LOGIN
    assert tools.pip_environment["PIP_INDEX_URL"] == URL  # the login is in netrc
    login = netrc.netrc(tools.pip_environment["NETRC"]).authenticators("h.example")
    assert login is not None and (login[0], login[2]) == ("me", "p@ss/1")


@pytest.mark.parametrize(
    "environ",
    [
        {"PIP_EXTRA_INDEX_URL": f"{LOGIN} https://two.example/simple"},
        {"UV_EXTRA_INDEX_URL": f"{LOGIN} https://two.example/simple"},
        {"UV_INDEX": f"one={LOGIN} https://two.example/simple"},
        {"UV_INDEX": f"one={LOGIN}", "PIP_EXTRA_INDEX_URL": "https://two.example/simple"},
    ],
)
def test_variables_of_more_indexes(home: Path, tmp_path: Path, environ: Mapping[str, str]) -> None:
    """All tools' further indexes are used, and none replaces the public one."""
    sources = read(home, environ)
    tools = access(sources, tmp_path)
    assert sources.index is None
    assert set(tools.uv_environment["UV_INDEX"].split()) == {LOGIN, "https://two.example/simple"}
    assert "UV_DEFAULT_INDEX" not in tools.uv_environment
    found = set(tools.pip_environment["PIP_EXTRA_INDEX_URL"].split())
    assert found == {URL, "https://two.example/simple"}


def test_which_variable_wins(home: Path) -> None:
    """pip's, unless the app is uv's; a variable wins over files."""
    both = {"PIP_INDEX_URL": "https://pip.example/", "UV_DEFAULT_INDEX": "https://uv.example/"}
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text("[global]\nindex-url = https://f.example/\n")

    def chosen(environ: Mapping[str, str], *, prefer_uv: bool = False) -> str:
        index = read(home, environ, prefer_uv=prefer_uv).index
        return index.host if index else ""

    assert chosen(both) == "pip.example"
    assert chosen(both, prefer_uv=True) == "uv.example"
    assert chosen({}) == "f.example"
    assert chosen({"UV_DEFAULT_INDEX": "https://uv.example/"}) == "uv.example"
    assert chosen({"PIP_CONFIG_FILE": "/dev/null"}) == ""


@pytest.mark.parametrize(
    "place", [".pip/pip.conf", ".config/pip/pip.conf", "xdg/pip/pip.conf", "named.conf"]
)
def test_places_of_pip_conf(home: Path, tmp_path: Path, place: str) -> None:
    """Every place that pip reads, both sections, lists over lines."""
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"[global]\nindex-url = {LOGIN}\nextra_index_url =\n    https://a.example/\n"
        "    https://b.example/\ntimeout = 7\n[install]\nno-binary = lxml\n[wheel]\nquiet = 1\n"
    )
    environ = {"XDG_CONFIG_DIRS": str(home / "xdg")}
    if place == "named.conf":
        environ["PIP_CONFIG_FILE"] = str(path)
    sources = read(home, environ)
    assert sources.index is not None and sources.index.full_url == LOGIN
    assert [s.url for s in sources.extra_indexes] == ["https://a.example/", "https://b.example/"]
    tools = access(sources, tmp_path)
    assert tools.uv_environment["UV_HTTP_TIMEOUT"] == "7"
    assert tools.uv_options == ("--no-binary", "lxml")
    assert tools.pip_environment["PIP_TIMEOUT"] == "7"
    assert tools.pip_environment["PIP_CONFIG_FILE"] == "/dev/null"


def test_bindings(home: Path, tmp_path: Path) -> None:
    """pip.conf, uv.toml, netrc, Poetry's auth.toml and pypi-index arrive as bindings."""
    bind(tmp_path, "a", type="pip", pip_conf="[global]\nfind-links = https://links.example/\n")
    bind(
        tmp_path, "b", type="uv",
        uv_toml=f'cache-keys = []\n[[index]]\nname = "x"\nurl = "{URL}"\nexplicit = true\n',
    )  # fmt: skip
    bind(tmp_path, "c", type="netrc", _netrc="machine n.example login u password w0rd\n")
    bind(
        tmp_path, "d", type="poetry",
        auth_toml='[http-basic.corp]\nusername = "pu"\npassword = "pp44"\n',
    )  # fmt: skip
    bindings = bind(
        tmp_path, "e", type="pypi-index", url="https://e.example/s", username="eu", password="ep55"
    )
    sources = read(home, {}, bindings)
    assert sources.index is not None
    assert sources.index.full_url == "https://eu:ep55@e.example/s"
    assert [source.url for source in sources.extra_indexes] == [URL]
    assert [source.url for source in sources.find_links] == ["https://links.example/"]
    assert sources.named == {"CORP": ("pu", "pp44")}
    assert sources.warnings == (
        "uv.toml of the binding b: only settings of indexes are used, not cache-keys",
    )
    login = netrc.netrc(access(sources, tmp_path).uv_environment["NETRC"])
    assert login.hosts["n.example"] == ("u", "", "w0rd")
    assert login.hosts["e.example"] == ("eu", "", "ep55")
    assert {"w0rd", "ep55", "pp44"} <= secrets(sources, ())


@pytest.mark.parametrize(
    ("proxy", "secret"),
    [
        ("http://u:s3cret@p.example:3128", {"s3cret"}),
        ("//u:s3cret@[", {"s3cret"}),
        ("//[", set()),
        ("http://p.example:3128", set()),
    ],
)
def test_passwords_of_proxies(home: Path, proxy: str, secret: set[str]) -> None:
    """However it is spelled: pip says what is wrong with it."""
    assert secrets(read(home, {"PIP_PROXY": proxy}), ()) == secret


@pytest.mark.parametrize(
    ("kind", "entries", "id"),
    [
        ("pypi-index", {"username": "u"}, "binding-unreadable"),
        ("pypi-index", {"url": "https://u:p/w@h.example/simple"}, "index-url-invalid"),
        ("uv", {"uv_toml": "index = ["}, "binding-unreadable"),
        ("uv", {"uv_toml": "index = [3]"}, "index-url-invalid"),
        ("poetry", {"auth_toml": "\udcff"}, "binding-unreadable"),
        ("pip", {"pip_conf": "nothing"}, "file-unreadable"),
    ],
)
def test_odd_bindings(
    home: Path, tmp_path: Path, kind: str, entries: Mapping[str, str], id: str
) -> None:
    """An error that names the binding, or the file, and nothing secret of it."""
    folder = tmp_path / "bindings" / "mine"
    folder.mkdir(parents=True)
    (folder / "type").write_text(kind)
    for name, text in entries.items():
        (folder / name.replace("_", ".")).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError) as caught:
        read(home, {}, read_bindings(tmp_path, {}))
    assert caught.value.id == id
    assert "p/w" not in caught.value.title + caught.value.body


@pytest.mark.parametrize(
    "url", ["https://u:p/s3cret@h.example/simple", "https://h.example:x/s3cret"]
)
def test_malformed_url(home: Path, url: str) -> None:
    """The error names the variable and says how to escape, without the URL."""
    with pytest.raises(UserError) as caught:
        read(home, {"PIP_INDEX_URL": url})
    assert "PIP_INDEX_URL" in caught.value.title
    assert "s3cret" not in caught.value.title + caught.value.body


def test_app_indexes_with_variables(home: Path) -> None:
    """`${VAR}` in a source of the app is expanded, its value being no part of a URL's syntax."""
    indexes = [
        Index(name="pub", url="https://pub.example/simple", default=True),
        Index(name="corp", url="https://${U}:${P}@corp.example/simple", default=False),
        Index(name="by-name", url="https://n.example/simple", default=False),
    ]
    sources = read(
        home,
        {
            "POETRY_HTTP_BASIC_BY_NAME_USERNAME": "nu",
            "POETRY_HTTP_BASIC_BY_NAME_PASSWORD": "np",
            "PIP_EXTRA_INDEX_URL": "https://more.example/",
        },
    )
    found = app_indexes(sources, indexes, {"U": "me", "P": "p@s/s#%"})
    assert found.index is not None and found.index.url == "https://pub.example/simple"
    assert [source.full_url for source in found.extra] == [
        "https://me:p%40s%2Fs%23%25@corp.example/simple",
        "https://nu:np@n.example/simple",
        "https://more.example/",
    ]
    with pytest.raises(UserError) as caught:
        app_indexes(sources, indexes, {"U": "me"})
    assert caught.value.id == "index-variable-missing"
    assert "corp uses the variable P" in caught.value.title


INDEXES = (
    Index(name="main", url="https://${U}@main.example/simple", default=True),
    Index(name="corp", url="https://me:pw@corp.example:8443/simple", default=False, verified=False),
    Index(name="more", url="https://more.example/simple", default=False),
)


def test_a_replacement_replaces_the_default_index(home: Path) -> None:
    """PIP_INDEX_URL takes the place of the app's default index; PIP_NO_INDEX of all of them."""
    found = app_indexes(read(home, {"PIP_INDEX_URL": URL}), INDEXES, {}, {"corp"})
    assert found.index is not None and found.index.url == URL
    assert [source.url for source in found.extra] == ["https://more.example/simple"]
    assert [source.url for source in found.pinned.values()] == ["https://corp.example:8443/simple"]
    assert app_indexes(read(home, {"PIP_NO_INDEX": "1"}), INDEXES, {}, {"corp"}) == AppIndexes()


def test_pinned_indexes(home: Path, tmp_path: Path) -> None:
    """uv asks such an index for its own packages only; its password is in no file and no option."""
    sources = read(home)
    indexes = app_indexes(sources, INDEXES, {"U": "you"}, {"corp"})
    tools = grant(sources, indexes, (), {}, tmp_path, no_index=False, own_index=False)
    assert tools.uv_environment["UV_INDEX"] == "https://more.example/simple"
    assert tools.uv_environment["UV_INDEX_PINNED_1_USERNAME"] == "me"
    assert tools.uv_environment["UV_INDEX_PINNED_1_PASSWORD"] == "pw"
    assert tools.uv_options == ("--allow-insecure-host", "corp.example:8443")
    assert tools.pip_environment["PIP_TRUSTED_HOST"] == "corp.example:8443"
    lines = ('secret===1.0 ; python_version < "4" --hash=sha256:00', "other===2")
    assert index_pins.manifest({"corp": lines, "gone": ("x===1",)}, tools.pinned) == {
        "project": {
            "name": "pinned-to-indexes",
            "version": "0",
            "dependencies": ['secret===1.0; python_version < "4"', "other===2"],
        },
        "tool": {
            "uv": {
                "index": [
                    {
                        "name": "pinned-1",
                        "url": "https://corp.example:8443/simple",
                        "explicit": True,
                    }
                ],
                "sources": {"secret": {"index": "pinned-1"}, "other": {"index": "pinned-1"}},
            }
        },
    }
    assert index_pins.manifest({"corp": lines}, {}) is None
    assert "pw" in secrets(sources, indexes.sources)


def test_own_index_of_requirement_files(home: Path, tmp_path: Path) -> None:
    """An --index-url in a requirements file wins, as with pip; uv must not be told another."""
    tools = access(read(home, {"PIP_INDEX_URL": URL}), tmp_path, own_index=True)
    assert "UV_DEFAULT_INDEX" not in tools.uv_environment
    assert tools.pip_environment["PIP_INDEX_URL"] == URL


def test_tools_get_no_others_variables(home: Path, tmp_path: Path) -> None:
    """uv sees nothing of pip's and Poetry's variables, pip nothing of uv's; files are ours alone."""
    sources = read(home, {"PIP_INDEX_URL": LOGIN})
    environ = {
        "PIP_INDEX_URL": LOGIN,
        "UV_INDEX_X_PASSWORD": "x",
        "POETRY_HTTP_BASIC_X_PASSWORD": "x",
        "UV_DEFAULT_INDEX": "y",
        "OTHER": "kept",
    }
    tools = grant(
        sources,
        AppIndexes(index=sources.index),
        (),
        environ,
        tmp_path,
        no_index=False,
        own_index=False,
    )
    assert {n for n in tools.uv_environment if n.startswith(("PIP_", "POETRY_"))} == set()
    assert {n for n in tools.pip_environment if n.startswith(("UV_", "POETRY_"))} == set()
    assert tools.uv_environment["OTHER"] == tools.pip_environment["OTHER"] == "kept"
    assert "UV_INDEX_X_PASSWORD" not in tools.uv_environment
    mode = Path(tools.uv_environment["NETRC"]).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_two_logins_for_one_host(home: Path, tmp_path: Path) -> None:
    """netrc holds one login a host: with two, or with one that it cannot hold, URLs keep theirs."""
    two = {
        "PIP_INDEX_URL": "https://a:one1@h.example/a",
        "PIP_EXTRA_INDEX_URL": "https://b:two2@h.example/b https://c:sp%20ace@i.example/",
    }
    tools = access(read(home, two), tmp_path)
    assert tools.pip_environment["PIP_INDEX_URL"] == two["PIP_INDEX_URL"]
    assert tools.pip_environment["PIP_EXTRA_INDEX_URL"] == two["PIP_EXTRA_INDEX_URL"]


def test_keys_hold_no_credentials(home: Path) -> None:
    """Rotating a password or a token changes nothing; another index does."""

    def key(**environ: str) -> tuple[str, ...]:
        return read(home, environ).key

    one = key(PIP_INDEX_URL="https://u:one@h.example/simple?token=a1")
    assert one == key(PIP_INDEX_URL="https://u:two@h.example/simple?token=b2")
    assert one == ("index https://h.example/simple",)
    assert one != key(PIP_INDEX_URL="https://u:one@h.example/other")
    assert key() == key(UV_INDEX_X_PASSWORD="a", PIP_TIMEOUT="3", PIP_TRUSTED_HOST="h")
    assert key(PIP_NO_BINARY="lxml") == ("no-binary lxml",)
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        commits = [
            key(**{variable: f"https://h.example/{digit * 20}{'0a' * 10}"}) for digit in "1b"
        ]
        assert commits[0] != commits[1]
        assert "0a" * 10 not in str(commits)


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("UV_EXCLUDE_NEWER", "2026-01-01", "UV_EXCLUDE_NEWER 2026-01-01"),
        ("UV_PRERELEASE", "allow", "UV_PRERELEASE allow"),
        ("UV_TORCH_BACKEND", "cpu", "UV_TORCH_BACKEND cpu"),
        ("UV_OVERRIDE", "https://u:pw@h.example/o.txt", "UV_OVERRIDE https://h.example/o.txt"),
        ("PIP_CONSTRAINT", "https://u:pw@h.example/c.txt", "constraint https://h.example/c.txt"),
        ("PIP_CONSTRAINT", "https://h.example/aB3dE6gH9jK2mN5p/c", "constraint https://h.example/****/c"),
    ],
)  # fmt: skip
def test_keys_hold_what_the_tools_choose_by(
    home: Path, variable: str, value: str, part: str
) -> None:
    """Whatever changes the choice of packages, without what is secret of it."""
    assert read(home, {variable: value}).key == (part,)


@pytest.mark.parametrize(
    "variable",
    [
        *("UV_HTTP_TIMEOUT", "UV_INDEX_CORP_PASSWORD", "UV_NO_CACHE", "UV_OFFLINE"),
        *("UV_CONCURRENT_BUILDS", "UV_HF_TOKEN", "UV_PUBLISH_URL", "UV_KEYRING_PROVIDER"),
        "UV_COMPILE_BYTECODE",
    ],
)
def test_keys_hold_no_ways_of_uv(home: Path, variable: str) -> None:
    """Networks, caches and credentials choose no package."""
    assert read(home, {variable: "1"}).key == ()


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("PIP_CONSTRAINT", "limits.txt (--constraint)"),
        ("UV_CONSTRAINT", "limits.txt (--constraint)"),
        ("UV_BUILD_CONSTRAINT", "limits.txt (--build-constraint)"),
        ("UV_OVERRIDE", "limits.txt (--override)"),
        ("PIP_FIND_LINKS", "limits.txt (--find-links)"),
    ],
)
def test_files_that_the_configuration_names_are_inputs(
    home: Path, variable: str, name: str
) -> None:
    """What is in them counts, a password in it does not; what is missing is the tool's to name."""
    limits = home / "app" / "limits.txt"
    limits.parent.mkdir()

    def inputs(text: str) -> Mapping[str, str]:
        limits.write_text(text)
        return read(home, {variable: "limits.txt gone.txt"}).inputs

    first = inputs("-i https://u:one@h.example/\nflask<3\n")
    assert set(first) == {name}
    assert inputs("-i https://u:one@h.example/\nflask<2\n") != first
    if variable != "PIP_FIND_LINKS":
        assert inputs("-i https://u:two@h.example/\nflask<3\n") == first


def test_files_of_pip_conf_are_inputs(home: Path) -> None:
    """Those that they name, too."""
    (home / "app").mkdir()
    (home / "app" / "more.txt").write_text("click\n")
    (home / "app" / "limits.txt").write_text("-c more.txt\n")
    (home / "pip.conf").write_text("[install]\nconstraint = limits.txt\n")
    found = read(home, {"PIP_CONFIG_FILE": str(home / "pip.conf")}).inputs
    assert set(found) == {"limits.txt (--constraint)", "more.txt (--constraint)"}


@pytest.mark.parametrize(
    ("environ", "demanded"),
    [
        ({"PIP_REQUIRE_HASHES": "1"}, True),
        ({"UV_REQUIRE_HASHES": "true", "PIP_REQUIRE_HASHES": "off"}, True),
        ({"PIP_REQUIRE_HASHES": "odd"}, True),  # pip says what is wrong with it
        ({"PIP_REQUIRE_HASHES": "no"}, False),
        ({}, False),
    ],
)
def test_hashes_are_demanded(home: Path, environ: Mapping[str, str], *, demanded: bool) -> None:
    """By pip's switch or by uv's: both tools are told."""
    sources = read(home, environ)
    assert sources.require_hashes == demanded
    assert sources.untranslated == ()
    assert ("PIP_REQUIRE_HASHES" in access(sources, home).pip_environment) == demanded


def test_preferring_wheels_is_left_to_pip(home: Path) -> None:
    """uv knows no such preference."""
    assert read(home, {"PIP_PREFER_BINARY": "1"}).untranslated == ("prefer-binary",)
    assert read(home, {"PIP_PREFER_BINARY": "1"}).key == ("prefer-binary 1",)
    assert read(home, {"PIP_PREFER_BINARY": "0"}) == read(home)


def test_certificates_of_bindings(home: Path, tmp_path: Path) -> None:
    """They are trusted beside the image's own, by every tool."""
    usual = tmp_path / "usual.pem"
    usual.write_text("USUAL\n")
    bindings = bind(tmp_path, "ca", type="ca-certificates", one_pem="ONE\n", two_pem="TWO\n")
    environ = {"SSL_CERT_FILE": str(usual)}
    found = write_certificates(read(home, {}, bindings), environ, lambda: tmp_path)
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
    paths = {found[name] for name in names}
    assert len(paths) == 1
    assert Path(paths.pop()).read_text().split() == ["USUAL", "ONE", "TWO"]
    assert write_certificates(read(home), environ, lambda: tmp_path) == environ


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"])
@pytest.mark.parametrize(("path", "why"), [("no.pem", "No such file"), (".", "Is a directory")])
def test_certificates_that_are_no_file(
    home: Path, tmp_path: Path, name: str, path: str, why: str
) -> None:
    """With those of a binding to add, the error names the variable."""
    bindings = bind(tmp_path, "ca", type="ca-certificates", one_pem="ONE\n")
    sources = read(home, {"PIP_CONFIG_FILE": "/dev/null"}, bindings)
    with pytest.raises(UserError) as caught:
        write_certificates(sources, {name: str(tmp_path / path)}, lambda: tmp_path)
    assert caught.value.id == "setting-invalid"
    assert caught.value.title.startswith(f"{name}=")
    assert why in caught.value.body


def test_certificate_of_pip_conf(home: Path, tmp_path: Path) -> None:
    """pip's own setting serves uv too, unless the environment says otherwise."""
    sources = read(home, {"PIP_CERT": "/ca.pem"})
    assert write_certificates(sources, {}, lambda: tmp_path)["SSL_CERT_FILE"] == "/ca.pem"
    other = {"SSL_CERT_FILE": "/other.pem"}
    assert write_certificates(sources, other, lambda: tmp_path)["SSL_CERT_FILE"] == "/other.pem"


def test_links_with_odd_characters(home: Path, tmp_path: Path) -> None:
    """Places with spaces and commas survive the lists of both tools."""
    odd = tmp_path / "wheels, mine"
    odd.mkdir()
    tools = grant(
        read(home), AppIndexes(), (Source(url=str(odd)),), {}, tmp_path,
        no_index=True, own_index=False,
    )  # fmt: skip
    assert "," not in tools.uv_environment["UV_FIND_LINKS"]
    assert " " not in tools.pip_environment["PIP_FIND_LINKS"]
    assert tools.uv_options == ("--no-index",)
    assert tools.pip_environment["PIP_NO_INDEX"] == "1"


def test_what_many_images_set_is_no_reason_for_pip(home: Path) -> None:
    """It changes nothing in a virtual environment, so uv installs."""
    images = {
        "PIP_BREAK_SYSTEM_PACKAGES": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    assert read(home, images).untranslated == ()
