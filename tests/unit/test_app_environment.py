"""The environment of the steps that run the app."""

from __future__ import annotations

from python_buildpack.app_steps.environment import app_environment


def test_environment() -> None:
    """The user's own, less the platform's; the app importable; no byte code with times."""
    made = app_environment(
        {
            "PATH": "/bin",
            "SECRET_KEY": "x",
            "LANG": "C",
            "PYTHONPATH": "src",
            "PYTHONWARNINGS": "error",
            "CNB_LAYERS_DIR": "/layers",
            "VIRTUAL_ENV": "/elsewhere",
        },
        "/workspace",
        ("/layers/venv/bin", "/layers/python/bin"),
        {"VIRTUAL_ENV": "/layers/venv", "NLTK_DATA": "/layers/nltk-data/data"},
    )
    assert made == {
        "PATH": "/layers/venv/bin:/layers/python/bin:/bin",
        "SECRET_KEY": "x",
        "LANG": "C",
        "PYTHONPATH": "src:/workspace",
        "PYTHONWARNINGS": "error",
        "VIRTUAL_ENV": "/layers/venv",
        "NLTK_DATA": "/layers/nltk-data/data",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    assert app_environment({}, "/workspace", ("/p",), {})["PYTHONPATH"] == "/workspace"
    assert app_environment({"NLTK_DATA": "/mine"}, "/w", (), {"NLTK_DATA": "/n"})["NLTK_DATA"] == (
        "/mine"
    )
