"""Shared libraries that packages need and that nothing here provides: they may lack in the image."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from python_buildpack.packages.elf import needed_libraries

# What every run image for Python has: glibc, libstdc++ and libgcc_s.
BASE = frozenset(
    [
        *("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libanl.so.1", "libatomic.so.1"),
        *("libc.so.6", "libcrypt.so.1", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libmvec.so.1"),
        *("libnsl.so.1", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libstdc++.so.6"),
        *("libthread_db.so.1", "libutil.so.1"),
    ]
)
# They come with the machine's graphics driver, into whatever image runs there.
_DRIVERS = ("libcuda.so", "libnvidia-", "libnvcuvid.so", "libnvoptix.so")
# Library -> Debian's package, and what does without it.
_PACKAGES = {
    "libGL.so.1": "libgl1; opencv-python-headless in place of opencv-python needs none",
    "libEGL.so.1": "libegl1",
    "libgthread-2.0.so.0": "libglib2.0-0; opencv-python-headless needs none",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libxcb.so.1": "libxcb1",
    "libgomp.so.1": "libgomp1",
    "libgfortran.so.5": "libgfortran5",
    "libpq.so.5": "libpq5; psycopg[binary] or psycopg2-binary need none",
    "libmariadb.so.3": "libmariadb3; PyMySQL needs none",
    "libmysqlclient.so.21": "libmysqlclient21; PyMySQL needs none",
    "libodbc.so.2": "unixodbc",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "libssl.so.1.1": "libssl1.1",
    "libcrypto.so.1.1": "libssl1.1",
    "libffi.so.8": "libffi8",
    "libz.so.1": "zlib1g",
    "libbz2.so.1.0": "libbz2-1.0",
    "liblzma.so.5": "liblzma5",
    "libexpat.so.1": "libexpat1",
    "libxml2.so.2": "libxml2",
    "libxslt.so.1": "libxslt1.1",
    "libxmlsec1.so.1": "libxmlsec1",
    "libldap-2.5.so.0": "libldap-2.5-0",
    "libsasl2.so.2": "libsasl2-2",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libcairo.so.2": "libcairo2",
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libnss3.so": "libnss3",
    "libasound.so.2": "libasound2",
    "libportaudio.so.2": "libportaudio2",
    "libsndfile.so.1": "libsndfile1",
    "libmagic.so.1": "libmagic1",
    "libgdal.so.32": "libgdal32",
}
_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A library that `module`, and `others` more, ask for."""

    library: str
    module: str
    others: int

    @property
    def text(self) -> str:
        """For the user, in one line."""
        more = f" and {self.others} more" if self.others else ""
        package = _PACKAGES.get(self.library, f"apt-file search {self.library} names the package")
        return f"{self.library}: {self.module}{more} (Debian: {package})"


def missing_libraries(
    site: Path, provided: Collection[str] = (), system: Sequence[str] | None = None
) -> tuple[Missing, ...]:
    """The libraries that modules below `site` need and that are in no package below it.

    `provided` are further libraries by name; `system` directories of the build image's.
    """
    modules = list(_shared_objects(site))
    known = BASE | {name for _, name in modules} | set(provided)
    asked: dict[str, list[str]] = {}
    for folder, name in modules:
        path = os.path.join(folder, name)  # noqa: PTH118 - thousands of them
        with open(path, "rb", buffering=512) as file:
            for library in needed_libraries(file):
                if library not in known and not library.startswith(_DRIVERS):
                    asked.setdefault(library, []).append(os.path.relpath(path, site))
    if not asked:
        return ()
    folders = _system_folders() if system is None else system
    return tuple(
        Missing(library=library, module=min(names), others=len(names) - 1)
        for library, names in sorted(asked.items())
        if not any((Path(folder) / library).exists() for folder in folders)
    )


def _shared_objects(site: Path) -> Iterator[tuple[str, str]]:
    """Directory and name of every file that is named like a shared library."""
    for folder, folders, names in os.walk(site):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            if name.endswith(".so") or ".so." in name:
                yield folder, name


def _system_folders() -> list[str]:
    """Where the build image's loader looks: the usual places and those of ld.so.conf."""
    found = [folder for folder in _SYSTEM if Path(folder).is_dir()]
    for folder in tuple(found):
        found += [str(path) for path in Path(folder).glob("*-linux-gnu") if path.is_dir()]
    for path in [Path("/etc/ld.so.conf"), *Path("/etc/ld.so.conf.d").glob("*.conf")]:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        found += [line.strip() for line in lines if line.strip().startswith("/")]
    return list(dict.fromkeys(found))
