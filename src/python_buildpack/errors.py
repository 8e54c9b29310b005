"""Every error that a user can meet: one function each, with an id, a title and the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class UserError(Exception):
    """Something the user can mend: shown as a title and a body, never as a traceback."""

    def __init__(self, id: str, title: str, body: str) -> None:
        super().__init__(f"{id}: {title}")
        self.id = id
        self.title = title
        self.body = body


def file_unreadable(
    name: str, why: str, todo: str = "Check that it is a regular, readable UTF-8 text file"
) -> UserError:
    """A file that decides something is a directory, a broken link, not UTF-8 text, not valid
    TOML or JSON, or may not be read.

    Fix: Correct the file; the error says what is wrong with it, and where.
    """
    return UserError(
        "file-unreadable",
        f"{name} cannot be read",
        f"{why}\n{todo} and build again.",
    )


def name_not_utf8(text: str) -> UserError:
    """The name of a file, or the value of a variable, that the image must know is not UTF-8.

    Fix: Rename the file (`git mv`), or correct the variable.
    """
    return UserError(
        "name-not-utf8",
        f"A name or value that the image must know is not UTF-8: {text}",
        "What describes an image is UTF-8 text, and can hold no other. If this is the name of a file "
        "or directory, rename it (git mv); else correct the variable that says it.",
    )


def version_file_misspelt(name: str, right: str, fix: str) -> UserError:
    """A file is named almost like one that holds the Python version, so nothing would read it.

    Fix: Rename it as the error says.
    """
    deprecated = ", which is deprecated itself" if right == "runtime.txt" else ""
    return UserError(
        "version-file-misspelt",
        f"{name} is not read: the file's name must be {right}{deprecated}",
        f"Fix: {fix}",
    )


def version_file_bom(name: str, shown: str, fix: str) -> UserError:
    """An editor put a byte order mark in front of the version.

    Fix: Save the file as UTF-8 without BOM, or write it with the command that the error gives.
    """
    return UserError(
        "version-file-bom",
        f"{name} line 1 begins with a byte order mark (BOM)",
        f"The line is: {shown}\nSave the file as UTF-8 without BOM.\nFix: {fix}",
    )


def version_file_utf16(name: str, shown: str, fix: str) -> UserError:
    """The file was written by PowerShell's `>`, or saved as Unicode by an editor.

    Fix: Save it as UTF-8, or write it with the command that the error gives.
    """
    return UserError(
        "version-file-utf16",
        f"{name} line 1 is UTF-16 or UTF-32 text, as PowerShell's > writes it",
        f"The line is: {shown}\nSave the file as UTF-8.\nFix: {fix}",
    )


def version_file_not_utf8(name: str, line: int, shown: str, fix: str) -> UserError:
    """The file holds bytes of another encoding.

    Fix: Save it as UTF-8, or write it with the command that the error gives.
    """
    return UserError(
        "version-file-not-utf8",
        f"{name} line {line} is not UTF-8 text",
        f"The line is: {shown}\nSave the file as UTF-8.\nFix: {fix}",
    )


def version_file_control_characters(name: str, line: int, shown: str, fix: str) -> UserError:
    """The line holds characters that no editor shows, such as a zero-width space copied from a
    web page.

    Fix: Type the line anew, or use the command that the error gives.
    """
    return UserError(
        "version-file-control-characters",
        f"{name} line {line} holds characters that are not seen",
        f"The line is: {shown}\nRemove them.\nFix: {fix}",
    )


def version_file_empty(name: str, shown: str, fix: str) -> UserError:
    """There is nothing in the file but blank lines and comments.

    Fix: Write the version into it, or delete the file.
    """
    return UserError(
        "version-file-empty",
        f"{name} holds no version",
        f"All that it holds from line 1 on is: {shown}\nFix: {fix}",
    )


def version_file_several(name: str, lines: Sequence[tuple[int, str]], fix: str) -> UserError:
    """The file lists several versions, as pyenv allows; an app has one.

    Fix: Keep one of them.
    """
    numbers, shown = _numbered(lines)
    return UserError(
        "version-file-several",
        f"{name} asks for several versions (line {numbers})"[:200],
        f"{shown}\nAn app has one Python. Keep one version.\nFix: {fix}",
    )


def version_file_holds_more(name: str, lines: Sequence[tuple[int, str]], fix: str) -> UserError:
    """The file holds other lines than one version: a command or a sentence that was copied with it.

    Fix: Keep the version alone.
    """
    numbers, shown = _numbered(lines)
    return UserError(
        "version-file-holds-more",
        f"{name} holds more than a version (line {numbers})"[:200],
        f"{shown}\nThe version alone belongs into it.\nFix: {fix}",
    )


def _numbered(lines: Sequence[tuple[int, str]]) -> tuple[str, str]:
    """The numbers, and the first of the lines."""
    numbers = ", ".join(str(number) for number in sorted({number for number, _ in lines}))
    return numbers, "\n".join(f"line {number}: {_shown(text)}" for number, text in lines[:10])


def python_version_major_only(where: str, shown: str, fix: str) -> UserError:
    """Only `3` is asked for, and the minor version would change without notice.

    Fix: Name the minor version, such as `3.13`.
    """
    return UserError(
        "python-version-major-only",
        f"{where} names a major version alone: {_shown(shown)}",
        f"The minor version is missing, and another one may break the app.\nFix: {fix}",
    )


def python_version_moving(where: str, shown: str, fix: str) -> UserError:
    """`latest`, `stable` and the like change their meaning over time.

    Fix: Name the minor version, such as `3.13`.
    """
    return UserError(
        "python-version-moving",
        f"{where} names no version: {_shown(shown)}",
        f"What it means would change from build to build. Name the minor version.\nFix: {fix}",
    )


def python_implementation_unsupported(where: str, shown: str, fix: str) -> UserError:
    """PyPy, GraalPy, Anaconda and others are asked for; only CPython is installed.

    Fix: Ask for a version of CPython.
    """
    return UserError(
        "python-implementation-unsupported",
        f"{where} asks for another implementation or distribution: {_shown(shown)}",
        f"This buildpack installs CPython only.\nFix: {fix}",
    )


def python_version_virtualenv(where: str, shown: str, fix: str) -> UserError:
    """pyenv-virtualenv wrote the name of an environment into `.python-version`.

    Fix: Write the version that this environment has.
    """
    return UserError(
        "python-version-virtualenv",
        f"{where} names a virtual environment, not a version: {_shown(shown)}",
        "pyenv-virtualenv writes the name of an environment, which exists on your machine only.\n"
        f"Fix: {fix}",
    )


def python_version_spelling(where: str, shown: str, fix: str) -> UserError:
    """The version has a prefix, quotes or a suffix that belong elsewhere (`python-3.13`,
    `v3.13`, `"3.13"`).

    Fix: Write the version alone.
    """
    return UserError(
        "python-version-spelling",
        f"{where} holds more than a version: {_shown(shown)}",
        f"The version alone is what counts, without prefix, quotes or suffix.\nFix: {fix}",
    )


def python_range_invalid(where: str, shown: str, hint: str, fix: str) -> UserError:
    """A range of versions is not a valid specifier (PEP 440), often one in the notation of npm
    or Poetry.

    Fix: Write it as the error shows, such as `>=3.12,<3.14`.
    """
    return UserError(
        "python-range-invalid",
        f"{where} holds a range of versions that is not understood: {_shown(shown)}",
        f"{hint}\nFix: {fix}",
    )


def python_version_invalid(where: str, shown: str, fix: str) -> UserError:
    """The text is neither a version nor a range.

    Fix: Write `3.13`, `3.13.2`, or a range such as `>=3.12,<3.14`.
    """
    return UserError(
        "python-version-invalid",
        f"{where} asks for a Python version that is not understood: {_shown(shown)}",
        "A version is 3.13 (its newest patch), 3.13.2, or a range such as >=3.12,<3.14.\n"
        f"Fix: {fix}",
    )


def python_version_not_text(where: str, shown: str, fix: str) -> UserError:
    """A lock or manifest holds a number or a list where the version should be a text.

    Fix: Put the version in quotes.
    """
    return UserError(
        "python-version-not-text",
        f"{where} is not a text: {_shown(shown)}",
        f"A version is written in quotes.\nFix: {fix}",
    )


def python_version_unknown(where: str, version: str, nearest: Sequence[str], fix: str) -> UserError:
    """That patch was never released, has no build that could be offered, or is newer than the
    buildpack's list of releases.

    Fix: Take one of the versions that the error names, or ask for the minor version alone.
    """
    return UserError(
        "python-version-unknown",
        f"Python {version} is not offered ({where})",
        f"The nearest that are: {', '.join(nearest) or 'none'}.\nFix: {fix}",
    )


def python_version_other_architecture(
    where: str, version: str, arch: str, others: Sequence[str], nearest: Sequence[str], fix: str
) -> UserError:
    """That release exists, but not for the processor that the image is built for.

    Fix: Take one of the versions that the error names, or build for another architecture.
    """
    return UserError(
        "python-version-other-architecture",
        f"There is no Python {version} for {arch}, only for {', '.join(others)} ({where})",
        f"The nearest that there are for {arch}: {', '.join(nearest) or 'none'}.\nFix: {fix}",
    )


def python_minor_unknown(where: str, minor: str, minors: Sequence[str], fix: str) -> UserError:
    """That minor version is newer than the buildpack, or does not exist.

    Fix: Ask for one that is offered, or use a newer buildpack.
    """
    return UserError(
        "python-minor-unknown",
        f"Python {minor} is not in the list of releases ({where})",
        f"Offered are {', '.join(minors) or 'none'}; a newer buildpack, or one that was packaged with "
        f"other runtimes, may have more.\nFix: {fix}",
    )


def python_end_of_life(
    where: str, minor: str, ended: str, refused: str, minors: Sequence[str], fix: str
) -> UserError:
    """That minor version gets no security fixes any more, and the day from which it is refused
    has passed.

    Fix: Move to a version that is offered; [python-versions.md](python-versions.md) has the
    dates.
    """
    since = f" Its upstream support ended on {ended}." if ended else ""
    refusal = f" It is refused since {refused}." if refused else ""
    return UserError(
        "python-version-end-of-life",
        f"Python {minor} is past its end of life and no longer offered ({where})",
        f"It gets no security fixes any more.{since}{refusal}\n"
        f"Offered are {', '.join(minors) or 'none'}.\nFix: {fix}",
    )


def python_minor_elsewhere(
    where: str, minor: str, places: Sequence[str], minors: Sequence[str], fix: str
) -> UserError:
    """That minor version is kept for one old distribution or stack only.

    Fix: Move to a version that is offered here.
    """
    return UserError(
        "python-version-distribution",
        f"Python {minor} is offered on {' and '.join(places)} only ({where})",
        f"Offered here are {', '.join(minors) or 'none'}.\nFix: {fix}",
    )


def python_range_empty(where: str, wanted: str, minors: Sequence[str], fix: str) -> UserError:
    """No version that is offered satisfies the range.

    Fix: Widen the range.
    """
    return UserError(
        "python-range-empty",
        f"No Python that is offered is within {_shown(wanted)} ({where})",
        f"Offered are {', '.join(minors) or 'none'}.\nFix: {fix}",
    )


def python_free_threaded_unknown(
    where: str, version: str, minors: Sequence[str], fix: str
) -> UserError:
    """A free-threaded build (`3.14t`) is asked for, and there is none of that version.

    Fix: Take a version of which there is one, or leave out the `t`.
    """
    return UserError(
        "python-free-threaded-unknown",
        f"There is no free-threaded build of Python {version} ({where})",
        f"There is one of {', '.join(minors) or 'none'}.\nFix: {fix}",
    )


def python_version_conflict(
    first: str, asked: str, second: str, required: str, fixes: Sequence[str]
) -> UserError:
    """Two files ask for versions that exclude each other, such as `.python-version` and
    `requires-python` of the lock.

    Fix: Change one of them; the error shows how.
    """
    return UserError(
        "python-version-conflict",
        f"{first} asks for Python {_shown(asked)}, but {second} requires {_shown(required)}",
        "No version satisfies both. Change one of them:\n" + "\n".join(f"- {f}" for f in fixes),
    )


def build_plan_conflict(first: str, asked: str, wanted: str, fix: str) -> UserError:
    """Another buildpack of this build requires a version that the app does not ask for.

    Fix: Change the app's version, or the other buildpack's settings.
    """
    return UserError(
        "build-plan-version-conflict",
        f"{first} asks for Python {_shown(asked)}, but another buildpack requires {_shown(wanted)}",
        "The requirement stands in the build plan that the other buildpacks of this build wrote.\n"
        f"Fix: {fix}",
    )


def releases_lack_architecture(arch: str, known: Sequence[str]) -> UserError:
    """The release list of `BP_PYTHON_RELEASES` has nothing for this processor.

    Fix: Add archives for it to the list, or remove the setting.
    """
    return UserError(
        "releases-lack-architecture",
        f"The release list has no Python for {arch} that is offered",
        f"It has: {', '.join(known)}. Add some for {arch}, or remove "
        "BP_PYTHON_RELEASES to use the built-in list.",
    )


def _shown(text: str) -> str:
    """A text of the user's on one line, what cannot be seen made visible."""
    return repr(text) if len(text) <= 200 else f"{text[:200]!r} ..."


