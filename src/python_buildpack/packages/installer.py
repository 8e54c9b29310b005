"""Fills the virtual environment, by uv or by pip."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnb.toml import read_toml, write_toml
from python_buildpack import errors, hints
from python_buildpack.byte_code import compile_trees
from python_buildpack.describe.summary import plural
from python_buildpack.fetch import answer_status, ca_bundle
from python_buildpack.kept_trees import keep_tree, restore_tree
from python_buildpack.log import Log
from python_buildpack.managers.declaration import InstallSet
from python_buildpack.managers.local_projects import runs_in_place
from python_buildpack.managers.requirement_files import names_with_hash
from python_buildpack.packages import index_pins, uv_lock, uv_variables
from python_buildpack.packages.in_place import kept_in_layer
from python_buildpack.packages.index_access import Access, without_index_variables
from python_buildpack.packages.pylock_selection import (
    as_pylock,
    requirement_lines,
    select_packages,
    target_environment,
)
from python_buildpack.packages.resolution import (
    Resolved,
    admits_python,
    constraints,
    passed_over,
    read_pip_report,
    read_pylock,
    without_hash,
)
from python_buildpack.packages.stand_in_manifest import stand_in_manifest
from python_buildpack.packages.tools import PIP_CACHE, UV_CACHE, Tools, pip_command
from python_buildpack.packages.venv import (
    create_venv,
    installed_distributions,
    metadata_without_credentials,
    site_packages,
)
from python_buildpack.redact import without_tokens
from python_buildpack.run import child_environment, run

# One set of certificates for uv, pip and what a package's build may fetch.
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
_MANIFEST = "pyproject.toml"
_SOURCE_DATE = 315532801  # the lifecycle's own mtime, 1980-01-01T00:00:01Z


@dataclass(frozen=True, kw_only=True)
class Install:
    """What an installation is given.

    `app_dir` lies in `top_dir`, which was uploaded.
    `offline` is the access to wheels at hand alone, where there are some; `vendored`: the app
    brings them, and an index is asked only for what they lack. `locked` are the packages of the
    lock that apply, where it is one that is installed as it is. `versions` are those to choose
    where the requirements leave a choice; without `byte_code` nothing is byte-compiled. `kept` is
    where downloads are kept for the next build, if they are.
    """

    venv: Path
    python: Path
    python_version: str
    app_dir: Path
    top_dir: Path
    cache_dir: Path
    work_dir: Path
    install_set: InstallSet
    access: Access
    offline: Access | None
    vendored: bool
    installer: str
    may_fall_back: bool
    require_all_hashes: bool
    environ: Mapping[str, str]
    locked: tuple[Mapping[str, Any], ...] | None = None
    byte_code: bool = True
    kept: Path | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def uv_cache(self) -> Path:
        """Where uv unpacks: on the layers' device, so that it links and does not copy, but no layer
        itself."""
        return self.venv.parent / ".uv-cache"


def install_packages(install: Install, tools: Tools, log: Log) -> str:
    """Install the requirements and byte-compile them; the tool that did it.

    Raises `UserError` when neither uv nor pip can.
    """
    built = install.install_set.built
    with (
        stand_in_manifest(install.app_dir / _MANIFEST, install.install_set.manifest),
        kept_in_layer(install.app_dir, install.top_dir, built, install.venv),
        _uv_cache(install),
    ):
        if install.install_set.lock:
            install = dataclasses.replace(install, locked=_read_lock(install, tools, log))
        tool = _install(install, tools, log)
    _warn_of_compiling_at_import(install, log)
    if install.byte_code:
        _compile(install, log)
    return tool


def _compile(install: Install, log: Log) -> None:
    """Byte-compile the packages: neither installer leaves out their test suites."""
    checkouts = install.venv / "src"
    roots = [site_packages(install.venv), *([checkouts] if checkouts.is_dir() else [])]
    python = install.venv / "bin" / "python"
    with log.telling(lambda: "byte-compiling the packages"):
        code, output = compile_trees(python, roots, skip_tests=True)
    if code != 0:
        log.info(output)
        hint = hints.diagnose(output, code)
        raise errors.install_failed("The byte-compiler", code, hint.id, hint.text)


def _read_lock(install: Install, tools: Tools, log: Log) -> tuple[Mapping[str, Any], ...]:
    """The packages of the app's lock that apply here, uv.lock's by way of uv's export."""
    install_set = install.install_set
    if tools.uv is None:
        raise errors.uv_needed(install_set.lock)
    lock = install.app_dir / install_set.lock
    if install_set.uv_export is not None:
        lock = install.work_dir / "exported" / "pylock.toml"
        lock.parent.mkdir(exist_ok=True)
        python = install.venv / "bin" / "python"
        environ = _uv_environment(install)
        uv_lock.export(tools.uv, install_set, python, install.app_dir, lock, environ, log)
    packages = select_packages(
        read_toml(lock),
        install_set.lock,
        lock.parent,
        target_environment(install.python_version),
        extras=install_set.extras,
        groups=install_set.groups,
    )
    return tuple(_runnable(package) for package in packages)


