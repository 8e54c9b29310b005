"""The `nltk-data` layer: what nltk.txt names, checked by NLTK's own index."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnb.bindings import Binding
from cnb.layers import (
    EnvFile,
    LayerTypes,
    UnreadableLayer,
    read_layer_metadata,
    remove_layer,
    write_layer_env,
    write_layer_toml,
)
from python_buildpack import errors, layers
from python_buildpack.app.files import AppFiles
from python_buildpack.layers import NltkDataKey
from python_buildpack.log import Log
from python_buildpack.redact import redact, without_tokens
from python_buildpack.workshop import Workshop

# What a build that changes nothing does not need is imported where it is used.
if TYPE_CHECKING:
    from python_buildpack.app_steps.nltk_index import NltkIndex

NLTK_TXT = "nltk.txt"
VARIABLE = "NLTK_DATA"
_RECIPE = 1
_MAX_BYTES = 8 * 1024**3


def data_dir(shop: Workshop) -> Path:
    """Where NLTK looks for it, in the image as well as here."""
    return shop.context.layers_dir / layers.NLTK_DATA / "data"


def provide_nltk_data(shop: Workshop, packages: Mapping[str, str]) -> NltkDataKey | None:
    """The layer: reused, or made. Its key; None where the app needs none.

    Raises `UserError` for a name that is not there and for files that cannot be had.
    """
    layers_dir = shop.context.layers_dir
    if not (shop.project.root / NLTK_TXT).is_file():
        remove_layer(layers_dir, layers.NLTK_DATA)
        return None
    shop.log.heading("NLTK's data")
    if "nltk" not in packages:
        shop.log.warning(f"{NLTK_TXT} is not used: nltk is not among the installed packages.")
        remove_layer(layers_dir, layers.NLTK_DATA)
        return None
    key = _key(shop)
    try:
        restored = read_layer_metadata(layers_dir, layers.NLTK_DATA)
    except UnreadableLayer:
        restored = {}
    decision = layers.compare(key, restored)
    metadata: dict[str, Any] = dict(restored or {})
    if decision.reuse:
        shop.log.info("Reusing NLTK's data from the previous image")
    else:
        shop.log.info(f"Downloading: {'; '.join(decision.reasons)}")
        remove_layer(layers_dir, layers.NLTK_DATA)
        made = _download(shop, key)
        write_layer_env(
            data_dir(shop).parent,
            [EnvFile(name=VARIABLE, value=str(data_dir(shop)), action="default", scope="launch")],
        )
        metadata = {"format": layers.FORMAT, "key": layers.as_table(key), "packages": made}
    write_layer_toml(layers_dir, layers.NLTK_DATA, LayerTypes(launch=True), metadata)
    return key


@contextlib.contextmanager
def lent_nltk_data(shop: Workshop, key: NltkDataKey) -> Iterator[None]:
    """The data in its place, for the steps that run the app; kept for the next time."""
    import shutil

    from python_buildpack.kept_trees import keep_tree, restore_tree

    place = data_dir(shop)
    present = place.is_dir()
    kept = kept_nltk_data(shop, key)
    try:
        if not present and not restore_tree(kept, place):
            _download(shop, key)
        if not kept.exists():
            keep_tree(place, kept, byte_code=True)
        yield
    finally:
        if not present:
            shutil.rmtree(place.parent, ignore_errors=True)


def kept_nltk_data(shop: Workshop, key: NltkDataKey) -> Path:
    """Where it is kept."""
    return shop.kept_dir / f"nltk-data-{layers.digest(layers.as_table(key))}"


def _key(shop: Workshop) -> NltkDataKey:
    from python_buildpack.app_steps.nltk_index import NLTK_INDEX, parse_nltk_txt

    text = AppFiles(shop.project.root).text(NLTK_TXT)
    return NltkDataKey(
        names=tuple(sorted(parse_nltk_txt(text.removeprefix("\ufeff")))),
        index=without_tokens(shop.settings.nltk_index or NLTK_INDEX),
        recipe=_RECIPE,
        refresh=shop.settings.refresh,
        location=str(data_dir(shop)),
    )


def _download(shop: Workshop, key: NltkDataKey) -> dict[str, str]:
    """Put the data into its place; each package's checksum."""
    from python_buildpack.app_steps.nltk_index import wanted_packages
    from python_buildpack.fetch import download
    from python_buildpack.packages.credentials import with_netrc
    from python_buildpack.runtime.mirrors import replaced_url

    environ = with_netrc(shop.context.environ, shop.sources, shop.work_dir)
    index = read_index(
        shop.settings.nltk_index, shop.project.root, environ, shop.context.bindings, shop.log
    )
    place = data_dir(shop)
    place.mkdir(parents=True)
    made = {}
    for package in wanted_packages(index, key.names, key.index):
        archive = place / package.subdir / f"{package.name}.zip"
        archive.parent.mkdir(exist_ok=True)
        shop.log.info(f"{package.subdir}/{package.name}")
        download(
            replaced_url(package.url, package.checksum, None, shop.context.bindings),
            archive,
            sha256=package.checksum,
            algorithm=package.algorithm,
            log=shop.log,
            environ=environ,
        )
        if package.unzip:
            _unzip(archive)
        made[package.name] = f"{package.algorithm}:{package.checksum}"
    return made


def read_index(
    setting: str,
    root: Path,
    environ: Mapping[str, str],
    bindings: Sequence[Binding],
    log: Log,
) -> NltkIndex:
    """The index that BP_NLTK_INDEX names (a path is relative to the app's `root`), or NLTK's own.

    Raises `UserError` when it cannot be had or is none.
    """
    from python_buildpack.app_steps.nltk_index import NLTK_INDEX, parse_index
    from python_buildpack.fetch import fetch_bytes
    from python_buildpack.managers.local_projects import file_url_path
    from python_buildpack.runtime.mirrors import replaced_url

    source = setting or NLTK_INDEX
    if source.startswith(("http://", "https://")):
        url = replaced_url(source, "", None, bindings)
        return parse_index(fetch_bytes(url, log=log, environ=environ), redact(source), url)
    path = root / (file_url_path(source) if source.startswith("file:") else source)
    try:
        return parse_index(path.read_bytes(), source, path.absolute().as_uri())
    except OSError as error:
        raise errors.nltk_index_unusable(source, f"{error.strerror}.") from None


def _unzip(archive: Path) -> None:
    """Unpack beside it and remove it. Raises `UserError` for what would lie elsewhere."""
    import stat
    import zipfile

    try:
        with zipfile.ZipFile(archive) as file:
            members = file.infolist()
            if sum(member.file_size for member in members) > _MAX_BYTES:
                raise errors.archive_broken(archive.name, f"It holds more than {_MAX_BYTES} bytes.")
            for member in members:
                parts = member.filename.split("/")
                if parts[0] != archive.stem or ".." in parts or "\\" in member.filename:
                    raise errors.archive_broken(
                        archive.name, f"It holds {member.filename[:200]!r}."
                    )
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise errors.archive_broken(
                        archive.name, f"{member.filename[:200]!r} is a link."
                    )
            file.extractall(archive.parent)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise errors.archive_broken(archive.name, f"{error}.") from None
    archive.unlink()