def requirements_missing(name: str, line: str) -> UserError:
    """A requirements file that a setting or a `-r` line names is not in the app.

    Fix: Commit the file, or correct the name.
    """
    return UserError(
        "requirements-file-missing",
        f"{name} does not exist",
        f"It is named by {line}.\nAdd the file or correct the name.",
    )


def requirements_misspelt(name: str) -> UserError:
    """The app has a file that is named almost like `requirements.txt`, and no other one that
    declares packages.

    Fix: Rename it.
    """
    return UserError(
        "requirements-file-misspelt",
        f"{name} is not a name that pip users expect",
        f"Rename it: git mv {name} requirements.txt",
    )


def requirements_elsewhere(names: Sequence[str]) -> UserError:
    """Requirement files are in the app, but none is where pip's users have it, and nothing else
    declares packages: the image would have none.

    Fix: Name the file by `BP_PIP_REQUIREMENT`, or from a `requirements.txt`.
    """
    others = f"There are also: {', '.join(names[1:20])}\n" if names[1:] else ""
    return UserError(
        "requirements-file-elsewhere",
        f"There is no requirements.txt, so nothing reads {names[0]}",
        f"The image would have no packages. Set BP_PIP_REQUIREMENT={names[0]}, or write a file "
        f"that names it:\necho '-r {names[0]}' > requirements.txt\n{others}"
        "For an image without packages: BP_PYTHON_PACKAGE_MANAGER=none",
    )


