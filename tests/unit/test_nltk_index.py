"""nltk.txt, and NLTK's index of what it can name."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from python_buildpack.app_steps.nltk_data import read_index
from python_buildpack.app_steps.nltk_index import parse_index, parse_nltk_txt, wanted_packages
from python_buildpack.errors import UserError
from python_buildpack.log import Log

SHA = "a" * 64
INDEX = f"""<?xml version="1.0"?>
<nltk_data>
  <packages>
    <package id="stopwords" subdir="corpora" url="corpora/stopwords.zip" unzip="1"
             checksum="{"0" * 32}" sha256_checksum="{SHA.upper()}" size="1"/>
    <package id="punkt_tab" subdir="tokenizers" url="https://elsewhere.example/punkt_tab.zip"
             checksum="{"1" * 32}"/>
    <package id="semcor" subdir="corpora" url="semcor.zip" unzip="0" checksum="{"2" * 32}"/>
    <package id="unchecked" subdir="corpora" url="u.zip"/>
    <package id="outside" subdir="../corpora" url="o.zip" checksum="{"3" * 32}"/>
    <package id="../up" subdir="corpora" url="o.zip" checksum="{"3" * 32}"/>
  </packages>
  <collections>
    <collection id="popular"><item ref="stopwords"/><item ref="tokens"/></collection>
    <collection id="tokens"><item ref="punkt_tab"/><item ref="popular"/></collection>
  </collections>
</nltk_data>
""".encode()
BASE = "https://data.example/nltk/index.xml"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("stopwords\n", ("stopwords",)),
        ("stopwords\r\npunkt_tab\r\n", ("stopwords", "punkt_tab")),
        ("a b\n\n# comment\nc # d\na\n", ("a", "b", "c")),
        ("", ()),
        ("omw-1.4\n", ("omw-1.4",)),
    ],
)
def test_nltk_txt(text: str, names: tuple[str, ...]) -> None:
    """Names, one or more a line, with comments."""
    assert parse_nltk_txt(text) == names


@pytest.mark.parametrize("line", ["../x", "corpora/stopwords", "-d", "a;b", "https://x.example/a"])
def test_nltk_txt_with_something_else(line: str) -> None:
    """The error names the line."""
    with pytest.raises(UserError) as caught:
        parse_nltk_txt(f"stopwords\n{line}\n")
    assert caught.value.id == "nltk-line-invalid"
    assert "line 2" in caught.value.title


def test_index() -> None:
    """sha256 goes before md5; URLs may be relative; what has no checksum, or leads out, is not there."""
    index = parse_index(INDEX, "index", BASE)
    assert sorted(index.packages) == ["punkt_tab", "semcor", "stopwords"]
    stopwords = index.packages["stopwords"]
    assert (stopwords.algorithm, stopwords.checksum) == ("sha256", SHA)
    assert stopwords.url == "https://data.example/nltk/corpora/stopwords.zip"
    assert stopwords.unzip
    assert index.packages["punkt_tab"].algorithm == "md5"
    assert index.packages["punkt_tab"].url == "https://elsewhere.example/punkt_tab.zip"
    assert not index.packages["semcor"].unzip


@pytest.mark.parametrize(
    ("names", "packages"),
    [
        (["stopwords"], ["stopwords"]),
        (["popular"], ["punkt_tab", "stopwords"]),
        (["semcor", "tokens", "semcor"], ["punkt_tab", "semcor", "stopwords"]),
        ([], []),
    ],
)
def test_selection(names: list[str], packages: list[str]) -> None:
    """Collections are followed, circles too; each package comes once, sorted."""
    index = parse_index(INDEX, "index", BASE)
    assert [one.name for one in wanted_packages(index, names, "index")] == packages


def test_unknown_name() -> None:
    """The error has the nearest ones."""
    with pytest.raises(UserError) as caught:
        wanted_packages(parse_index(INDEX, "index", BASE), ["stopword"], "the index")
    assert caught.value.id == "nltk-data-unknown"
    assert "stopwords" in caught.value.body and "the index" in caught.value.body


@pytest.mark.parametrize("data", [b"", b"<html>", b"<nltk_data/>", b"\xff\xfe", b"{}"])
def test_no_index(data: bytes) -> None:
    """A page of another kind."""
    with pytest.raises(UserError) as caught:
        parse_index(data, "index", BASE)
    assert caught.value.id == "nltk-index-unusable"


@pytest.mark.parametrize("folder", ["a b", "a%20b"])
def test_an_index_of_the_build_image(tmp_path: Path, folder: str) -> None:
    """By its path, and by a URL, which escapes what paths may hold."""
    path = tmp_path / folder / "index.xml"
    path.parent.mkdir()
    path.write_bytes(INDEX)
    for source in (str(path), f"{folder}/index.xml", path.as_uri()):
        index = read_index(source, tmp_path, {}, (), Log(io.StringIO()))
        assert wanted_packages(index, ("stopwords",), "i")[0].url.endswith("corpora/stopwords.zip")
