"""Two indexes and a host of repositories that the tests of several managers share, read only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import (
    Distribution,
    write_git,
    write_sdist,
    write_source,
    write_wheel,
)

WHEELS = (
    Distribution(name="web", requires=["base>=1"], extras={"fast": ["speedup"]}),
    Distribution(name="base", version="1.0"),
    Distribution(name="base", version="1.5", requires=["ring"], scripts={"base": "base:main"}),
    Distribution(name="ring", requires=["base", "deep; python_version >= '3'"]),
    Distribution(name="deep", requires=["win-only; sys_platform == 'win32'"]),
    *(Distribution(name=name) for name in ("win-only", "old-only", "linter", "tester", "cache")),
    *(Distribution(name=name) for name in ("writer", "theme", "both")),
    Distribution(name="forked", version="1.0"),
    Distribution(name="forked", version="2.0"),
    Distribution(name="Zope.Thing", version="1.0.post1", scripts={"zope": "zope_thing:main"}),
    *(
        Distribution(name="driver", tag=f"py3-none-{platform}")
        for platform in (
            "win_amd64",
            "manylinux_2_17_x86_64",
            "manylinux_2_17_aarch64",
            "macosx_11_0_arm64",
        )
    ),
)
# The private index has another `both` under the same name and version.
PRIVATE = (
    Distribution(name="both", files={"both.py": "version = 'ours'\n"}),
    Distribution(name="secret", requires=["base"]),
)


@dataclass(frozen=True, kw_only=True)
class Market:
    """`index` is public, `private` wants credentials. `commit` is the head of `repository`."""

    index: SimpleIndex
    private: SimpleIndex
    commit: str

    @property
    def repository(self) -> str:
        return f"http://{self.index.host}/git/by_git.git"

    @property
    def sdist_url(self) -> str:
        return f"http://{self.index.host}/files/by-url/by_url-1.0.tar.gz"


def open_market(folder: Path, index: SimpleIndex, private: SimpleIndex) -> Market:
    """Fill both indexes; what they serve lies in `folder`."""
    index.add(*(write_wheel(dist, folder / "wheels") for dist in WHEELS))
    private.add(*(write_wheel(dist, folder / "private") for dist in PRIVATE))
    index.add(
        write_sdist(
            Distribution(name="speedup", scripts={"su": "speedup:main"}), folder / "sdists"
        ),
        write_sdist(Distribution(name="by-url"), folder / "sdists"),
    )
    _, commit = write_git(Distribution(name="by-git", requires=["base"]), folder / "git")
    index.folders["git"] = folder / "git"
    return Market(index=index, private=private, commit=commit)


def write_libraries(app: Path) -> str:
    """Local projects in an app: `libs/plain`, `libs/live`; the name of a wheel in `wheels/`."""
    write_source(Distribution(name="plain", requires=["cache"]), app / "libs" / "plain")
    write_source(Distribution(name="live"), app / "libs" / "live")
    return write_wheel(Distribution(name="kept"), app / "wheels").name