def requirements_of_another_machine(where: str, lines: Sequence[str], count: str) -> UserError:
    """A requirement is a file by its absolute path, and there is no such file where the app is
    built. `pip freeze` in a conda environment writes such lines.

    Fix: Write names and versions, by the command that the error gives.
    """
    shown = "\n".join(lines)
    return UserError(
        "requirements-of-another-machine",
        f"{where} names a file of another machine (lines of this kind: {count})",
        f"{shown}\nA path like this is written by `pip freeze` in a conda environment. Write names "
        "and versions instead, in that environment:\npip list --format=freeze > requirements.txt\n"
        "A project of your own belongs into the app, and is named by its path there: ./libs/name",
    )


def requirements_too_deep(name: str) -> UserError:
    """Requirement files name one another by `-r` or `-c`, more than 50 levels deep.

    Fix: Flatten them.
    """
    return UserError(
        "requirements-too-deep",
        f"{name}: requirement files are nested more than 50 deep",
        "Flatten them: `-r` should not need more than a few levels.",
    )


def install_failed(
    tool: str, code: int, id: str, hint: str, package: str = "the requirements"
) -> UserError:
    """uv or pip could not install the packages, for the reason that the text gives.

    Fix: As the text says.
    """
    return UserError(
        f"install-{id}",
        f"{tool} could not install {package} (exit code {code})",
        f"{hint}\n{tool}'s own words are above.",
    )


