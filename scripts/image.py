"""Build an app into an image with pack and Docker; what is missing on the way is made."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from builder import builder
from demo import ensure_package, say
from docker_host import DockerError, docker, docker_data
from go_tools import GoToolError
from pack_cli import build_app, ensure_pack, pack_on_path
from package import PackageError
from python_buildpack.errors import UserError

# The grammar of image references: [registry/]path[:tag].
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"(?:(?:[A-Za-z0-9-]+\.[A-Za-z0-9.-]+|localhost|[A-Za-z0-9.-]+(?=:\d))(?::\d+)?/)?"
    rf"{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?"
)


def is_image_name(text: str) -> bool:
    """Whether an image can have this name."""
    return _NAME.fullmatch(text) is not None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--runtime", choices=("archive", "host"), default="archive")
    given = parser.parse_args()
    if not given.app.is_dir():
        print(f"APP={given.app}: no such directory", file=sys.stderr)
        return 1
    if not is_image_name(given.image):
        print(
            f"IMAGE={given.image}: no name of an image. It can be like my-app, team/my-app:1 or "
            "registry.example.com/my-app: lower-case letters, digits, and . _ - between them",
            file=sys.stderr,
        )
        return 1
    try:
        build_image(given.app, given.image, given.runtime)
    except UserError as error:
        print(f"{error.title}\n{error.body}", file=sys.stderr)
        return 1
    except (DockerError, GoToolError, PackageError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def build_image(app: Path, image: str, runtime: str) -> None:
    """`pack build`, with a builder that is made here."""
    pack = pack_on_path() or ensure_pack(say)
    buildpack = ensure_package(runtime)
    with (
        docker(say) as host,
        tempfile.TemporaryDirectory(prefix="pycnb-image-") as work,
        builder(host, pack, buildpack, Path(work), say) as name,
    ):
        say(f"pack build {image} --path {app}")
        done = build_app(pack, host, Path(work) / "pack", image, name, app, {})
        print(done.stdout)
        if host.environ:
            say("No Docker answered, so one was started for this build. It ends now, and keeps")
            say(f"{image} in {docker_data()}. Start Docker yourself, and build again to run it.")


if __name__ == "__main__":
    sys.exit(main())
