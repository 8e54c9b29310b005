"""Every error that a user can meet: one function each, with an id, a title and the next step."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend: shown as a title and a body, never as a traceback."""

    def __init__(self, id: str, title: str, body: str) -> None:
        super().__init__(f"{id}: {title}")
        self.id = id
        self.title = title
        self.body = body


def file_unreadable(name: str, why: str) -> UserError:
    return UserError(
        "file-unreadable",
        f"{name} cannot be read",
        f"{why}\nCheck that it is a regular, readable UTF-8 text file and build again.",
    )


def python_version_invalid(source: str, value: str, hint: str) -> UserError:
    return UserError(
        "python-version-invalid",
        f"{source} asks for a Python version that is not understood: {value!r}",
        f"{hint}\nWrite a version such as 3.13 (newest patch) or 3.13.2, or a range such as "
        ">=3.12,<3.14.",
    )


def python_version_unknown(source: str, value: str, near: list[str], minors: list[str]) -> UserError:
    nearest = f"The nearest that exist: {', '.join(near)}.\n" if near else ""
    return UserError(
        "python-version-unknown",
        f"There is no Python {value} for this machine (asked for by {source})",
        f"{nearest}Minor versions on offer: {', '.join(minors)}.\nChange {source} to one of them.",
    )


def python_version_refused(source: str, minor: str, end: str) -> UserError:
    return UserError(
        "python-version-end-of-life",
        f"Python {minor} is no longer supported (asked for by {source})",
        f"Its upstream support ended on {end}.\nMove the app to a newer Python and change {source}.",
    )


def python_version_conflict(first: str, second: str) -> UserError:
    return UserError(
        "python-version-conflict",
        f"Two requests for a Python version contradict each other: {first}; {second}",
        "Change one of the two so that one version satisfies both.",
    )


def requirements_missing(name: str, line: str) -> UserError:
    return UserError(
        "requirements-file-missing",
        f"{name} does not exist",
        f"It is named by {line}.\nAdd the file or correct the name.",
    )


def requirements_misspelt(name: str) -> UserError:
    return UserError(
        "requirements-file-misspelt",
        f"{name} is not a name that pip users expect",
        f"Rename it: git mv {name} requirements.txt",
    )


def requirements_cycle_too_deep(name: str) -> UserError:
    return UserError(
        "requirements-too-deep",
        f"{name}: requirement files are nested more than 50 deep",
        "Flatten them: `-r` should not need more than a few levels.",
    )


def install_failed(tool: str, code: int, hint: str) -> UserError:
    return UserError(
        "install-failed",
        f"{tool} could not install the requirements (exit code {code})",
        f"{tool}'s own words are above.\n{hint}",
    )


def forbidden_environment(names: list[str]) -> UserError:
    return UserError(
        "environment-forbidden",
        f"These environment variables would break the build: {', '.join(names)}",
        "Remove them from the build environment (project.toml, --env, or the kpack Image).",
    )


def setting_invalid(name: str, value: str, allowed: str) -> UserError:
    return UserError(
        "setting-invalid",
        f"{name}={value!r} is not a value it can have",
        f"It can be: {allowed}.",
    )


def not_supported_yet(files: str) -> UserError:
    return UserError(
        "package-manager-unsupported",
        f"{files} is not supported by this version of the buildpack",
        "Export the locked requirements to requirements.txt and remove the other file, or wait for "
        "a newer version of the buildpack.",
    )


def disk_full(what: str) -> UserError:
    return UserError(
        "disk-full",
        f"No space left on the build's disk while {what}",
        "Free some space, or give the build more (Docker: `docker system df`; kpack: the pod's "
        "ephemeral storage), and build again.",
    )