def hashes_missing(packages: list[str]) -> UserError:
    """`BP_REQUIRE_HASHES` is set, and packages come from version control, a bare URL, or an
    index without hashes.

    Fix: Add hashes (`#sha256=`), take the packages from an index that states them, or unset the
    setting.
    """
    return UserError(
        "hashes-missing",
        f"BP_REQUIRE_HASHES is set, and nothing vouches for {len(packages)} of the packages",
        f"{', '.join(packages)}\nTake them from an index that states hashes, end their URLs in "
        "#sha256=<hash>, or unset BP_REQUIRE_HASHES.",
    )


def forbidden_environment(reasons: Mapping[str, str]) -> UserError:
    """The build's environment has a variable that would lead Python or an installer out of the
    image.

    Fix: Remove it from the build's environment; the error says what each one does.
    """
    return UserError(
        "environment-forbidden",
        f"These environment variables would break the build: {', '.join(reasons)}",
        "\n".join(f"{name} {reason}." for name, reason in reasons.items())
        + "\nRemove them from the build environment (project.toml, --env, or the kpack Image).",
    )


def stopped() -> UserError:
    """The platform ended the build (time limit, deleted pod), or somebody pressed Ctrl-C.

    Fix: Build again, with more time if it was the limit.
    """
    return UserError(
        "stopped",
        "The build was stopped before its end",
        "The platform, or somebody at the keyboard, asked it to end (a time limit, a deleted pod, "
        "Ctrl-C).\nNothing of it is used; build again.",
    )


def setting_invalid(name: str, value: str, allowed: str) -> UserError:
    """A setting of this buildpack has a value that it cannot have.

    Fix: Use one of the values that the error lists.
    """
    return UserError(
        "setting-invalid",
        f"{name}={value!r} is not a value it can have",
        f"It can be: {allowed}.",
    )


def managers_conflict(found: Mapping[str, Sequence[str]]) -> UserError:
    """The app has files of several package managers, which may contradict each other.

    Fix: Delete the files of all but one, or choose by `BP_PYTHON_PACKAGE_MANAGER`.
    """
    files = ", ".join(f"{' and '.join(own)} ({name})" for name, own in found.items())
    names = list(found)
    return UserError(
        "package-managers-conflict",
        f"The app has the files of several package managers: {files}",
        "They may contradict each other. Keep those of one of them (git rm the others), or choose "
        f"by BP_PYTHON_PACKAGE_MANAGER={' or '.join(names)}."
        + (
            "\nA requirements.txt may stay beside the lock that it was exported from where its "
            "header says so, as `uv export` and `pdm export` write it."
            if "pip" in found
            else ""
        ),
    )


def settings_contradict(names: Sequence[str]) -> UserError:
    """Two settings choose different package managers.

    Fix: Keep one of them.
    """
    return UserError(
        "settings-contradict",
        f"Each of these settings chooses another package manager: {', '.join(names)}",
        "Keep one of them, or choose by BP_PYTHON_PACKAGE_MANAGER.",
    )


def manager_without_files(name: str, present: Sequence[str]) -> UserError:
    """`BP_PYTHON_PACKAGE_MANAGER` names a manager whose files the app does not have.

    Fix: Commit its files, or remove the setting.
    """
    shown = ", ".join(present[:20]) or "nothing"
    return UserError(
        "package-manager-without-files",
        f"BP_PYTHON_PACKAGE_MANAGER={name}, but no file of {name} is in the app's root",
        f"There is: {shown}\nCommit the manager's files, or remove the setting.",
    )


def lock_missing(manifest: str, lock: str, command: str) -> UserError:
    """A manifest has no lock beside it, and its manager installs from locks only.

    Fix: Make the lock with the command that the error gives, and commit it.
    """
    return UserError(
        "lock-missing",
        f"{manifest} has no {lock} beside it",
        f"Its dependencies cannot be installed without it. Run `{command}` and commit {lock}.",
    )


def sources_need_lock(manifest: str, lock: str, command: str) -> UserError:
    """`[tool.uv.sources]` says where packages come from, which only a `uv.lock` carries over.

    Fix: Run `uv lock` and commit `uv.lock`.
    """
    return UserError(
        "sources-need-lock",
        f"{manifest}: [tool.uv.sources] is understood with a lock only",
        "Without it other packages of the same names would be installed. "
        f"Run `{command}` and commit {lock}.",
    )


