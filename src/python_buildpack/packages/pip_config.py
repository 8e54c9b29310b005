"""pip's own configuration: its files and PIP_* variables, as one table of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from python_buildpack import errors
from python_buildpack.presence import is_file

_VARIABLE = "PIP_"


def config_files(environ: Mapping[str, str], bound: Sequence[Path] = ()) -> tuple[Path, ...]:
    """The files that pip reads, in its order, and those of service bindings after the user's."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == "/dev/null":
        return tuple(bound)  # pip then reads none of its files
    home = Path(environ.get("HOME") or "/")
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    machine = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    candidates = [
        *(Path(folder) / "pip" / "pip.conf" for folder in machine if folder),
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        user / "pip" / "pip.conf",
        *bound,
        *([Path(named)] if named else []),
    ]
    return tuple(path for path in candidates if is_file(path))


def read_pip_options(environ: Mapping[str, str], files: Sequence[Path]) -> dict[str, str]:
    """Option -> value. Later files win, `[install]` over `[global]`, and variables over files.

    Raises `UserError` for a file that is no INI file.
    """
    options: dict[str, str] = {}
    for path in files:
        options |= _read_file(path)
    for name, value in environ.items():
        if name.startswith(_VARIABLE) and value:
            options[name.removeprefix(_VARIABLE).lower().replace("_", "-")] = value
    options.pop("config-file", None)
    return options


def _read_file(path: Path) -> dict[str, str]:
    import configparser  # most builds have no such file

    parser = configparser.RawConfigParser(default_section="no such section")
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise errors.file_unreadable(str(path), "It is not UTF-8 text.") from None
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        where = f"{path} line {line}" if line else str(path)
        raise errors.file_unreadable(where, "It is not an INI file as pip reads it.") from None
    except OSError as error:
        raise errors.file_unreadable(str(path), f"{error.strerror}.") from None
    options: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            for name, value in parser.items(section):
                if "\0" in value:
                    raise errors.file_unreadable(str(path), "It holds a NUL character.")
                options[name.replace("_", "-").removeprefix("--")] = value
    return options


def variables(options: Mapping[str, str]) -> dict[str, str]:
    """The PIP_* variables that mean `options`."""
    return {_VARIABLE + name.upper().replace("-", "_"): value for name, value in options.items()}


def is_true(value: str) -> bool:
    """As pip reads a switch."""
    return value.strip().lower() in ("1", "true", "yes", "on", "y", "t")


def is_false(value: str) -> bool:
    """As pip reads a switch: neither this nor `is_true` is an error of pip's."""
    return value.strip().lower() in ("0", "false", "no", "off", "n", "f")
