"""Started by bin/detect and bin/build, as `python -I __main__.py detect|build ARGUMENT...`."""

import os
import sys


def main() -> int:
    # Names of files may be any bytes: they are printed all the same.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # The environment is read here and nowhere else: everybody is given it.
    source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    # The packaged buildpack brings its dependencies; a source checkout uses the interpreter's.
    sys.path[:0] = [source, os.path.join(os.path.dirname(source), "vendor")]  # noqa: PTH118, PTH120
    if sys.argv[1] == "detect":
        from python_buildpack.detection import detect

        return detect(sys.argv[2:], os.environ)
    try:
        from python_buildpack.main import build
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"The Python that runs this buildpack ({sys.executable}) lacks the package "
            f"{error.name}: use the packaged buildpack (make package), or put a Python with "
            "packaging, tomli, tomli-w and requests first on PATH.\n"
        )
        return 1
    return build(sys.argv[2:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