def sources_need_uv(what: str) -> UserError:
    """`BP_PIP_INSTALLER=pip`, where only uv understands from where packages come.

    Fix: Unset `BP_PIP_INSTALLER`, or name the places in the requirements themselves
    (`name @ URL`).
    """
    return UserError(
        "sources-need-uv",
        f"pip, which BP_PIP_INSTALLER asks for, knows nothing of {what}",
        "It would look for packages of the same names in the index. Unset BP_PIP_INSTALLER, or name "
        "the places in the requirements themselves (name @ URL).",
    )


def groups_unknown(missing: Sequence[str], known: Sequence[str], file: str) -> UserError:
    """`BP_PYTHON_GROUPS` names a dependency group that the manifest or lock does not have.

    Fix: Correct the setting.
    """
    return UserError(
        "dependency-group-unknown",
        f"BP_PYTHON_GROUPS names what {file} does not have: {', '.join(missing)}",
        f"Its dependency groups are: {', '.join(known) or 'none'}. Correct the setting.",
    )


def extras_unknown(missing: Sequence[str], known: Sequence[str], file: str) -> UserError:
    """`BP_PYTHON_EXTRAS` names an extra that the project does not have.

    Fix: Correct the setting.
    """
    return UserError(
        "extra-unknown",
        f"BP_PYTHON_EXTRAS names what {file} does not have: {', '.join(missing)}",
        f"Its extras are: {', '.join(known) or 'none'}. Correct the setting.",
    )


def path_leaves_app(setting: str, value: str) -> UserError:
    """A setting names a path outside of the app, by `..` or by a link.

    Fix: Name a path below the app's root.
    """
    return UserError(
        "path-leaves-app",
        f"{setting}={value!r} leads out of the app",
        "It must be a path below the app's root, such as services/api.",
    )


def project_dir_missing(value: str) -> UserError:
    """`BP_PYTHON_PROJECT_DIR` names a directory that is not there, or was not uploaded.

    Fix: Correct the path, or check what the platform excludes.
    """
    return UserError(
        "project-directory-missing",
        f"BP_PYTHON_PROJECT_DIR={value!r}: the app has no such directory",
        "Correct the path, which is relative to the app's root.",
    )


def committed_program(line: int, program: str, name: str, folder: str) -> UserError:
    """The Procfile starts a program of a virtual environment that was committed; it was made
    for another machine.

    Fix: Write the program's name alone, and remove the environment from the repository.
    """
    return UserError(
        "committed-environment",
        f"Procfile line {line} starts {program}, which cannot run in the image",
        f"{folder}/ is a virtual environment of the machine on which it was made.\n"
        f"Write {name} alone, and remove the directory: git rm -r --cached {folder}",
    )


def hook_not_executable(name: str) -> UserError:
    """`bin/pre_compile` or `bin/post_compile` lacks the mode for execution.

    Fix: Run the command that the error gives, and commit.
    """
    return UserError(
        "hook-not-executable",
        f"{name} is not executable",
        f"Fix: chmod +x {name}\nand commit that: git update-index --chmod=+x {name}",
    )


def hook_cannot_start(name: str, why: str) -> UserError:
    """The hook's first line names a program that the build image lacks, or its lines end as on
    Windows.

    Fix: Correct the first line, or save the file with LF.
    """
    return UserError(
        "hook-cannot-start",
        f"{name} cannot be started",
        f"{why}\nThe first line must name a program that the build image has, such as #!/bin/sh.",
    )


def hook_failed(name: str, code: int) -> UserError:
    """The hook ended with another exit code than 0.

    Fix: Correct what its own words above the error tell of.
    """
    ended = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return UserError(
        "hook-failed",
        f"{name} {ended}",
        f"Its own words are above. Correct it, or let it end with 0 where that does not matter.\n"
        f"It is part of the app: without the file {name} nothing is run.",
    )


def collectstatic_failed(id: str, code: int, cause: str) -> UserError:
    """Django's `collectstatic` failed, for the reason that the text gives.

    Fix: As the text says.
    """
    return UserError(
        f"collectstatic-{id}",
        f"Django's collectstatic failed (exit code {code})",
        f"Django's own words are above.\n{cause}\nTo build without it: DISABLE_COLLECTSTATIC=1.",
    )


def nltk_line_invalid(line: int, text: str) -> UserError:
    """A line of `nltk.txt` is not a name of one of NLTK's data sets.

    Fix: Write one name a line, as `nltk.download()` takes them.
    """
    return UserError(
        "nltk-line-invalid",
        f"nltk.txt line {line} holds no name of NLTK's data: {_shown(text)}",
        "It lists names, one a line, as nltk.download() takes them: stopwords, punkt_tab, popular.",
    )


def nltk_data_unknown(name: str, near: Sequence[str], index: str) -> UserError:
    """`nltk.txt` names what NLTK's index does not have.

    Fix: Correct the name; the error shows similar ones.
    """
    meant = f"Did you mean {' or '.join(near)}?" if near else "Check its spelling."
    return UserError(
        "nltk-data-unknown",
        f"nltk.txt asks for {_shown(name)}, which NLTK's index does not have",
        f"{meant}\nThe index: {index}",
    )


