"""nltk.txt and NLTK's index of its data: which files are wanted. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin
from xml.etree import ElementTree

from python_buildpack import errors

NLTK_INDEX = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/index.xml"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class NltkPackage:
    """A zip file of the index. `checksum` is of `algorithm`: sha256, md5 in older indexes.

    It belongs into the directory `subdir`, unpacked or, as NLTK can read it, as it is.
    """

    name: str
    subdir: str
    url: str
    unzip: bool
    algorithm: str
    checksum: str


@dataclass(frozen=True, kw_only=True)
class NltkIndex:
    """The packages, and the collections of packages and collections."""

    packages: Mapping[str, NltkPackage]
    collections: Mapping[str, tuple[str, ...]]


def parse_nltk_txt(text: str) -> tuple[str, ...]:
    """The names, each once, in order. Raises `UserError` for a line that holds something else."""
    names: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        for word in line.partition("#")[0].split():
            if not _NAME.fullmatch(word):
                raise errors.nltk_line_invalid(number, line)
            names.append(word)
    return tuple(dict.fromkeys(names))


def parse_index(data: bytes, source: str, base: str) -> NltkIndex:
    """Raises `UserError` for what is no such index. `base`: what its URLs may be relative to."""
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise errors.nltk_index_unusable(source, f"It is not XML: {error}.") from None
    packages = {one.name: one for node in root.iter("package") if (one := _package(node, base))}
    collections = {
        node.get("id", ""): tuple(item.get("ref", "") for item in node.iter("item"))
        for node in root.iter("collection")
    }
    if not packages:
        raise errors.nltk_index_unusable(source, "It lists no package with a checksum.")
    return NltkIndex(packages=packages, collections=collections)


def _package(node: ElementTree.Element, base: str) -> NltkPackage | None:
    """None for one that lacks something, or would lie anywhere but in its directory."""
    name, subdir = node.get("id", ""), node.get("subdir", "")
    sha256, md5 = node.get("sha256_checksum", ""), node.get("checksum", "")
    if not (_NAME.fullmatch(name) and _NAME.fullmatch(subdir) and (sha256 or md5)):
        return None
    try:
        url = urljoin(base, node.get("url", ""))
    except ValueError:
        return None
    return NltkPackage(
        name=name,
        subdir=subdir,
        url=url,
        unzip=node.get("unzip", "1") != "0",
        algorithm="sha256" if sha256 else "md5",
        checksum=(sha256 or md5).lower(),
    )


def wanted_packages(index: NltkIndex, names: Sequence[str], source: str) -> tuple[NltkPackage, ...]:
    """The packages that `names` mean, sorted. Raises `UserError` for a name that is not there."""
    found: dict[str, NltkPackage] = {}
    seen: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name in index.packages:
            found[name] = index.packages[name]
        elif name in index.collections:
            if name not in seen:
                wanted += index.collections[name]
            seen.add(name)
        else:
            near = difflib.get_close_matches(name, [*index.packages, *index.collections])
            raise errors.nltk_data_unknown(name, near, source)
    return tuple(found[name] for name in sorted(found))
