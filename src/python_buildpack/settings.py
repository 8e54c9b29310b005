"""The settings that users give as environment variables: one table, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from python_buildpack import errors
from python_buildpack.redact import without_tokens


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of the README's table."""

    name: str
    default: str
    help: str
    kind: str = "text"


TABLE: tuple[Setting, ...] = (
    Setting(name="BP_CPYTHON_VERSION", default="", help="Python version: `3.13`, `3.13.2`, `>=3.12,<3.14`"),
    Setting(name="BP_PYTHON_RELEASES", default="", help="release list (path or URL) in place of the built-in one"),
    Setting(name="BP_DEPENDENCY_MIRROR", default="", help="fetch runtimes from this base URL; checksums still hold"),
    Setting(name="BP_PYTHON_PROJECT_DIR", default="", help="sub-directory that holds the app"),
    Setting(name="BP_PYTHON_PACKAGE_MANAGER", default="", help="which manager's files to use, where there are several"),
    Setting(name="BP_PYTHON_GROUPS", default="", help="dependency groups to install too, separated by spaces or commas"),
    Setting(name="BP_PYTHON_EXTRAS", default="", help="extras of the project to install, separated by spaces or commas"),
    Setting(name="BP_PYLOCK", default="", help="which `pylock.NAME.toml` to use: its file name, or NAME"),
    Setting(name="BP_PYTHON_SCRIPT", default="", help="script whose own metadata (PEP 723) declares the packages"),
    Setting(name="BP_UV_PACKAGE", default="", help="members of the uv workspace to install in place of its root, separated by spaces or commas"),
    Setting(name="BP_PIP_REQUIREMENT", default="requirements.txt", help="requirement files to install, separated by spaces"),
    Setting(name="BP_PIP_INSTALLER", default="auto", kind="auto|uv|pip", help="who installs: uv with pip as the judge, or one of them alone"),
    Setting(name="BP_PIP_FIND_LINKS", default="", help="directories or URLs with wheels, separated by spaces"),
    Setting(name="BP_REQUIRE_HASHES", default="false", kind="true|false", help="`true`: a package that no hash vouches for is an error"),
    Setting(name="BP_PYTHON_REFRESH", default="", help="any new value installs the packages anew"),
    Setting(name="BP_DISABLE_SBOM", default="false", kind="true|false", help="`true`: the image gets no SBOM, earlier ones are removed"),
    Setting(name="BP_LIVE_RELOAD_ENABLED", default="false", kind="true|false", help="`true`: adds a `reload` process that restarts when a file changes"),
    Setting(name="BP_KEEP_DOWNLOADS", default="false", kind="true|false", help="`true`: keep what was downloaded for the next build (slow or metered index)"),
    Setting(name="BP_PYTHON_COMPILE_APP", default="true", kind="true|false", help="`false`: the app's own modules are not byte-compiled"),
    Setting(name="BP_NLTK_INDEX", default="", help="index of NLTK's data (path or URL) in place of NLTK's own"),
    Setting(name="DISABLE_COLLECTSTATIC", default="", help="`1`: Django's collectstatic is not run"),
    Setting(name="BP_BUILD_REPORT_PATH", default="", help="file for the build report (JSON): decisions, reasons, sizes, times"),
    Setting(name="BP_PYTHON_DISABLE", default="false", kind="true|false", help="`true`: detect fails, the buildpack stands aside"),
    Setting(name="BP_LOG_LEVEL", default="info", help="`debug` shows commands and decisions; any other level is `info`"),
    Setting(name="NO_COLOR", default="", help="any value: the log has no colours"),
)  # fmt: skip