def nltk_index_unusable(index: str, why: str) -> UserError:
    """`BP_NLTK_INDEX` names a file or URL that is no index of NLTK's data.

    Fix: Correct the setting, or remove it to use NLTK's own.
    """
    return UserError(
        "nltk-index-unusable",
        f"{index} cannot be used as an index of NLTK's data",
        f"{why}\nCorrect BP_NLTK_INDEX, or remove it to use NLTK's own.",
    )


def script_without_metadata(name: str) -> UserError:
    """`BP_PYTHON_SCRIPT` names a script that has no block of metadata (PEP 723).

    Fix: Write its dependencies into such a block.
    """
    return UserError(
        "script-without-metadata",
        f"{name} (BP_PYTHON_SCRIPT) does not declare its dependencies",
        "Write them into its first lines (PEP 723):\n"
        '# /// script\n# dependencies = ["requests"]\n# ///',
    )


def script_metadata_invalid(where: str, why: str) -> UserError:
    """The script's block of metadata (PEP 723) is not closed, is there twice, or is not valid
    TOML.

    Fix: Write it as the error shows.
    """
    return UserError(
        "script-metadata-invalid",
        f"{where}: the script's metadata (PEP 723) cannot be used",
        f'{why}\nIt should look like:\n# /// script\n# dependencies = ["requests"]\n# ///',
    )


def index_url_invalid(where: str) -> UserError:
    """The URL of an index has an odd port or host, often because of characters in a password.

    Fix: Escape the characters that the error lists.
    """
    return UserError(
        "index-url-invalid",
        f"The URL of an index, from {where}, cannot be understood",
        "Check its host and port. In a user name or password write @ as %40, / as %2F, : as %3A, "
        "# as %23 and % as %25.",
    )


def index_variable_missing(where: str, variable: str) -> UserError:
    """The URL of an index has a `${VARIABLE}` that the build does not have.

    Fix: Give it to the build: `pack build --env`, or kpack's `spec.build.env`.
    """
    return UserError(
        "index-variable-missing",
        f"The URL of {where} uses the variable {variable}, which the build does not have",
        f"Set {variable} in the build's environment (pack build --env {variable}=...).",
    )


def index_refused(index: str, status: int) -> UserError:
    """The index answered 401 or 403 for the package.

    Fix: Check user name, password or token, and whether they are given for this host.
    """
    return UserError(
        "index-credentials",
        f"The index {index} refused the credentials (it answered {status})",
        "Check the user name and password or token in the index's URL, in netrc, or in the "
        "service binding: whether they are given for this host, still valid, and allowed to read.",
    )


def find_links_missing(place: str) -> UserError:
    """`BP_PIP_FIND_LINKS` names a directory or file that the app does not have.

    Fix: Correct the path, or add the wheels.
    """
    return UserError(
        "find-links-missing",
        f"BP_PIP_FIND_LINKS names {place}, which the app does not have",
        "It takes URLs, and paths relative to the app's root. Correct the path, or add the wheels.",
    )


def binding_unreadable(name: str, key: str, why: str) -> UserError:
    """An entry of a service binding is absent, not UTF-8, not what its type holds, or not to be read.

    Fix: Correct the entry, let the build's user read it, or remove the binding.
    """
    return UserError(
        "binding-unreadable",
        f"The service binding {name} cannot be used because of its entry {key}",
        f"{why}\nCorrect the entry (the file {name}/{key}, which the build's user must be able to "
        "read), or remove the binding.",
    )


def lock_field_invalid(file: str, place: str, why: str, repair: str) -> UserError:
    """A field of the lock or manifest is absent or has another type, after an edit by hand or a
    merge.

    Fix: Make the lock anew with the command that the error gives.
    """
    return UserError(
        "lock-malformed",
        f"{file} cannot be used: {place} {why}",
        f"The file was changed by hand, or by a merge. Run `{repair}` and commit the result.",
    )


def lock_stale(lock: str, manifest: str, repair: str) -> UserError:
    """The manifest was changed after the lock was made.

    Fix: Make the lock anew with the command that the error gives, and commit it.
    """
    return UserError(
        "lock-stale",
        f"{lock} does not belong to this {manifest}",
        f"{manifest} was changed after {lock} was made, so it may lack packages or hold wrong "
        f"ones. Nothing was installed.\nRun `{repair}` and commit {lock}.",
    )


def lock_version_unknown(lock: str, version: str, known: str, repair: str) -> UserError:
    """The lock was written by a version of its tool that is too new or too old.

    Fix: Use the command that the error gives, or a newer buildpack.
    """
    return UserError(
        "lock-version-unknown",
        f"{lock} has the format {version}, which this buildpack does not know",
        f"It knows {known}. Run `{repair}` with a version of the tool that writes one of these and "
        f"commit {lock}, or use a newer version of the buildpack.",
    )


def manifest_missing(lock: str, manifest: str) -> UserError:
    """There is a lock without the manifest that it belongs to.

    Fix: Commit the manifest too.
    """
    return UserError(
        "manifest-missing",
        f"{lock} has no {manifest} beside it",
        f"The lock alone does not say what the app needs. Commit {manifest}, and check that the "
        "platform does not exclude it.",
    )