def _install(install: Install, tools: Tools, log: Log) -> str:
    lacking: hints.Hint | None = None
    if install.offline is not None and install.vendored:
        at_hand = dataclasses.replace(install, access=install.offline, may_fall_back=False)
        tool, code, output = _try(at_hand, tools, log, show=False)
        if code == 0:
            return tool
        lacking = hints.diagnose(output, code)
        missing = hints.first_missing(output) or "something"
        log.info(f"vendor/ lacks {missing}: the index is asked for the rest")
        create_venv(install.venv, install.python)
    tool, code, output = _try(install, tools, log)
    hint = _diagnose(install, code, output)
    if code != 0 and hint.id == hints.UNREACHABLE and lacking is not None:
        hint = lacking
    elif code != 0 and hint.id == hints.UNREACHABLE and install.offline is not None:
        log.info("The index cannot be reached: only the wheels at hand are used.")
        create_venv(install.venv, install.python)
        at_hand = dataclasses.replace(install, access=install.offline)
        tool, code, output = _try(at_hand, tools, log)
        hint = hints.diagnose(output, code, f"Python {install.python_version}")
    if code != 0:
        raise errors.install_failed(
            tool, code, hint.id, log.clean(hint.text), hint.package or "the requirements"
        )
    refuse_without_hash(install)
    return tool


def _diagnose(install: Install, code: int, output: str) -> hints.Hint:
    """The hint for a failure. Raises `UserError` where an index does not let us in.

    pip takes an index that it cannot reach, or that refuses it, for one that lacks the package.
    """
    python = f"Python {install.python_version}"
    hint = hints.diagnose(output, code, python)
    name = hints.first_missing(output)
    if code == 0 or name is None or hint.id not in hints.ABOUT_INDEXES:
        return hint
    for source in install.access.sources:
        if source.url.startswith("http"):
            url = source.full_url.rstrip("/") + f"/{name}/"
            status = answer_status(url, install.access.pip_environment)
            if status in (401, 403):
                raise errors.index_refused(without_tokens(source.url), status)
            if status is None and hint.id == "package-missing":
                refused = f"Failed to fetch {without_tokens(source.url)}: Connection refused"
                return hints.diagnose(f"{refused}\n{output}", code, python)
    return hint


def _try(install: Install, tools: Tools, log: Log, *, show: bool = True) -> tuple[str, int, str]:
    """By uv, and by pip where uv lacks something; the tool, its exit code and all output."""
    output = ""
    if install.installer.startswith("uv"):
        code, output = _uv(install, tools, log, show=show)
        if code != 0 and install.may_fall_back:
            hint = hints.diagnose(output, code)
            if hints.may_be_one_answer(output, hint) and not _is_final(install, hint):
                # pip would make other bytes of the same packages, for a fault of a moment.
                log.info("Should that be one odd answer of an index, another try passes:")
                create_venv(install.venv, install.python)
                code, output = _uv(install, tools, log, show=False)
        doubts = _doubts(install, tools, log) if code == 0 and install.may_fall_back else []
        if code == 0 and not doubts:
            return install.installer, code, output
        if code != 0 and (
            not install.may_fall_back or _is_final(install, hints.diagnose(output, code))
        ):
            return "uv", code, output
        log.info(f"{'; '.join(doubts) or 'uv could not install this'}; pip decides.")
        if lost := uv_variables.choices(install.environ):
            log.warning(f"Without effect: {', '.join(lost)}. pip installs")
        create_venv(install.venv, install.python)
    code, pip_output = _pip(install, tools, log, show=show)
    if "PIP_NO_INDEX" in install.access.pip_environment:
        pip_output += f"\n{hints.NO_INDEX}"
    return "pip", code, f"{pip_output}\n{output}"


