"""What a failed collectstatic printed -> the cause that is named."""

from __future__ import annotations

import pytest

from python_buildpack.app_steps.collectstatic_causes import find_cause

CASES = {
    "STATIC_ROOT": (
        "django.core.exceptions.ImproperlyConfigured: You're using the staticfiles app without "
        "having set the STATIC_ROOT setting to a filesystem path.",
        "static-root",
        "STATIC_ROOT =",
    ),
    "manifest": (
        "ValueError: The file 'css/gone.png' could not be found with "
        "<django.contrib.staticfiles.storage.ManifestStaticFilesStorage object at 0x7f>.",
        "missing-file",
        "css/gone.png",
    ),
    "manifest at import": (
        "ValueError: Missing staticfiles manifest entry for 'logo.svg'",
        "missing-file",
        "logo.svg is asked for while Django starts",
    ),
    "WhiteNoise": (
        "whitenoise.storage.MissingFileError: The file 'a.map' could not be found with "
        "<whitenoise.storage.CompressedManifestStaticFilesStorage object at 0x7f>.",
        "missing-file",
        "a.map",
    ),
    "os.environ": (
        '    SECRET_KEY = os.environ["SECRET_KEY"]\n                 ~~~~~~~~~~^^^^^^\n'
        '  File "<frozen os>", line 714, in __getitem__\n    raise KeyError(key) from None\n'
        "KeyError: 'SECRET_KEY'",
        "setting-missing",
        "--env SECRET_KEY=",
    ),
    "django-environ": (
        "django.core.exceptions.ImproperlyConfigured: Set the DATABASE_URL environment variable",
        "setting-missing",
        "DATABASE_URL is not set",
    ),
    "decouple": (
        "decouple.UndefinedValueError: MAIL_HOST not found. Declare it as envvar or define a "
        "default value.",
        "setting-missing",
        "MAIL_HOST is not set",
    ),
    "SECRET_KEY": (
        "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
        "setting-missing",
        "SECRET_KEY is empty",
    ),
    "another KeyError": ("    x = table['y']\nKeyError: 'y'", "failed", "Cause: KeyError: 'y'\n"),
    "PostgreSQL": (
        'django.db.utils.OperationalError: connection to server at "127.0.0.1", port 5432 failed: '
        "Connection refused",
        "database",
        "django.db.utils.OperationalError",
    ),
    "psycopg": ("psycopg.OperationalError: connection failed", "database", "psycopg."),
    "no table": ("django.db.utils.ProgrammingError: relation does not exist", "database", "query"),
    "Redis": (
        "redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379.",
        "service-unreachable",
        "redis.exceptions.ConnectionError",
    ),
    "S3": (
        "botocore.exceptions.NoCredentialsError: Unable to locate credentials",
        "service-unreachable",
        "credentials",
    ),
    "time zone": (
        "zoneinfo._common.ZoneInfoNotFoundError: 'No time zone found with key Europe/Paris'",
        "time-zones",
        "tzdata",
    ),
    "no settings": (
        "No Django settings specified.\nUnknown command: 'collectstatic'",
        "no-settings",
        "DJANGO_SETTINGS_MODULE",
    ),
    "module": (
        "ModuleNotFoundError: No module named 'debug_toolbar'",
        "module-missing",
        "debug_toolbar",
    ),
    "place": (
        "PermissionError: [Errno 13] Permission denied: '/srv/static'",
        "directory-unwritable",
        "/srv/static",
    ),
    "configuration": (
        "django.core.exceptions.ImproperlyConfigured: The STATICFILES_DIRS setting is not a tuple",
        "improperly-configured",
        "STATICFILES_DIRS setting is not a tuple",
    ),
    "syntax": (
        '  File "settings.py", line 1\n    DEBUG = = 1\nSyntaxError: invalid syntax',
        "syntax-error",
        "SyntaxError: invalid syntax",
    ),
    "anything else": ("  ValueError: 3\n", "failed", "Cause: ValueError: 3\n"),
}


@pytest.mark.parametrize("what", CASES)
def test_causes(what: str) -> None:
    """Each has its id, and names what it is about."""
    output, id, words = CASES[what]
    cause = find_cause(f"Traceback (most recent call last):\n{output}\n", "/app")
    assert cause.id == id
    assert words in cause.text
    assert "{" not in cause.text


def test_place() -> None:
    """The app's own line that failed is named; manage.py only starts Django, packages are not its."""
    frames = (
        '  File "/app/manage.py", line 10, in <module>\n'
        '  File "/layers/venv/django/conf/__init__.py", line 68, in _setup\n'
    )
    own = '  File "/app/site/settings.py", line 18, in <module>\n    x = table["y"]\n'
    failure = "ZoneInfoNotFoundError: 'No time zone found with key Mars/Phobos'\n"
    assert "Where:" not in find_cause(frames + failure, "/app").text
    for what in (failure, "KeyError: 'y'\n"):
        assert find_cause(frames + own + what, "/app").text.endswith(
            "\nWhere: site/settings.py line 18"
        )
