"""Prepare a release: version, changelog, checks, packages for both architectures, SBOMs, checksums.

Everything lands in dist/release-<version>; nothing is committed, tagged or published.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name, parse_wheel_filename

import package
from buildpackage import pack_file
from go_tools import GoToolError
from pack_cli import ensure_pack, pack_on_path
from python_buildpack.describe.components import (
    Bill,
    Component,
    package_components,
    runtime_component,
)
from python_buildpack.describe.cyclonedx import cyclonedx
from python_buildpack.describe.licences import Licence
from python_buildpack.errors import UserError
from python_buildpack.packages.distribution import Distribution
from python_buildpack.runtime.releases import Release

UNRELEASED = "## Unreleased"
# The files that name the version, as a value or within the name of a package.
NAMING = (
    "buildpack.toml",
    "pyproject.toml",
    "README.md",
    "docs/builder.md",
    "deploy/builder/builder.toml",
    "deploy/kpack/README.md",
    "deploy/kpack/cluster.yaml",
    "deploy/kpack/store.yaml",
)


class ReleaseError(Exception):
    """Raised with a text for the user when there is no release to be made."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True)
    parser.add_argument("--releases", default="", help="release list in place of the built-in one")
    given = parser.parse_args()
    try:
        out = release(given.version, given.releases)
    except UserError as error:
        print(f"{error.title}\n{error.body}", file=sys.stderr)
        return 1
    except (ReleaseError, GoToolError, package.PackageError) as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"Wrote {package.shown(out)}. Next: git commit -am 'Release {given.version}', "
        f"git tag v{given.version}, git push --follow-tags; .github/workflows/release.yml publishes."
    )
    return 0


def release(version: str, releases: str) -> Path:
    """All of it. A version that this source has already is packaged as it is."""
    changelog = package.ROOT / "CHANGELOG.md"
    today = datetime.datetime.now(datetime.timezone.utc).date()
    old = package.version()
    if version != old or released_notes(changelog.read_text(), version) is None:
        check_version(version, old)
        changelog.write_text(with_release(changelog.read_text(), version, today))
        for name in NAMING:
            path = package.ROOT / name
            path.write_text(renamed(path.read_text(), old, version))
    # The changed files are checked, too: the builder and the docs must name this version.
    done = subprocess.run(["make", "check", "test-unit"], cwd=package.ROOT, check=False)
    if done.returncode:
        raise ReleaseError("The checks fail: nothing is packaged.")
    out = package.ROOT / "dist" / f"release-{version}"
    pack = pack_on_path() or ensure_pack(print)
    for arch in package.MACHINES:
        made = package.package(arch, "archive", out, releases=releases)
        pack_file(pack, made, arch)
        bill = json.dumps(cyclonedx(bill_of(made)), indent=2, sort_keys=True) + "\n"
        made.with_name(made.name + ".cdx.json").write_text(bill)
    (out / "NOTES.md").write_text(released_notes(changelog.read_text(), version) or "")
    write_checksums(out)
    return out


def check_version(version: str, old: str) -> None:
    """Raise `ReleaseError` for what is no later version X.Y.Z."""
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", version):
        raise ReleaseError(f"{version!r} is no version: VERSION=X.Y.Z, without leading zeros.")
    if _numbers(version) < _numbers(old):
        raise ReleaseError(f"{version} is older than this source, which is {old}.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def with_release(changelog: str, version: str, today: datetime.date) -> str:
    """The changelog with all that was unreleased under this version; raises `ReleaseError`."""
    before, found, after = changelog.partition(f"{UNRELEASED}\n")
    if not found or not re.match(r"\s*###", after):
        raise ReleaseError(f"CHANGELOG.md has nothing below {UNRELEASED!r}: nothing to release.")
    return f"{before}{UNRELEASED}\n\n## {version} - {today.isoformat()}\n{after}"


def released_notes(changelog: str, version: str) -> str | None:
    """What the changelog says of a version; None where it has no such section."""
    found = re.search(
        rf"^## {re.escape(version)} - \S+\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return found[1].strip() + "\n" if found else None


def renamed(text: str, old: str, new: str) -> str:
    """`text` with this project's version replaced: `version = "…"` of its own tables, file names,
    image tags. A version of anything else is left alone."""
    own = re.escape(old)
    for pattern in (
        rf'(id = "pycnb/python"\n(?:name = .*\n)?version = "){own}(")',
        rf'(name = "python-buildpack"\nversion = "){own}(")',
        rf"(python-buildpack-){own}(-linux)",
        rf"(pycnb/python:){own}\b()",
        rf"(pushed as `:){own}(`)",
    ):
        text = re.sub(pattern, rf"\g<1>{new}\g<2>", text)
    return text


def bill_of(made: Path) -> Bill:
    """What a package holds: runtimes, libraries, uv, pip."""
    components = [*_runtimes(made), *_libraries(made), *_tools(made)]
    identity = json.dumps([made.name, *(repr(one) for one in components)])
    return Bill(
        layer="package",
        digest=hashlib.sha256(identity.encode()).hexdigest(),
        buildpack=package.version(),
        components=tuple(components),
        direct=tuple(dict.fromkeys(one.name for one in components)),
    )


def _runtimes(made: Path) -> Iterator[Component]:
    for record in (
        made / "runtime/release.json",
        *sorted(made.glob("runtimes/*/release.json")),
    ):
        one = runtime_component(Release(**json.loads(record.read_text())))
        # What is inside for other apps is a component of its own name.
        brought = record.parent.parent.name == "runtimes"
        yield dataclasses.replace(one, name=f"python-{one.version}") if brought else one


def _libraries(made: Path) -> tuple[Component, ...]:
    found = importlib.metadata.distributions(path=[str(made / "vendor")])
    distributions = [
        Distribution(
            name=canonicalize_name(one.metadata["Name"]),
            version=one.version,
            fields=_fields(one.metadata.json),
        )
        for one in found
    ]
    distributions.sort(key=lambda one: one.name)
    return package_components(distributions, {}, {}, ())


def _fields(metadata: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """METADATA's fields by lower-case name; requirements are left out, since all is vendored."""
    kept = {name.replace("_", "-"): value for name, value in metadata.items()}
    return {
        name: tuple(value) if isinstance(value, list) else (value,)
        for name, value in kept.items()
        if name != "requires-dist"
    }


def _tools(made: Path) -> Iterator[Component]:
    version = (made / "uv/VERSION").read_text().strip()
    yield Component(
        name="uv",
        version=version,
        purl=f"pkg:pypi/uv@{version}",
        licence=Licence(expression="Apache-2.0 OR MIT"),
    )
    for wheel in sorted((made / "pip").glob("*.whl")):
        number = str(parse_wheel_filename(wheel.name)[1])
        yield Component(
            name="pip",
            version=number,
            purl=f"pkg:pypi/pip@{number}",
            licence=Licence(expression="MIT"),
            file=wheel.name,
            sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        )


def write_checksums(out: Path) -> Path:
    """SHA256SUMS of the files to be published, as `sha256sum --check` reads it."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(out.iterdir())
        if path.suffix in (".cnb", ".json")
    ]
    target = out / "SHA256SUMS"
    target.write_text("".join(lines))
    return target


if __name__ == "__main__":
    sys.exit(main())