def _is_final(install: Install, hint: hints.Hint) -> bool:
    """Whether pip would fail alike. It passes over an index that it cannot reach, if it has more."""
    alone = len(install.access.sources) <= 1
    return hint.final or (hint.id == hints.UNREACHABLE and (alone or bool(install.offline)))


def _doubts(install: Install, tools: Tools, log: Log) -> list[str]:
    """Why pip may choose other versions than uv did."""
    installed = installed_distributions(install.venv)
    versions = {one.name: one.version for one in installed}
    older = passed_over(versions, [line for one in installed for line in one.requires])
    if older:  # in most cases there are no pre-releases to pass over
        newest = _versions_with_pre_releases(install, tools, log, older)
        older = [name for name in older if newest.get(name) != versions[name]]
    wrong = [
        one.name
        for one in installed
        if not admits_python("".join(one.fields.get("requires-python", ())), install.python_version)
    ]
    doubts = []
    if older:
        doubts.append(f"uv passes over pre-releases of {', '.join(older)} that a package asks for")
    if wrong:
        doubts.append(f"uv takes {', '.join(wrong)}, which this Python is too new for")
    return doubts


def _versions_with_pre_releases(
    install: Install, tools: Tools, log: Log, names: Sequence[str]
) -> dict[str, str]:
    """What uv would choose with those of `names`, from the metadata that it has by now."""
    output = install.work_dir / "pre-releases" / "pylock.toml"
    output.parent.mkdir(exist_ok=True)
    allowed = [f"--prerelease-package={name}=allow" for name in names]
    code, _ = _uv_resolve(install, tools, log, [*allowed, *_uv_files(install)], output)
    return {one.name: one.version for one in read_pylock(read_toml(output))} if code == 0 else {}


def _requirement_files(install: Install) -> list[str]:
    """The app's own files, and one of ours that holds everything else."""
    install_set = install.install_set
    if install.locked is not None and not install.access.by_name:
        path = install.work_dir / "pylock.toml"
        write_toml(path, as_pylock(install.locked))
        return [str(path)]
    # uv gets those of the pinned lines that are for an index again, with the index.
    lines = [
        *requirement_lines(install.locked or ()),
        *install_set.lines,
        *(line for pinned in install_set.pinned.values() for line in pinned),
        *(_project(install, e) for e in install_set.editables),
    ]
    if not lines:
        return list(install_set.files)
    path = install.work_dir / "requirements.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [*install_set.files, str(path)]


def _pinning_files(install: Install) -> list[str]:
    """For uv, which index alone may serve a package."""
    manifest = index_pins.manifest(install.install_set.pinned, install.access.pinned)
    if manifest is None:
        return []
    path = install.work_dir / "pinned" / "pyproject.toml"
    path.parent.mkdir(exist_ok=True)
    write_toml(path, manifest)
    return [str(path)]


def _uv_files(install: Install) -> list[str]:
    """All files that tell uv what to install, and from where."""
    return [*_requirement_files(install), *_pinning_files(install)]


def _shown(install: Install) -> str:
    """What is installed, in the terms of the app: our own files are named by what they hold."""
    install_set = install.install_set
    lines = len(install_set.lines) + sum(len(found) for found in install_set.pinned.values())
    return " ".join(
        [
            *(f"-r {name}" for name in install_set.files),
            *([f"-r {install_set.lock}"] if install_set.lock else []),
            *([f"({plural(lines, 'requirement')})"] if lines else []),
            *(_option(install, name) + name for name in install_set.editables),
        ]
    )