def workspace_member_unknown(names: Sequence[str], known: Sequence[str], lock: str) -> UserError:
    """`BP_UV_PACKAGE` names what is no member of the workspace.

    Fix: Correct the setting.
    """
    return UserError(
        "workspace-member-unknown",
        f"BP_UV_PACKAGE names what {lock} does not have as a project: {', '.join(names)}",
        f"Its projects are: {', '.join(known) or 'none'}. Correct the setting.",
    )


def workspace_member_needed(lock: str, known: Sequence[str]) -> UserError:
    """The root of the uv workspace is no project, so there is nothing to install from it.

    Fix: Name the member by `BP_UV_PACKAGE`, or build in its directory by
    `BP_PYTHON_PROJECT_DIR`.
    """
    return UserError(
        "workspace-member-needed",
        f"The root of the workspace ({lock}) is no project, so there is nothing to install",
        f"Name the project to install by BP_UV_PACKAGE ({', '.join(known) or 'it has none'}), or "
        "build in the project's own directory: BP_PYTHON_PROJECT_DIR.",
    )


def pdm_lock_inputs() -> UserError:
    """The lock was made with a setting of PDM's that leaves out the content hash.

    Fix: Remove the setting and lock again.
    """
    return UserError(
        "lock-inputs",
        "pdm.lock was made with tool.pdm.resolution.lock_inputs, which cannot be checked here",
        "Such a lock has no content hash. Remove the setting from pyproject.toml, run `pdm lock` and "
        "commit pdm.lock.",
    )


def lock_environment(lock: str, environments: Sequence[str]) -> UserError:
    """The lock was made for other platforms or Python versions than this build's.

    Fix: Lock for Linux and this version too, or change the version.
    """
    return UserError(
        "lock-environment",
        f"{lock} was not made for the environment of this build",
        f"It is for: {'; '.join(environments)}\nLock for Linux and this version of Python too, or "
        "change the version (.python-version), and commit the lock.",
    )


def lock_ambiguous(lock: str, name: str) -> UserError:
    """Groups or extras were chosen that exclude each other, or the lock was merged by hand.

    Fix: Choose one of them, or make the lock anew.
    """
    return UserError(
        "lock-ambiguous",
        f"{lock} holds {name} more than once for this environment",
        "Only one of them can be installed. Make the lock anew with its tool; if groups or extras "
        "were chosen that exclude each other, choose one of them.",
    )


def pylock_invalid(lock: str, place: str, why: str) -> UserError:
    """The file does not follow the lock format (PEP 751).

    Fix: Make it anew with the tool that wrote it.
    """
    return UserError(
        "lock-malformed",
        f"{lock} is no valid lock (PEP 751): {place}: {why}",
        "Make it anew with the tool that wrote it, and commit the result.",
    )


def pylock_which(wanted: str, known: Sequence[str]) -> UserError:
    """There are several `pylock.*.toml` and none is `pylock.toml`, or `BP_PYLOCK` names none of
    them.

    Fix: Set `BP_PYLOCK` to one of them.
    """
    title = (
        f"BP_PYLOCK={wanted!r} names no lock of the app" if wanted else "There are several locks"
    )
    return UserError(
        "pylock-unknown",
        title,
        f"There is: {', '.join(known) or 'none'}\nSet BP_PYLOCK to one of them (pylock.dev.toml, or "
        "just dev). Without the setting pylock.toml is used.",
    )


def uv_needed(lock: str) -> UserError:
    """The buildpack runs from its source, without a uv on PATH.

    Fix: Use the packaged buildpack, or put uv on PATH.
    """
    return UserError(
        "uv-needed",
        f"{lock} is installed by uv, which is not here",
        "The packaged buildpack holds it (make package). Running from its source, put uv on PATH.",
    )


def pin_needs_uv(name: str, index: str) -> UserError:
    """The lock pins a package to one index without a hash, which pip cannot hold to, and there
    is no uv.

    Fix: Use the packaged buildpack, or put uv on PATH.
    """
    return UserError(
        "uv-needed",
        f"{name} comes from the index {index} alone, and its lock has no hash for it",
        "pip would take it from any index; uv, which would not, is not here. The packaged "
        "buildpack holds it (make package). Running from its source, put uv on PATH.",
    )


def uv_lock_unusable(lock: str, hint: str) -> UserError:
    """uv found that `uv.lock` cannot be used; its words are above the error.

    Fix: Do as the hint says; often `uv lock` and a commit.
    """
    return UserError(
        "uv-lock-unusable",
        f"uv could not check {lock}",
        f"uv's own words are above. Nothing was installed.\n{hint}",
    )


def lock_path_missing(lock: str, name: str, path: str) -> UserError:
    """The lock installs a package from a path that was not uploaded with the app.

    Fix: Commit it, and check `.gitignore` and the platform's exclusions.
    """
    return UserError(
        "lock-path-missing",
        f"{lock} installs {name} from {path!r}, which is not in the app",
        "The build has only what was uploaded. Commit it, check .gitignore and the files that the "
        "platform excludes, and mind BP_PYTHON_PROJECT_DIR: paths start there.",
    )


