"""The virtual environment: made, made reproducible, listed. `installer` fills it."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from python_buildpack.packages.distribution import Distribution
from python_buildpack.redact import without_credentials


def create_venv(venv: Path, python: Path) -> None:
    """An empty environment whose interpreter is `python` (PEP 405), without pip.

    The interpreter's own name (`python3.13`, `python3.13t`) is that of its library's directory.
    Nothing names its patch release: the same packages are the same layer for all of a minor one.
    """
    if venv.exists():
        shutil.rmtree(venv)
    (venv / "bin").mkdir(parents=True)
    (venv / "lib" / python.name / "site-packages").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(python)
    for name in ("python3", python.name):
        (venv / "bin" / name).symlink_to("python")
    minor = python.name.removeprefix("python").removesuffix("t")
    (venv / "pyvenv.cfg").write_text(
        f"home = {python.parent}\ninclude-system-site-packages = false\nversion = {minor}\n"
    )


def site_packages(venv: Path) -> Path:
    """The one `site-packages` of `venv`."""
    return next((venv / "lib").glob("python3*")) / "site-packages"


def write_start_up_hook(venv: Path, module: str, line: str, source: str) -> None:
    """Every start of the environment's Python runs `line`, which may import `module`."""
    packages = site_packages(venv)
    shutil.copyfile(source, packages / f"{module}.py")
    (packages / f"{module}.pth").write_text(line)


def tidy(venv: Path, hide: Callable[[str], str] = str) -> None:
    """Remove what differs between equal installs, and credentials that a tool wrote down.

    `hide` takes from a URL what else is known to be secret.
    """
    packages = site_packages(venv)
    for dist_info in sorted(packages.glob("*.dist-info")):
        removed = []
        for name in ("uv_cache.json", "uv_build.json", "REQUESTED"):
            if (dist_info / name).exists():
                (dist_info / name).unlink()
                removed.append(f"{dist_info.name}/{name}")
        direct_url = dist_info / "direct_url.json"
        if direct_url.is_file() and not _clean_direct_url(direct_url, hide):
            direct_url.unlink()
            removed.append(f"{dist_info.name}/{direct_url.name}")
        cleaned = _clean_metadata(dist_info / "METADATA", hide)
        record = dist_info / "RECORD"
        if record.is_file():
            changed = {f"{dist_info.name}/direct_url.json": ["", ""]}
            if cleaned is not None:
                digest = urlsafe_b64encode(hashlib.sha256(cleaned).digest()).rstrip(b"=").decode()
                changed[f"{dist_info.name}/METADATA"] = [f"sha256={digest}", str(len(cleaned))]
            _rewrite_record(record, removed, changed)
    for path in (venv / ".lock", venv / "CACHEDIR.TAG", venv / ".gitignore"):
        path.unlink(missing_ok=True)


def _clean_direct_url(path: Path, hide: Callable[[str], str]) -> bool:
    """Take the credentials out; false for a file that is no record of an origin (PEP 610)."""
    try:
        data = json.loads(path.read_bytes())
        data["url"] = hide(without_credentials(data["url"]))
        json.dumps(data, ensure_ascii=False).encode()  # it is text: no half of a character
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    path.write_text(json.dumps(data, sort_keys=True))
    return True


def _clean_metadata(path: Path, hide: Callable[[str], str]) -> bytes | None:
    """Take the credentials out of the URLs in requirements; the new content, where it is new.

    That of the app's own project says what its manifest says.
    """
    if not path.is_file():
        return None
    data = path.read_bytes()
    cleaned = metadata_without_credentials(data, hide)
    if cleaned == data:
        return None
    path.write_bytes(cleaned)
    return cleaned


def metadata_without_credentials(data: bytes, hide: Callable[[str], str]) -> bytes:
    """METADATA whose requirements' URLs have none, nor what `hide` takes out."""
    text = data.decode("utf-8", "surrogateescape")
    lines = [
        hide(without_credentials(line))
        if line.lower().startswith("requires-dist:") and "://" in line
        else line
        for line in text.split("\n")
    ]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _rewrite_record(
    record: Path, removed: Sequence[str], changed: Mapping[str, Sequence[str]]
) -> None:
    # Names of files may be any bytes.
    text = record.read_text(encoding="utf-8", errors="surrogateescape")
    try:
        rows = [
            [row[0], *changed[row[0]]] if row[0] in changed else row
            for row in csv.reader(text.splitlines())
            if row and row[0] not in removed
        ]
    except csv.Error:
        return  # a package's own mistake, which it keeps
    with record.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(rows))


def installed_distributions(venv: Path) -> tuple[Distribution, ...]:
    """Every installed distribution, by name."""
    found: dict[str, Distribution] = {}
    for dist_info in site_packages(venv).glob("*.dist-info"):
        metadata = _read_header(dist_info / "METADATA")
        if "".join(metadata.get("name", ())[:1]):
            name = canonicalize_name(metadata["name"][0])
            direct_url = dist_info / "direct_url.json"
            found[name] = Distribution(
                name=name,
                version="".join(metadata.get("version", ())[:1]),
                wheel_tags=frozenset(_read_header(dist_info / "WHEEL").get("tag", ())),
                fields=metadata,
                direct_url=json.loads(direct_url.read_text()) if direct_url.is_file() else {},
            )
    return tuple(found[name] for name in sorted(found))


def _read_header(path: Path) -> dict[str, tuple[str, ...]]:
    """The fields of a metadata file up to its body, by lower-case name; none where it is absent.

    Of a value of several lines the first one is taken.
    """
    fields: dict[str, tuple[str, ...]] = {}
    if not path.is_file():
        return fields
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line == "\n":  # a value may hold lines of nothing but spaces
                break
            name, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "\t")):
                key = name.strip().lower()
                fields[key] = (*fields.get(key, ()), value.strip())
    return fields