def _project(install: Install, project: str) -> str:
    """`-e libs/a[extra]` with an absolute path: installers differ in what others are based on."""
    path, bracket, extras = project.partition("[")
    place = os.path.normpath(install.app_dir / path)
    return f"{_option(install, project)}{place}{bracket}{extras}"


def _option(install: Install, project: str) -> str:
    return "-e " if runs_in_place(install.app_dir / project.partition("[")[0]) else ""


def _runnable(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """A package of a lock, not editable where that needs a compiler when it runs."""
    directory = package.get("directory", {})
    if not directory.get("editable") or runs_in_place(Path(directory["path"])):
        return package
    return {**package, "directory": {**directory, "editable": False}}


def _warn_of_compiling_at_import(install: Install, log: Log) -> None:
    for loader in sorted(site_packages(install.venv).glob("_*_editable_loader.py")):
        name = loader.name.removeprefix("_").removesuffix("_editable_loader.py")
        log.warning(
            f"meson-python compiles {name}, which is installed editable, at each import: the image "
            "has no compiler. Require it without -e (develop = true, editable = true)."
        )


def _options(install: Install) -> list[str]:
    """What uv and pip both understand."""
    options = ["--no-deps"] if install.install_set.locked else []
    if install.versions and not (install.install_set.locked or install.install_set.require_hashes):
        path = install.work_dir / "versions.txt"
        path.write_text("".join(f"{name}=={one}\n" for name, one in install.versions.items()))
        options += ["--constraint", str(path)]
    return options


def _tool_environment(install: Install, environ: Mapping[str, str]) -> dict[str, str]:
    bundle = ca_bundle(environ)
    trusted = dict.fromkeys(_CA_VARIABLES, bundle) if isinstance(bundle, str) else {}
    return child_environment(
        {**trusted, **environ},
        {
            "VIRTUAL_ENV": str(install.venv),
            "PATH": f"{install.venv}/bin:{install.environ.get('PATH', '/usr/bin:/bin')}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOURCE_DATE_EPOCH": str(_SOURCE_DATE),
            "TMPDIR": str(install.work_dir),
            "HOME": install.environ.get("HOME", str(install.work_dir)),
        },
    )


def _uv_environment(install: Install) -> dict[str, str]:
    environ = _tool_environment(install, install.access.uv_environment)
    return {**environ, "UV_CACHE_DIR": str(install.uv_cache)}


def _uv(install: Install, tools: Tools, log: Log, *, show: bool) -> tuple[int, str]:
    """Resolve, then install what was resolved; uv's exit code and output."""
    files = _uv_files(install)
    log.info(f"$ uv pip install {_shown(install)}")
    as_it_is = install.locked is not None and not install.access.by_name
    if not as_it_is:
        code, output = _uv_resolve(install, tools, log, files, install.work_dir / "pylock.toml")
        if code != 0:
            if show and not log.is_debug:  # there it stands already
                log.info(output)
            return code, output
    refuse_without_hash(install)
    options = [option for name in files for option in ("-r", name)]
    if install.require_all_hashes:
        options.append("--require-build-hashes")
    if as_it_is:
        options += ["--preview-features", "pylock"]
    elif install.install_set.require_hashes:
        options.append("--require-hashes")
    else:
        # The installation is held to the resolution, and to the hashes that the index states.
        pins = install.work_dir / "constraints.txt"
        pins.write_text("\n".join(constraints(read_resolution(install))) + "\n")
        options += ["-c", str(pins)]
    code, output = _run_uv(
        install, tools, log, "install", "--link-mode", "hardlink", *options, show=show
    )
    if code == 0:
        keep_built_wheels(install.uv_cache, install.cache_dir / "built", log)
        if install.kept is not None:
            _forget_secrets(install.uv_cache, log)
            keep_tree(install.uv_cache, install.kept / UV_CACHE, byte_code=False)
    return code, output


@contextlib.contextmanager
def _uv_cache(install: Install) -> Iterator[None]:
    """uv's cache, which begins with the wheels that earlier builds built."""
    cache = install.uv_cache
    shutil.rmtree(cache, ignore_errors=True)  # a build that was killed may have left it
    try:
        if install.kept is not None:
            restore_tree(install.kept / UV_CACHE, cache)
        cache.mkdir(exist_ok=True)
        for bucket in sorted((install.cache_dir / "built").glob("sdists-v*")):
            shutil.copytree(bucket, cache / bucket.name, symlinks=True, dirs_exist_ok=True)
        yield
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def _uv_resolve(
    install: Install, tools: Tools, log: Log, arguments: Sequence[str], output: Path
) -> tuple[int, str]:
    return _run_uv(
        install, tools, log, "compile", "--format", "pylock.toml", "--output-file", str(output),
        "--no-annotate", *arguments, show=False,
    )  # fmt: skip


def refuse_without_hash(install: Install) -> None:
    """Raises `UserError` where every package must have a hash and some have none."""
    if install.require_all_hashes and (missing := unvouched(install)):
        raise errors.hashes_missing(missing)


def unvouched(install: Install) -> list[str]:
    """The packages of the resolution that no hash vouches for, each with the reason."""
    resolution = read_resolution(install)
    stated = install.install_set.hashed | names_with_hash(install.install_set.lines)
    if install.install_set.lock:
        # Such a lock has a hash for every file.
        stated |= {package.name for package in resolution if package.kind == "url"}
    return without_hash(resolution, stated)


def read_resolution(install: Install) -> tuple[Resolved, ...]:
    """What the last installation chose; empty where that is not known."""
    lock, report = install.work_dir / "pylock.toml", install.work_dir / "report.json"
    if report.is_file():
        return read_pip_report(json.loads(report.read_bytes()))
    return read_pylock(read_toml(lock)) if lock.is_file() else ()


def _run_uv(
    install: Install, tools: Tools, log: Log, verb: str, *options: str, show: bool = True
) -> tuple[int, str]:
    assert tools.uv is not None
    command = [
        str(tools.uv), "pip", verb, *_uv_configuration(install), "--no-progress", "--no-python-downloads",
        "--python", f"{install.venv}/bin/python", "--index-strategy", "unsafe-best-match",
        "--color", "never", *install.access.uv_options, *_options(install), *options,
    ]  # fmt: skip
    environ = _uv_environment(install)
    fetched = install.uv_cache / "archive-v0"

    def how_far() -> str:
        if verb != "install":
            return "resolving"
        total = len(read_resolution(install))
        done = len(os.listdir(fetched)) if fetched.is_dir() else 0  # noqa: PTH208 - one look
        if done < total:
            return f"{done} of {plural(total, 'package')} fetched"
        return "installing"

    return run(command, environ=environ, cwd=install.app_dir, log=log, show=show, how_far=how_far)


def _uv_configuration(install: Install) -> list[str]:
    """No settings but those of the app's manifest that concern building."""
    if not install.install_set.uv_settings:
        return ["--no-config"]
    path = install.work_dir / "uv.toml"
    write_toml(path, install.install_set.uv_settings)
    return ["--config-file", str(path)]


def keep_built_wheels(cache: Path, kept: Path, log: Log) -> None:
    """Keep uv's records of the wheels that this build built or used, without the source trees.

    What it did not use is dropped: else the kept wheels would become more with every version.
    """
    shutil.rmtree(kept, ignore_errors=True)
    for wheel in sorted(cache.glob("sdists-v*/**/*.whl")):
        shard = wheel.parent
        if not any(path.is_symlink() for path in shard.iterdir()):
            continue  # uv puts a link to the unpacked files beside a wheel that it uses
        if "editable" in shard.relative_to(cache).parts:
            continue  # it is not all that its build made: some lies in the app
        files = [
            path
            for path in (*shard.iterdir(), *shard.parent.iterdir())
            if path.is_file() and not path.is_symlink()
        ]
        if _holds_credentials(wheel, log) or any(_holds_secret(path, log) for path in files):
            continue  # it is built again: the cache may be a registry's
        (kept / shard.relative_to(cache)).mkdir(parents=True, exist_ok=True)
        for path in files:
            shutil.copy2(path, kept / path.relative_to(cache))


def _forget_secrets(cache: Path, log: Log) -> None:
    """Remove a tool's records of URLs that hold a secret, and wheels whose requirements do.

    What they are about is fetched, or built, again.
    """
    for metadata in list(cache.glob("archive-v*/*/*.dist-info/METADATA")):
        if _names_credentials(metadata.read_bytes(), log):
            shutil.rmtree(metadata.parents[1])
    for folder, folders, names in os.walk(cache):
        folders[:] = [name for name in folders if not name.startswith("archive-v")]
        for path in (Path(folder) / name for name in (*folders, *names)):
            if path.is_symlink():
                forgotten = not path.exists()
            elif path.suffix == ".whl" and path.is_file():
                forgotten = _holds_credentials(path, log)
            else:
                forgotten = path.is_file() and _holds_secret(path, log)
            if forgotten:
                path.unlink()


def _holds_secret(path: Path, log: Log) -> bool:
    """Whether a file holds a known secret as it is; archives are not opened."""
    data = path.read_bytes()
    return not data.startswith((b"PK", b"\x1f\x8b")) and log.hides(data.decode("latin-1"))


def _holds_credentials(wheel: Path, log: Log) -> bool:
    """Whether the URL of a requirement has some, as those of the app's own project may.

    A file that is no wheel is not to be kept either.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return any(
                _names_credentials(archive.read(name), log)
                for name in archive.namelist()
                if name.endswith(".dist-info/METADATA")
            )
    except (zipfile.BadZipFile, OSError):
        return True


def _names_credentials(metadata: bytes, log: Log) -> bool:
    return metadata_without_credentials(metadata, log.clean) != metadata


def _pip(install: Install, tools: Tools, log: Log, *, show: bool) -> tuple[int, str]:
    _refuse_pins_without_hash(install)
    venv_python = install.venv / "bin" / "python"
    kept = install.kept
    caching = ["--no-cache-dir"] if kept is None else ["--cache-dir", str(kept / PIP_CACHE)]
    log.info(f"$ pip install {_shown(install)}")
    command = [
        *pip_command(tools, install.python_version, venv_python), "install", "--no-compile",
        "--disable-pip-version-check", "--no-input", "--no-warn-script-location",
        "--progress-bar", "off", *caching, "--src", str(install.venv / "src"),
        "--report", str(install.work_dir / "report.json"),
        *_options(install),
        *(option for name in _requirement_files(install) for option in ("-r", name)),
    ]  # fmt: skip
    environ = {
        **_tool_environment(install, install.access.pip_environment),
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    try:
        return run(
            command,
            environ=environ,
            cwd=install.app_dir,
            log=log,
            show=show,
            how_far=lambda: "pip is running",
        )
    finally:
        if kept is not None:
            _forget_secrets(kept / PIP_CACHE, log)


def _refuse_pins_without_hash(install: Install) -> None:
    """pip takes a package from whichever index has it: a hash alone holds it to the right one."""
    for index in install.access.pinned:
        for line in install.install_set.pinned.get(index, ()):
            if " --hash=" not in line:
                raise errors.pin_needs_uv(line.partition("=")[0], index)


def check_packages(install: Install, tools: Tools, log: Log) -> None:
    """Report requirements that the installed set does not meet."""
    venv_python = install.venv / "bin" / "python"
    if tools.uv is not None:
        command = [str(tools.uv), "pip", "check", "--no-config", "--no-cache"]
        command += ["--python", str(venv_python)]
    else:
        command = [*pip_command(tools, install.python_version, venv_python), "check"]
    environ = _tool_environment(install, without_index_variables(install.environ))
    code, output = run(command, environ=environ, cwd=install.app_dir, log=log, show=False)
    if code == 1:
        log.warning("The installed packages do not fit each other:\n" + output)
    elif code != 0:
        log.warning(
            "Whether the installed packages fit each other could not be checked:\n" + output
        )