# What one would guess, and what other buildpacks call it.
_OTHERS = {
    "BP_PYTHON_VERSION": "BP_CPYTHON_VERSION",
    "BP_LIVE_RELOAD": "BP_LIVE_RELOAD_ENABLED",
    "BP_PIP_REQUIREMENTS": "BP_PIP_REQUIREMENT",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The values of the settings that build uses.

    `environ` is for the variables in the app's own files.
    """

    python_version: str
    releases: str
    mirror: str | None
    project_dir: str
    package_manager: str
    groups: tuple[str, ...]
    extras: tuple[str, ...]
    pylock: str
    script: str
    uv_packages: tuple[str, ...]
    requirement_files: tuple[str, ...]
    installer: str
    find_links: tuple[str, ...]
    require_hashes: bool
    refresh: str
    sbom: bool
    live_reload: bool
    keep_downloads: bool
    compile_app: bool
    nltk_index: str
    collect_static: bool
    debug: bool
    environ: Mapping[str, str] = field(repr=False, compare=False)


# How people write true and false.
_WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on"), "true"),
    **dict.fromkeys(("false", "0", "no", "off"), "false"),
}
_OF_TOOLS = ("BP_", "PIP_", "UV_", "POETRY_")
_WITH_URLS = (
    *("BP_DEPENDENCY_MIRROR", "BP_NLTK_INDEX", "BP_PIP_FIND_LINKS", "BP_PYTHON_RELEASES"),
    "PIP_PROXY",
)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Raises `UserError` for a value that a setting cannot have."""
    values = {row.name: (environ.get(row.name, "").strip() or row.default) for row in TABLE}
    for name, value in environ.items():
        if name.startswith(_OF_TOOLS) and not (name + value).isascii():
            if not _is_text(name):
                raise errors.setting_invalid(ascii(name)[1:-1], "…", "UTF-8 text, as its name")
            if not _is_text(value):
                raise errors.setting_invalid(name, ascii(value), "UTF-8 text")
    for name in _WITH_URLS:
        for word in environ.get(name, "").split():
            if "://" in word and not _is_url(word):
                raise errors.setting_invalid(name, "…", "a URL with a valid host and port")
    for row in TABLE:
        if row.kind == "true|false" and values[row.name].lower() in _WORDS:
            values[row.name] = _WORDS[values[row.name].lower()]
        if "|" in row.kind and values[row.name].lower() not in row.kind.split("|"):
            raise errors.setting_invalid(row.name, values[row.name], ", ".join(row.kind.split("|")))
    return Settings(
        python_version=values["BP_CPYTHON_VERSION"],
        releases=values["BP_PYTHON_RELEASES"],
        mirror=values["BP_DEPENDENCY_MIRROR"] or None,
        project_dir=values["BP_PYTHON_PROJECT_DIR"],
        package_manager=values["BP_PYTHON_PACKAGE_MANAGER"].lower(),
        groups=_names(values["BP_PYTHON_GROUPS"]),
        extras=_names(values["BP_PYTHON_EXTRAS"]),
        pylock=values["BP_PYLOCK"],
        script=values["BP_PYTHON_SCRIPT"],
        uv_packages=_names(values["BP_UV_PACKAGE"]),
        # Empty where it is not set: naming the usual file is a choice, too.
        requirement_files=tuple(environ.get("BP_PIP_REQUIREMENT", "").split()),
        installer=values["BP_PIP_INSTALLER"].lower(),
        find_links=tuple(values["BP_PIP_FIND_LINKS"].split()),
        require_hashes=values["BP_REQUIRE_HASHES"] == "true",
        refresh=values["BP_PYTHON_REFRESH"],
        sbom=values["BP_DISABLE_SBOM"] != "true",
        live_reload=values["BP_LIVE_RELOAD_ENABLED"] == "true",
        keep_downloads=values["BP_KEEP_DOWNLOADS"] == "true",
        compile_app=values["BP_PYTHON_COMPILE_APP"] == "true",
        nltk_index=values["BP_NLTK_INDEX"],
        collect_static=values["DISABLE_COLLECTSTATIC"].lower() in ("", "0", "false", "no", "off"),
        debug=values["BP_LOG_LEVEL"].lower() == "debug",
        environ=environ,
    )


def _is_url(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


def _is_text(value: str) -> bool:
    """Bytes that are no UTF-8 come as halves of surrogate pairs, which nothing can be written with."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def given_settings(environ: Mapping[str, str]) -> list[str]:
    """`NAME=value` of the buildpack's settings that are set, without what looks secret."""
    return [
        f"{row.name}={' '.join(_printable(word) for word in environ[row.name].split())}"
        for row in TABLE
        if environ.get(row.name)
    ]


def misspelt_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like settings of this buildpack, but are none -> the setting meant."""
    known = {row.name for row in TABLE}
    unknown = [name for name in environ if name.startswith("BP_") and name not in known]
    if not unknown:
        return {}
    import difflib

    found: dict[str, str] = {}
    for name in sorted(unknown):
        close = (
            [_OTHERS[name]] if name in _OTHERS else difflib.get_close_matches(name, known, 1, 0.9)
        )
        found |= {name: close[0]} if close and close[0] not in environ else {}
    return found


def _printable(word: str) -> str:
    try:
        return without_tokens(word) if "://" in word else word
    except ValueError:
        return "…"  # it is no URL; a secret may stand in it all the same


def _names(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value.replace(",", " ").split()))


def markdown_table() -> str:
    """The table of settings as the README shows it."""
    rows = [
        f"| `{row.name}` | {f'`{row.default}`' if row.default else ''} | {row.help} |"
        for row in TABLE
    ]
    return "\n".join(["| name | default | what it does |", "|---|---|---|", *rows, ""])
