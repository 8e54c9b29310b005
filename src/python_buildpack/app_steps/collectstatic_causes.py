"""Why Django's collectstatic failed, told from what it printed. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What it says where django.contrib.staticfiles is not among the INSTALLED_APPS.
UNKNOWN_COMMAND = "Unknown command: 'collectstatic'"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """`id` is part of the error's, and stays."""

    id: str
    text: str


@dataclass(frozen=True)
class _Rule:
    """`{0}` in the text is what the pattern's first group found."""

    id: str
    pattern: str
    text: str


_SET_IT = "Give it a default for the build, or set it there (pack build --env {0}=...)."

# The first that matches is given: the sharper ones stand before the general ones.
_RULES = (
    _Rule(
        "static-root",
        r"without having set the STATIC_ROOT setting",
        "Cause: the settings have no STATIC_ROOT. Add this line to them:\n"
        'STATIC_ROOT = BASE_DIR / "staticfiles"',
    ),
    _Rule(
        "time-zones",
        r"ZoneInfoNotFoundError: ['\"]No time zone found with key ([^'\"\n]+)",
        "Cause: the time zone {0} is not known. Check its name; if it is right, neither the build "
        "image nor the packages have a database of time zones: add tzdata to the app's "
        "requirements.",
    ),
    _Rule(
        "missing-file",
        r"The file '?([^\n']+?)'? could not be found with <",
        "Cause: {0} is referred to by a style sheet, script or template, and is in no static "
        "directory. Add the file, or correct the reference. (A storage with a manifest, such as "
        "ManifestStaticFilesStorage or WhiteNoise's, must find every file.)",
    ),
    _Rule(
        "missing-file",
        r"Missing staticfiles manifest entry for '([^\n']+)'",
        "Cause: {0} is asked for while Django starts, before the manifest of static files is made. "
        "Ask for it when a request is served, not when a module is imported.",
    ),
    _Rule(
        "missing-file",
        r"MissingFileError: ([^\n]+)",
        "Cause: {0}\nAdd the file, or correct the reference.",
    ),
    _Rule(
        "setting-missing",
        r"Set the (\w+) environment variable",
        "Cause: the environment variable {0} is not set during the build. " + _SET_IT,
    ),
    _Rule(
        "setting-missing",
        r"UndefinedValueError: (\w+) not found",
        "Cause: the environment variable {0} is not set during the build. " + _SET_IT,
    ),
    _Rule(
        "setting-missing",
        r"environ\b[^\n]*\n(?:[^\n]*\n){0,12}KeyError: '(\w+)'",
        "Cause: the settings need the environment variable {0}, which is not set during the build. "
        + _SET_IT,
    ),
    _Rule(
        "setting-missing",
        r"ImproperlyConfigured: The (SECRET_KEY) setting must not be empty",
        "Cause: {0} is empty during the build. collectstatic does not use it: give it a default "
        "for the build, or set the variable that it is read from (pack build --env ...).",
    ),
    _Rule(
        "database",
        r"((?:django\.db\.utils|psycopg2?|MySQLdb|pymysql|sqlite3|oracledb|sqlalchemy)[\w.]*"
        r"\.(?:OperationalError|ProgrammingError|InterfaceError|DatabaseError))",
        "Cause: the app asks its database while it is imported ({0}), and the build has none. Move "
        "the query out of module level: into a function, a view, or a lazy object.",
    ),
    _Rule(
        "service-unreachable",
        r"((?:\w+\.)*\w*(?:ConnectionError|ConnectionRefusedError|NewConnectionError"
        r"|NoCredentialsError|EndpointConnectionError|ServerSelectionTimeoutError))\b",
        "Cause: a service that the app needs cannot be reached from the build ({0}). Files on S3 "
        "and the like need its credentials during the build; anything else is better connected to "
        "when it is first used, not when a module is imported.",
    ),
    _Rule(
        "no-settings",
        r"No Django settings specified",
        "Cause: neither manage.py nor the environment names the settings. Set "
        "DJANGO_SETTINGS_MODULE (pack build --env DJANGO_SETTINGS_MODULE=mysite.settings).",
    ),
    _Rule(
        "module-missing",
        r"ModuleNotFoundError: No module named '([^']+)'",
        "Cause: the module {0} is not there. If it is a package, add it to the app's requirements "
        "(not to a development group only); if it is the app's own, check DJANGO_SETTINGS_MODULE "
        "and that the file is committed and not excluded from the build.",
    ),
    _Rule(
        "directory-unwritable",
        r"PermissionError: [^\n]*?'([^'\n]+)'",
        "Cause: {0} cannot be written. STATIC_ROOT must lie within the app.",
    ),
    _Rule(
        "improperly-configured",
        r"ImproperlyConfigured: ([^\n]+)",
        "Cause: the settings cannot be used during the build: {0}",
    ),
    _Rule(
        "syntax-error",
        r"\n(?:\w+\.)*((?:Syntax|Indentation|Tab)Error: [^\n]+)",
        "Cause: a module of the app cannot be compiled: {0}",
    ),
)
_LONGEST = 300  # characters of its last line
_OTHER = Cause(
    id="failed",
    text="Cause: {0}\nThe same command, run where the app's "
    "production settings and none of its services are at hand, shows it too: "
    "python manage.py collectstatic --noinput",
)


def find_cause(output: str, app_dir: str) -> Cause:
    """The likeliest cause of a failure that printed `output`, and where in the app it arose."""
    place = _place(output, app_dir)
    for rule in _RULES:
        found = re.search(rule.pattern, output)
        if found:
            text = rule.text.replace("{0}", (*found.groups(), "")[0])
            return Cause(id=rule.id, text=f"{text}{place}")
    last = (output.strip().splitlines() or ["it printed nothing"])[-1].strip()[:_LONGEST]
    return Cause(id=_OTHER.id, text=_OTHER.text.replace("{0}", last) + place)


def _place(output: str, app_dir: str) -> str:
    """The last line of the app that the traceback goes through, unless it only starts Django."""
    frames = re.findall(rf'File "{re.escape(app_dir)}/([^"\n]+)", line (\d+)', output)
    if not frames or frames[-1][0].endswith("manage.py"):
        return ""
    return f"\nWhere: {frames[-1][0]} line {frames[-1][1]}"


def texts() -> tuple[tuple[str, str], ...]:
    """Every id with its text, placeholders named; an id may have several."""
    return (
        *((rule.id, rule.text.replace("{0}", "<name>")) for rule in _RULES),
        (_OTHER.id, _OTHER.text.replace("{0}", "<the last line of the traceback>")),
    )
