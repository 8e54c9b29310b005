"""Environment variables that no build can work with, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

from python_buildpack import errors

_ELSEWHERE = "would install packages outside of the image's layers"
_NOT_INSTALLING = "would keep pip from installing"
_OTHER_PYTHON = "names another Python than the one that is installed"
_STANDARD_LIBRARY = "would lead Python away from its standard library"
_BYTE_CODE = "would put byte code where the image does not hold it"
_OTHER_PROJECT = "names another project than the app"
_CACHE = "would mix the build's cache with another one"

FORBIDDEN: Mapping[str, str] = {
    "PIP_TARGET": _ELSEWHERE,
    "PIP_PREFIX": _ELSEWHERE,
    "PIP_ROOT": _ELSEWHERE,
    "PIP_USER": _ELSEWHERE,
    "PIP_PYTHON": _OTHER_PYTHON,
    "PIP_DRY_RUN": _NOT_INSTALLING,
    "PIP_IGNORE_INSTALLED": "would hide packages that are installed already",
    "PIP_REPORT": "the buildpack needs pip's report for itself",
    "PIP_REQUIRE_VIRTUALENV": _NOT_INSTALLING,
    "PYTHONHOME": _STANDARD_LIBRARY,
    "PYTHONPLATLIBDIR": _STANDARD_LIBRARY,
    "PYTHONUSERBASE": _ELSEWHERE,
    "PYTHONPYCACHEPREFIX": _BYTE_CODE,
    "PYTHONINSPECT": "would have every Python wait for input at its end",
    "PYTHONEXECUTABLE": _OTHER_PYTHON,
    "UV_PYTHON": _OTHER_PYTHON,
    "UV_PROJECT_ENVIRONMENT": _ELSEWHERE,
    "UV_SYSTEM_PYTHON": _ELSEWHERE,
    "UV_TARGET": _ELSEWHERE,
    "UV_PREFIX": _ELSEWHERE,
    "UV_BREAK_SYSTEM_PACKAGES": _ELSEWHERE,
    "UV_PROJECT": _OTHER_PROJECT,
    "UV_WORKING_DIRECTORY": _OTHER_PROJECT,
    "UV_PYTHON_INSTALL_DIR": _OTHER_PYTHON,
    "UV_CACHE_DIR": _CACHE,
    "UV_LINK_MODE": "could leave links into a cache that is not part of the image",
    "VIRTUAL_ENV": _ELSEWHERE,
    "CONDA_PREFIX": _ELSEWHERE,
    "PIPENV_PIPFILE": _OTHER_PROJECT,
    "POETRY_VIRTUALENVS_PATH": _ELSEWHERE,
}


def refuse_forbidden(environ: Mapping[str, str]) -> None:
    """Raises `UserError` that names every variable that would break the build."""
    found = {name: FORBIDDEN[name] for name in sorted(environ) if name in FORBIDDEN}
    if found:
        raise errors.forbidden_environment(found)
