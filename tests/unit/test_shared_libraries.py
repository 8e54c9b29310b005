"""Which shared libraries are missing, and what usually brings them."""

from __future__ import annotations

from pathlib import Path

from tests.unit.test_elf import library

from python_buildpack.packages.shared_libraries import missing_libraries


def test_missing_and_provided(tmp_path: Path) -> None:
    """In a package, in the build image, glibc's, a driver's: provided. The rest is named once."""
    site, image = tmp_path / "site", tmp_path / "image"
    (site / "cv2").mkdir(parents=True)
    (site / "numpy.libs").mkdir()
    image.mkdir()
    (image / "libz.so.1").write_bytes(b"")
    (site / "numpy.libs" / "libopenblas-1.so").write_bytes(library("libc.so.6"))
    (site / "cv2" / "cv2.abi3.so").write_bytes(
        library("libGL.so.1", "libopenblas-1.so", "libz.so.1", "libm.so.6", "libcuda.so.1")
    )
    (site / "cv2" / "other.so").write_bytes(library("libGL.so.1", "libpython3.13.so.1.0"))
    (site / "cv2" / "data.so.txt").write_text("not ELF")
    missing = missing_libraries(site, ["libpython3.13.so.1.0"], [str(image)])
    assert [one.text for one in missing] == [
        "libGL.so.1: cv2/cv2.abi3.so and 1 more (Debian: libgl1; "
        "opencv-python-headless in place of opencv-python needs none)"
    ]


def test_pure_packages_need_nothing(tmp_path: Path) -> None:
    """Nothing is looked for where there is no shared object."""
    (tmp_path / "one.py").write_text("")
    assert missing_libraries(tmp_path, (), ["/nowhere"]) == ()
