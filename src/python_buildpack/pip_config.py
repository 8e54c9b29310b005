"""pip's own configuration (PIP_* variables, pip.conf), and what of it uv can be told."""

from __future__ import annotations

import configparser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Change nothing about what is installed.
_HARMLESS = frozenset(
    [
        "disable-pip-version-check",
        "no-cache-dir",
        "cache-dir",
        "root-user-action",
        "progress-bar",
        "no-input",
        "quiet",
        "verbose",
        "no-color",
        "retries",
        "timeout",
        "default-timeout",
        "cert",
        "config-file",
        "no-warn-script-location",
        "no-compile",
        "compile",
        "prefer-binary",
        "keyring-provider",
    ]
)


@dataclass(frozen=True, kw_only=True)
class PipConfiguration:
    """Options for uv with the same meaning; `untranslated` names what uv lacks."""

    uv_options: tuple[str, ...]
    uv_environment: Mapping[str, str]
    untranslated: tuple[str, ...]


def read_pip_configuration(environ: Mapping[str, str], files: Sequence[Path]) -> PipConfiguration:
    """Later files win, and variables win over files, as with pip."""
    values: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            # pip decides: it will say what is wrong with its own file.
            values["config-file-unreadable"] = str(path)
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                values.update({k.replace("_", "-"): v for k, v in parser.items(section)})
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            values[name[4:].lower().replace("_", "-")] = value
    return _translate(values)


def _translate(values: Mapping[str, str]) -> PipConfiguration:
    options: list[str] = []
    environment: dict[str, str] = {}
    untranslated: list[str] = []
    for name, value in sorted(values.items()):
        if name == "index-url":
            options += ["--index-url", value]
        elif name in ("extra-index-url", "find-links", "no-binary", "only-binary"):
            for part in value.split():
                options += [f"--{name}", part]
        elif name == "trusted-host":
            for part in value.split():
                options += ["--allow-insecure-host", part]
        elif name == "no-index":
            if value.lower() in ("1", "true", "yes", "on"):
                options.append("--no-index")
        elif name == "require-hashes":
            if value.lower() in ("1", "true", "yes", "on"):
                options.append("--require-hashes")
        elif name not in _HARMLESS:
            untranslated.append(name)
        if name in ("timeout", "default-timeout"):
            environment["UV_HTTP_TIMEOUT"] = value
        if name == "cert":
            environment["SSL_CERT_FILE"] = value
    return PipConfiguration(
        uv_options=tuple(options),
        uv_environment=environment,
        untranslated=tuple(untranslated),
    )