def disk_full(what: str) -> UserError:
    """The disk of the build has no space left.

    Fix: Free some, or give the build more.
    """
    return UserError(
        "disk-full",
        f"No space left on the build's disk while {what}",
        "Free some space, or give the build more (Docker: `docker system df`; kpack: the pod's "
        "ephemeral storage), and build again.",
    )


def release_list_unreadable(source: str, why: str) -> UserError:
    """`BP_PYTHON_RELEASES` names a file or URL that cannot be read, or is no release list.

    Fix: Correct the setting or the list, or remove the setting.
    """
    return UserError(
        "release-list-unreadable",
        f"The release list {source} cannot be used",
        f"{why}\nCorrect BP_PYTHON_RELEASES, or remove it to use the built-in list.",
    )


def download_failed(url: str, why: str) -> UserError:
    """A file could not be fetched: no network, a proxy, a missing file, a server's fault.

    Fix: Check network and proxy, or name a mirror by `BP_DEPENDENCY_MIRROR`.
    """
    return UserError(
        "download-failed",
        f"{url} could not be downloaded",
        f"{why}\nCheck the network and proxy settings, or set BP_DEPENDENCY_MIRROR to a mirror that "
        "the build can reach, and build again.",
    )


def file_to_fetch_missing(path: str) -> UserError:
    """A `file:` URL of a release list, a mirror or a binding names no file of the build image.

    Fix: Correct the URL, or mount the directory into the build (`pack build --volume`).
    """
    return UserError(
        "download-failed",
        f"{path} does not exist in the build image",
        "A file: URL names it, from a release list, BP_DEPENDENCY_MIRROR or a service binding. "
        "Correct the URL, or mount the directory into the build (pack build --volume).",
    )


def with_packaged_runtimes(error: UserError, versions: Sequence[str]) -> UserError:
    """A failed download of a runtime, with those that need none."""
    if error.id != "download-failed" or not versions:
        return error
    return UserError(
        error.id,
        error.title,
        f"{error.body}\nThis buildpack brings Python {' and '.join(sorted(versions))}: "
        f"an app that asks for {'it' if len(versions) == 1 else 'one of them'} needs no download.",
    )


def certificate_untrusted(url: str, why: str, trusted: object) -> UserError:
    """The server's certificate is signed by an authority that the build image does not know.

    Fix: Give the authority's certificate: a service binding of the type `ca-certificates`, or
    `SSL_CERT_FILE`.
    """
    bundle = trusted if isinstance(trusted, str) else "Mozilla, as this buildpack brings them"
    return UserError(
        "certificate-untrusted",
        f"{url} could not be downloaded: the server's certificate is not trusted",
        f"{why}\nTrusted are the certificates of {bundle}. Set SSL_CERT_FILE to a file that also "
        "holds those of your own authority, and build again.",
    )


def checksum_mismatch(url: str, expected: str, got: str, algorithm: str = "sha256") -> UserError:
    """The file that came is not the one that the release list names.

    Fix: Check the mirror or proxy in between; nothing of the file was used.
    """
    return UserError(
        "checksum-mismatch",
        f"{url} is not the file that was expected",
        f"Expected {algorithm} {expected}\nGot      {algorithm} {got}\n"
        "Something between here and the source changed it: check the mirror or proxy. Nothing of "
        "it was used.",
    )


def archive_broken(name: str, why: str) -> UserError:
    """The archive is cut off, is no archive, or holds paths that lead out of it.

    Fix: Pack the archive again, if the list is your own; else report it.
    """
    return UserError(
        "archive-broken",
        f"The archive {name} cannot be unpacked",
        f"{why}\nNothing of it was used. If the release list is your own, pack the archive again; "
        "otherwise report it.",
    )


def archive_needs_zstd(name: str) -> UserError:
    """The buildpack runs from its source, with a Python that cannot read zstd.

    Fix: Use the packaged buildpack, or install `zstandard`.
    """
    return UserError(
        "archive-needs-zstd",
        f"The archive {name} is compressed with zstd, which this Python cannot read",
        "Use the packaged buildpack (it can), or install the package zstandard beside the "
        "buildpack's other dependencies.",
    )


def runtime_unusable(version: str, why: str) -> UserError:
    """The interpreter does not start: often the build image's glibc is older than the
    archive's.

    Fix: Use a build image with glibc (a newer one), or another Python version.
    """
    return UserError(
        "runtime-unusable",
        f"Python {version} does not start in this build image",
        f"{why}\nUse a build image with glibc (a newer one), or choose another Python version.",
    )


def procfile_invalid(name: str, line: int, text: str, hint: str) -> UserError:
    """The Procfile has lines, but none of them is `type: command`.

    Fix: Write one; the error shows how.
    """
    return UserError(
        "procfile-invalid",
        f"{name} line {line} is not a process: {text[:200]!r}",
        f"{hint}\nFor example: web: gunicorn app:app",
    )


def internal(what: str, trace: str) -> UserError:
    """A fault of the buildpack.

    Fix: Report it, with the lines that the error shows.
    """
    return UserError(
        "internal-error",
        f"The buildpack itself failed: {what}"[:200],
        "This is its fault, not the app's. Please report it with the lines below, at "
        f"https://github.com/pycnb/python-buildpack/issues\n{trace}",
    )
