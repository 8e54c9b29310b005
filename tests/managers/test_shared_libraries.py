"""After an install, the shared libraries that nothing provides are named."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.managers.conftest import Builder, write_files
from tests.managers.simple_index import SimpleIndex


def binary_wheel(folder: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """A wheel for this machine that holds these files."""
    info = f"{name}-1.0.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
    }
    rows = []
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}")
    contents[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in contents.items():
            archive.writestr(path, data)
    return wheel


def compiled(folder: Path, name: str, *libraries: str) -> bytes:
    """A shared object that needs `libraries`, none of which exists when it is loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "empty.c").write_text("")
    stubs = []
    for library in libraries:
        stub = folder / f"stub-{library}"
        soname = f"-Wl,-soname,{library}"
        link = ["cc", "-shared", soname, "-o", str(stub), str(folder / "empty.c")]
        subprocess.run(link, check=True)
        stubs.append(stub)
    made = folder / name
    link = ["cc", "-shared", "-Wl,--no-as-needed", "-o", str(made), str(folder / "empty.c")]
    subprocess.run([*link, *map(str, stubs)], check=True)
    return made.read_bytes()


def test_missing_library(build: Builder, app: Path, index: SimpleIndex, workplace: Path) -> None:
    """Named with its module; those in wheels, the build image and glibc are not."""
    objects = workplace / "objects"
    index.add(
        binary_wheel(
            workplace / "wheels",
            "camera",
            {
                "camera/_one.so": compiled(
                    objects, "_one.so", "libnowhere.so.7", "libown.so.3", "libz.so.1", "libm.so.6"
                ),
                "camera/_two.so": compiled(objects, "_two.so", "libnowhere.so.7", "libgone.so.1"),
                "camera.libs/libown.so.3": compiled(objects, "libown.so.3"),
                "camera/broken.so": b"no shared object",
            },
        )
    )
    write_files(app, {"requirements.txt": "camera\n"})
    log = build(app, PIP_INDEX_URL=index.url).passed().log
    assert "libgone.so.1: camera/_two.so (Debian: apt-file search libgone.so.1 names" in log
    assert "libnowhere.so.7: camera/_one.so and 1 more (Debian: " in log
    assert "libown" not in log and "libz" not in log and "libm." not in log
    again = build(app, keep=True, PIP_INDEX_URL=index.url).passed().log
    assert "libnowhere" not in again


def test_nothing_missing(build: Builder, app: Path, index: SimpleIndex, workplace: Path) -> None:
    """Without such a library nothing is said."""
    data = compiled(workplace / "objects", "one.so", "libm.so.6")
    index.add(binary_wheel(workplace / "wheels", "one", {"one.so": data}))
    write_files(app, {"requirements.txt": "one\n"})
    assert "shared libraries" not in build(app, PIP_INDEX_URL=index.url).passed().log
