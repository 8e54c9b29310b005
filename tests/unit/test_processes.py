"""The processes of apps without a Procfile: tables over frameworks, layouts and servers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from python_buildpack.app.facts import Application, read_app_facts
from python_buildpack.app.files import AppFiles
from python_buildpack.launch import servers
from python_buildpack.launch.processes import LaunchInputs, LaunchPlan, plan_launch
from python_buildpack.launch.procfile import parse_procfile
from python_buildpack.launch.server_commands import listening_options, served_module
from python_buildpack.managers import FALLBACKS, MANAGERS, how_to_add
from python_buildpack.settings import read_settings

VENV = "/layers/venv"
ROOT = "/workspace"

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
STARLETTE = "from starlette.applications import Starlette\napp = Starlette(routes=[])\n"
LITESTAR = "from litestar import Litestar, get\napp = Litestar([])\n"
QUART = "import quart\napp = quart.Quart(__name__)\n"
STREAMLIT = "import streamlit as st\nst.title('Hello')\n"
GRADIO = "import gradio as gr\ndemo = gr.Interface(str, 'text', 'text')\ndemo.launch()\n"
# As if of a Python that is newer than any that runs the buildpack.
NEWER = "from flask import Flask\napp = Flask(__name__)\nawait? app\n"
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"
SOCKET_IO = FLASK + "from flask_socketio import SocketIO\nsocketio = SocketIO(app)\n"
ASGI_SOCKET_IO = "import socketio\n" + FASTAPI + "both = socketio.ASGIApp(sio, app)\n"
FACTORY = "from flask import Flask\ndef create_app(config=None):\n    app = Flask(__name__)\n    return app\n"
MANAGE = (
    'import os\ndef main():\n    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")\n'
)
WSGI_PY = (
    "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
)
ASGI_PY = (
    "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n"
)
WAITRESS = "waitress-serve --listen=0.0.0.0:${PORT}"
UVICORN = "uvicorn --host 0.0.0.0 --port ${PORT}"
HYPERCORN = "hypercorn --bind 0.0.0.0:${PORT} --workers ${WEB_CONCURRENCY:-1}"
GRANIAN = "--host 0.0.0.0 --port ${PORT} --workers ${WEB_CONCURRENCY:-1}"
UWSGI = (
    "uwsgi --http-socket 0.0.0.0:${PORT} --master --die-on-term --need-app "
    "--processes ${WEB_CONCURRENCY:-1} --module"
)
STREAMLIT_OPTIONS = "--server.address 0.0.0.0 --server.port ${PORT} --server.headless true"


SETDEFAULT = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")\n'
GENERIC_MANAGE = "from django.core.management import execute_from_command_line as run\nrun()\n"


COMPUTING_MANAGE = (
    'os.environ.setdefault("DJANGO_SETTINGS_MODULE", config("DJ", default="site1.settings"))\n'
    + GENERIC_MANAGE
)


def django(
    settings: str = "", folder: str = "", *, wsgi: bool = True, asgi: bool = True
) -> dict[str, str]:
    """What `django-admin startproject site` writes, below `folder`."""
    files = {
        "manage.py": MANAGE.format(settings="site.settings"),
        "site/__init__.py": "",
        "site/settings.py": settings,
    }
    files |= {"site/wsgi.py": WSGI_PY} if wsgi else {}
    files |= {"site/asgi.py": ASGI_PY} if asgi else {}
    return {f"{folder}{name}": text for name, text in files.items()}


@dataclass(frozen=True)
class Case:
    """An app and what is installed -> its processes, and words that the log must or must not say."""

    name: str
    files: Mapping[str, str]
    installed: str
    processes: Mapping[str, str] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    working_dir: str | None = None
    silent: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def web(
    name: str,
    files: Mapping[str, str],
    installed: str,
    command: str,
    *,
    working_dir: str | None = None,
    says: tuple[str, ...] = (),
    silent: tuple[str, ...] = (),
) -> Case:
    """A case whose only process is `web`."""
    return Case(name, files, installed, {"web": command}, says, working_dir, silent)


def none(name: str, files: Mapping[str, str], installed: str, *says: str) -> Case:
    """A case without any process."""
    return Case(name, files, installed, says=says)


DJANGO_CASES = (
    web("django", django(), "django gunicorn", "gunicorn site.wsgi:application",
        says=("Found Django: site.wsgi:application",)),
    web("django, waitress", django(), "django waitress", f"{WAITRESS} site.wsgi:application"),
    web("django, uwsgi", django(), "django uwsgi", f"{UWSGI} site.wsgi:application"),
    web("django, pyuwsgi", django(), "django pyuwsgi", f"{UWSGI} site.wsgi:application"),
    web("django, granian", django(), "django granian",
        f"granian --interface wsgi {GRANIAN} site.wsgi:application"),
    web("django, only an ASGI server", django(), "django uvicorn",
        f"{UVICORN} site.asgi:application"),
    web("django, both kinds of server", django(), "django gunicorn uvicorn",
        "gunicorn site.wsgi:application"),
    web("django, ASGI by its settings", django('ASGI_APPLICATION = "site.asgi.application"\n'),
        "django gunicorn uvicorn uvicorn-worker",
        "gunicorn --worker-class uvicorn_worker.UvicornWorker site.asgi:application"),
    web("django, ASGI by its settings, daphne",
        django('ASGI_APPLICATION = "site.routing.application"\n'), "django daphne",
        "daphne --bind 0.0.0.0 --port ${PORT} site.routing:application"),
    web("django, ASGI by its settings, no ASGI server",
        django('ASGI_APPLICATION = "site.asgi.application"\n'), "django waitress",
        f"{WAITRESS} site.wsgi:application",
        says=("The settings name ASGI_APPLICATION, but no ASGI server is installed",
              "Add this line to requirements.txt: uvicorn")),
    web("django, WSGI_APPLICATION",
        {**django('WSGI_APPLICATION = "deploy.web.app"\n', wsgi=False), "deploy/web.py": ""},
        "django gunicorn", "gunicorn deploy.web:app"),
    web("django, WSGI_APPLICATION is None", django("WSGI_APPLICATION = None\n"),
        "django gunicorn", "gunicorn site.wsgi:application"),
    web("django, only asgi.py", django(wsgi=False), "django gunicorn uvicorn",
        "gunicorn --worker-class uvicorn.workers.UvicornWorker site.asgi:application"),
    web("django, nested", django(folder="backend/"), "django gunicorn",
        "gunicorn site.wsgi:application", working_dir=f"{ROOT}/backend"),
    web("django, nested in no package", django(folder="back-end/"), "django gunicorn",
        "gunicorn site.wsgi:application", working_dir=f"{ROOT}/back-end"),
    web("django, nested twice, waitress", django(folder="services/web/"), "django waitress",
        f"{WAITRESS} site.wsgi:application", working_dir=f"{ROOT}/services/web"),
    web("django, the root's manage.py comes first", {**django(folder="old/"), **django()},
        "django gunicorn", "gunicorn site.wsgi:application"),
    web("django, settings package",
        {
            "manage.py": MANAGE.format(settings="config.settings.production"),
            "config/__init__.py": "", "config/settings/__init__.py": "",
            "config/settings/base.py": 'WSGI_APPLICATION = "config.wsgi_app.application"\n',
            "config/settings/production.py": "from .base import *\n",
            "config/wsgi_app.py": "",
        },
        "django gunicorn", "gunicorn config.wsgi_app:application"),
    web("django, settings beside manage.py",
        {"manage.py": MANAGE.format(settings="settings"), "settings.py": "", "wsgi.py": WSGI_PY},
        "django gunicorn", "gunicorn wsgi:application"),
    web("django, os.environ[...] in manage.py",
        {**django(), "manage.py": 'import os\nos.environ["DJANGO_SETTINGS_MODULE"] = "site.settings"\n'},
        "django gunicorn", "gunicorn site.wsgi:application"),
    *(
        web(f"django, manage.py computes its settings{title}",
            {f"{folder}manage.py": COMPUTING_MANAGE, f"{folder}site1/settings.py": "",
             f"{folder}site1/wsgi.py": WSGI_PY, f"{folder}shop/models.py": ""},
            "django gunicorn", "gunicorn site1.wsgi:application",
            working_dir=f"{ROOT}/backend" if folder else None)
        for title, folder in (("", ""), (", nested", "backend/"))
    ),
    web("django, manage.py computes its settings, which asgi.py names",
        {"backend/manage.py": COMPUTING_MANAGE,
         "backend/site1/asgi.py": SETDEFAULT.format(settings="conf.live") + ASGI_PY,
         "backend/site1/wsgi.py": WSGI_PY,
         "backend/conf/live.py": 'ASGI_APPLICATION = "site1.asgi.application"\n'},
        "django uvicorn gunicorn",
        "gunicorn --worker-class uvicorn.workers.UvicornWorker site1.asgi:application",
        working_dir=f"{ROOT}/backend"),
    none("django, manage.py computes its settings, two modules to serve",
         {"backend/manage.py": COMPUTING_MANAGE, "backend/a/wsgi.py": WSGI_PY,
          "backend/b/wsgi.py": WSGI_PY},
         "django gunicorn", "no web app was recognised"),
    web("django, settings for tests",
        {"manage.py": "import os, sys\nif 'test' in sys.argv:\n    " + SETDEFAULT.format(settings="s.test")
                      + "else:\n    " + SETDEFAULT.format(settings="s.prod")
                      + GENERIC_MANAGE,
         "s/test.py": 'WSGI_APPLICATION = "s.test_wsgi.app"\n', "s/test_wsgi.py": "",
         "s/prod.py": "", "s/wsgi.py": WSGI_PY},
        "django gunicorn", "gunicorn s.wsgi:application"),
    web("django without manage.py", {"site/__init__.py": "", "site/wsgi.py": WSGI_PY},
        "django gunicorn", "gunicorn site.wsgi:application"),
    none("django, no server", django(), "django",
         "Django was found (site.wsgi:application), but no server",
         "Add this line to requirements.txt: gunicorn"),
    none("django is not installed", django(), "gunicorn", "site/wsgi.py uses Django",
         "Add this line to requirements.txt: django"),
    none("another manage.py", {"manage.py": "print('hello')\n"}, "django gunicorn",
         "no web app was recognised"),
)  # fmt: skip

FLASK_CASES = (
    web("flask", {"app.py": FLASK}, "flask gunicorn", "gunicorn app:app",
        says=("Found Flask: app:app",)),
    web("flask, main.py, other name",
        {"main.py": "import flask\nbackend = flask.Flask('x')\n"}, "flask gunicorn",
        "gunicorn main:backend"),
    web("flask, waitress", {"app.py": FLASK}, "flask waitress", f"{WAITRESS} app:app"),
    web("flask, uwsgi", {"app.py": FLASK}, "flask uwsgi", f"{UWSGI} app:app"),
    web("flask, every server", {"app.py": FLASK}, "flask gunicorn waitress uwsgi uvicorn",
        "gunicorn app:app"),
    web("flask, aliases", {"app.py": "from flask import Flask as F\napplication = F(__name__)\n"},
        "flask gunicorn", "gunicorn app:application"),
    web("flask, subclass",
        {"app.py": "from flask import Flask\nclass Mine(Flask):\n    pass\napp = Mine(__name__)\n"},
        "flask gunicorn", "gunicorn app:app"),
    *(
        web(f"flask, {module}.{name} is a subclass",
            {"app.py": f"from {module} import {name}\napp = {name}(__name__)\n"},
            "flask gunicorn", "gunicorn app:app")
        for module, name in (
            *(("apiflask", "APIFlask"), ("flask_openapi3", "OpenAPI"), ("eve", "Eve")),
            *(("flask_openapi3.openapi", "OpenAPI"), ("flask_api", "FlaskAPI")),
        )
    ),
    web("flask, within try and if",
        {"app.py": "import flask\ntry:\n    import x\nexcept ImportError:\n    x = None\n"
                   "if x is None:\n    app = flask.Flask('a')\n"},
        "flask gunicorn", "gunicorn app:app"),
    web("flask, factory", {"app.py": FACTORY}, "flask gunicorn", "gunicorn app:create_app()"),
    web("flask, factory, waitress", {"app.py": FACTORY}, "flask waitress",
        f"{WAITRESS} --call app:create_app"),
    web("flask, factory in a package", {"shop/__init__.py": FACTORY}, "flask gunicorn",
        "gunicorn shop:create_app()"),
    *(
        web(f"flask, a package has what its module {title}",
            {"shop/__init__.py": f"from .core import {names}\n", "shop/core.py": text},
            "flask gunicorn", f"gunicorn shop:{target}")
        for title, names, text, target in (
            ("makes, by *", "*", FLASK, "app"),
            ("makes by a factory, by *", "*", FACTORY, "create_app()"),
            ("makes by a factory", "create_app", FACTORY, "create_app()"),
        )
    ),
    web("flask, wsgi.py has all of a module, which has all of another one",
        {"wsgi.py": "from core import *\n", "core.py": "from base import *\n", "base.py": FLASK},
        "flask gunicorn", "gunicorn wsgi:app"),
    web("flask, wsgi.py has a helper's factory and makes another one",
        {"wsgi.py": "from shop import *\nbackend = create_app()\n", "shop/__init__.py": FACTORY},
        "flask gunicorn", "gunicorn wsgi:backend"),
    web("flask, wsgi.py calls the factory of a package",
        {"shop/__init__.py": FACTORY, "wsgi.py": "from shop import create_app\napp = create_app()\n"},
        "flask gunicorn", "gunicorn wsgi:app"),
    web("flask, wsgi.py takes the object of a package",
        {"shop/__init__.py": "", "shop/web.py": FLASK,
         "wsgi.py": "from shop.web import app as application\n"},
        "flask gunicorn", "gunicorn wsgi:application"),
    web("flask, the factory's app is of a function of another module",
        {"shop/__init__.py": "from .core import base\ndef create_app():\n    return base('x')\n",
         "shop/core.py": "import flask\ndef base(name):\n    made = flask.Flask(name)\n    return made\n"},
        "flask gunicorn", "gunicorn shop:create_app()"),
    web("flask, package", {"shop/__init__.py": FLASK}, "flask gunicorn", "gunicorn shop:app"),
    web("flask, module of a package", {"shop/__init__.py": "", "shop/app.py": FLASK},
        "flask gunicorn", "gunicorn shop.app:app"),
    web("flask, the app's factory beside a mock's object",
        {"shop/__init__.py": FACTORY, "mocks/server.py": FLASK}, "flask gunicorn",
        "gunicorn shop:create_app()",
        says=("Also found: mocks.server:app. To serve another one, commit a Procfile",)),
    web("flask, a package before a folder of modules",
        {"shop/__init__.py": FACTORY, "backend/app.py": FLASK}, "flask gunicorn",
        "gunicorn shop:create_app()"),
    web("flask, the project's own package before others",
        {"shop/__init__.py": FACTORY, "admin/__init__.py": FLASK,
         "pyproject.toml": '[project]\nname = "Shop"\n'},
        "flask gunicorn", "gunicorn shop:create_app()", says=("Also found: admin:app.",)),
    web("flask, only an example", {"examples/app.py": FLASK}, "flask gunicorn",
        "gunicorn examples.app:app"),
    web("flask, wsgi.py and what it is made of are one application",
        {"shop/__init__.py": FACTORY, "wsgi.py": "from shop import create_app\napp = create_app()\n",
         "run.py": "from wsgi import app\n"},
        "flask gunicorn", "gunicorn wsgi:app", silent=("Also found",)),
    web("flask, a package of the module's name is what Python imports",
        {"app.py": FLASK, "app/__init__.py": FACTORY}, "flask gunicorn",
        "gunicorn app:create_app()", silent=("Also found",)),
    none("flask, a module behind a package of its name", {"app.py": FLASK, "app/__init__.py": ""},
         "flask gunicorn", "no web app was recognised"),
    web("flask, src layout, not installed", {"src/shop/__init__.py": FLASK}, "flask gunicorn",
        "PYTHONPATH=/workspace/src:${PYTHONPATH} gunicorn shop:app"),
    web("flask, src layout, installed",
        {"src/shop/__init__.py": FLASK, "pyproject.toml": '[project]\nname = "The.Shop"\n'},
        "flask gunicorn the-shop", "gunicorn shop:app"),
    web("flask, run from within src", {"src/main.py": FLASK}, "flask gunicorn",
        "gunicorn main:app", working_dir=f"{ROOT}/src"),
    web("flask, run from within a directory",
        {"backend/app.py": FLASK + "import models\n", "backend/models.py": ""},
        "flask gunicorn", "gunicorn app:app", working_dir=f"{ROOT}/backend"),
    *(
        web(f"flask, a sibling named like {name}, which it is about",
            {"shop/__init__.py": "", "shop/app.py": FLASK + f"import {name}\n",
             f"shop/{name}.py": f"from {name} import {thing}\n"},
            "flask gunicorn celery pyjwt", "gunicorn shop.app:app")
        for name, thing in (("celery", "Celery"), ("jwt", "encode"), ("logging", "INFO"))
    ),
    web("flask, a sibling named like a package, and one that is imported",
        {"api/main.py": FLASK + "import redis, models\n", "api/redis.py": "import redis\n",
         "api/models.py": ""},
        "flask gunicorn redis", "gunicorn main:app", working_dir=f"{ROOT}/api"),
    *(
        web(f"flask, a sibling named like a package, {is_or_not} installed",
            {"api/main.py": FLASK + "import Flask_Login\n", "api/Flask_Login.py": ""},
            packages, command, working_dir=place)
        for is_or_not, packages, command, place in (
            ("which is", "flask gunicorn flask-login", "gunicorn api.main:app", None),
            ("which is not", "flask gunicorn", "gunicorn main:app", f"{ROOT}/api"),
        )
    ),
    web("flask, a sibling named like a module of the standard library",
        {"api/main.py": FLASK + "import queue\n", "api/queue.py": ""},
        "flask gunicorn", "gunicorn api.main:app"),
    web("flask, middleware",
        {"app.py": FLASK + "from whitenoise import WhiteNoise\napp = WhiteNoise(app)\n"},
        "flask gunicorn whitenoise", "gunicorn app:app"),
    web("flask, middleware around what is imported",
        {"shop/__init__.py": "", "shop/web.py": FLASK,
         "wsgi.py": "from shop.web import app\nfrom whitenoise import WhiteNoise\n"
                    "app = WhiteNoise(app)\n"},
        "flask gunicorn whitenoise", "gunicorn wsgi:app"),
    web("flask, middleware in two steps, by other names",
        {"app.py": FLASK + "from late import middleware\nouter = middleware(app)\nfinal = outer\n"
                   "app = final\n"},
        "flask gunicorn", "gunicorn app:app"),
    web("flask, a function returns what the name meant before",
        {"app.py": FLASK + "def wrapped():\n    return app\napp = wrapped()\n"},
        "flask gunicorn", "gunicorn app:app"),
    none("flask, two names that only mean each other",
         {"app.py": "import flask\napp = application\napplication = app\n"}, "flask gunicorn",
         "no web app was recognised"),
    web("flask, an extension is no application",
        {"app.py": "import flask, flask_restful\nbackend = flask.Flask('a')\n"
                   "api = flask_restful.Api(backend)\n"},
        "flask flask-restful gunicorn", "gunicorn app:backend"),
    *(
        web(f"flask, {title} is no application",
            {"app.py": f"from flask import Flask\nfrom {module} import {name}\n"
                       f"backend = Flask('a')\napp = {name}({arguments})\n"},
            "flask gunicorn", "gunicorn app:backend")
        for title, module, name, arguments in (
            ("Dash", "dash", "Dash", "__name__, server=backend"),
            ("SocketIO", "flask_socketio", "SocketIO", "backend"),
            ("flask-restful's Api", "flask_restful", "Api", "backend"),
            ("flask-restx's Api", "flask_restx", "Api", "app=backend"),
            ("Celery", "celery", "Celery", "backend"),
        )
    ),
    web("flask, a function of the app's own that makes a Celery",
        {"app.py": "from flask import Flask\nfrom work import make_celery\nbackend = Flask('a')\n"
                   "app = make_celery(backend)\n",
         "work.py": "from celery import Celery\ndef make_celery(app):\n"
                    "    made = Celery(app.import_name)\n    return made\n"},
        "flask celery gunicorn", "gunicorn app:backend", silent=("app:app",)),
    web("flask, a function of the app's own that returns nobody knows what",
        {"app.py": "from flask import Flask\ndef extend(app):\n    return Other(app)\n"
                   "backend = Flask('a')\napp = extend(backend)\n"},
        "flask gunicorn", "gunicorn app:backend"),
    web("flask, a function of the app's own around the only object",
        {"app.py": FLASK + "def extend(app):\n    return app\napp = extend(app)\n"},
        "flask gunicorn", "gunicorn app:app"),
    web("flask, a class of the app's own is middleware",
        {"app.py": "from flask import Flask\nclass Prefix:\n    pass\nbackend = Flask('a')\n"
                   "app = Prefix(backend)\n"},
        "flask gunicorn", "gunicorn app:app"),
    *(
        web(f"flask, Flask-SocketIO, {packages}", {"app.py": SOCKET_IO},
            f"flask flask-socketio {packages}", f"{command} app:app",
            says=("It answers Socket.IO", *says), silent=("no worker for it",) * (not says))
        for packages, command, *says in (
            ("gunicorn==23.0.0", "gunicorn --workers 1 --threads 100"),
            ("gunicorn==25.3.0 eventlet==0.41.0 packaging",
             "gunicorn --workers 1 --worker-class eventlet"),
            ("gunicorn==27.0.1 gevent==25.9.1 packaging",
             "gunicorn --workers 1 --worker-class gevent"),
            ("gunicorn==20.1.0 gevent==21.1.0", "gunicorn --workers 1 --worker-class gevent"),
            ("gunicorn==27.0.1 gevent==25.9.1", "gunicorn --workers 1 --threads 100",
             "gunicorn 27.0.1 has no worker for it", "requirements.txt: gunicorn[gevent]"),
            ("gunicorn==27.0.1 gevent==25.9.1 eventlet==0.41.0 packaging",
             "gunicorn --workers 1 --threads 100",
             "Remove eventlet, or: Add this line to requirements.txt: gunicorn[eventlet]<26"),
            ("gunicorn==25.3.0 eventlet==0.33.3 packaging", "gunicorn --workers 1 --threads 100",
             "Socket.IO uses eventlet"),
            ("waitress eventlet", WAITRESS),
            ("uwsgi", UWSGI.replace("${WEB_CONCURRENCY:-1}", "1 --threads 100")),
            ("granian", "granian --interface wsgi --host 0.0.0.0 --port ${PORT} --workers 1"),
        )
    ),
    web("dash", {"app.py": "from dash import Dash\napp = Dash(__name__)\nserver = app.server\n"},
        "dash flask gunicorn", "gunicorn app:server"),
    web("dash, in two modules",
        {"app.py": "import dash\napp = dash.Dash(__name__)\n",
         "index.py": "from app import app\nserver = app.server\n"},
        "dash flask waitress", f"{WAITRESS} index:server"),
    none("celery alone", {"app.py": "from flask import Flask\nfrom celery import Celery\n"
                                    "def make():\n    return Celery('a')\napp = make(Flask('a'))\n"},
         "flask celery gunicorn", "no web app was recognised"),
    *(
        web(f"flask, as ASGI by {package}",
            {"app.py": f"import flask\nfrom {package}.middleware.wsgi import WSGIMiddleware\n"
                       "backend = flask.Flask('a')\napp = WSGIMiddleware(backend)\n"},
            "flask starlette uvicorn", f"{UVICORN} app:app")
        for package in ("fastapi", "starlette", "uvicorn")
    ),
    web("flask, as ASGI too, where no ASGI server is installed",
        {"app.py": "import flask\nfrom starlette.middleware.wsgi import WSGIMiddleware\n"
                   "backend = flask.Flask('a')\napp = WSGIMiddleware(backend)\n"},
        "flask starlette waitress", f"{WAITRESS} app:backend"),
    web("flask, as ASGI where that is what is installed",
        {"app.py": FLASK + "from asgiref.wsgi import WsgiToAsgi\nasgi_app = WsgiToAsgi(app)\n"},
        "flask asgiref uvicorn", f"{UVICORN} app:asgi_app"),
    none("flask-cors alone", {"app.py": "from flask_cors import CORS\napp = CORS()\n"},
         "flask-cors gunicorn", "no web app was recognised"),
    none("flask-cors alone, though the code is Flask's", {"app.py": FLASK}, "flask-cors gunicorn",
         "app.py uses Flask, which is not installed", "Add this line to requirements.txt: flask"),
    none("flask in a comment and a text",
         {"app.py": "# from flask import Flask; app = Flask(__name__)\napp = 'Flask(__name__)'\n"},
         "flask gunicorn", "no web app was recognised"),
    none("another Flask", {"app.py": "from mine import Flask\napp = Flask(__name__)\n"},
         "flask gunicorn", "no web app was recognised"),
    none("flask, only when started as a program",
         {"app.py": "import flask\nif __name__ == '__main__':\n    app = flask.Flask('a')\n"},
         "flask gunicorn", "no web app was recognised"),
    none("flask, a factory that needs arguments",
         {"app.py": FACTORY.replace("config=None", "config")}, "flask gunicorn",
         "no web app was recognised"),
    none("flask, the name is used for something else in the end",
         {"app.py": FLASK + "app = make_something(1)\n"}, "flask gunicorn",
         "no web app was recognised"),
    none("flask, no server", {"app.py": FLASK}, "flask uvicorn",
         "Flask was found (app:app), but no server", "Add this line to requirements.txt: gunicorn"),
    none("no Python", {"app.py": "def (\n"}, "flask gunicorn", "no web app was recognised"),
    none("syntax of a newer Python", {"main.py": NEWER, "server.py": NEWER}, "flask gunicorn",
         "no web app was recognised", f"main.py, server.py: cannot be read by Python {OWN}, which"),
    web("syntax of a newer Python in the root, an application elsewhere",
        {"main.py": NEWER, "mocks/server.py": FLASK}, "flask gunicorn",
        "gunicorn mocks.server:app", says=("main.py: cannot be read by Python",)),
    web("syntax of a newer Python in a module that does not matter",
        {"app.py": FLASK, "server.py": NEWER}, "flask gunicorn", "gunicorn app:app",
        silent=("cannot be read",)),
    none("no text", {"app.py": "\0\0\ufeff"}, "flask gunicorn", "no web app was recognised"),
)  # fmt: skip

ASGI_CASES = (
    web("fastapi, uvicorn", {"main.py": FASTAPI}, "fastapi starlette uvicorn",
        f"{UVICORN} main:app", says=("Found FastAPI: main:app",)),
    web("fastapi, gunicorn and uvicorn", {"main.py": FASTAPI}, "fastapi gunicorn uvicorn",
        "gunicorn --worker-class uvicorn.workers.UvicornWorker main:app"),
    web("fastapi, gunicorn and uvicorn-worker", {"main.py": FASTAPI},
        "fastapi gunicorn uvicorn uvicorn-worker",
        "gunicorn --worker-class uvicorn_worker.UvicornWorker main:app"),
    web("fastapi, hypercorn", {"main.py": FASTAPI}, "fastapi hypercorn", f"{HYPERCORN} main:app"),
    web("fastapi, granian", {"main.py": FASTAPI}, "fastapi granian",
        f"granian --interface asgi {GRANIAN} main:app"),
    web("fastapi, daphne", {"main.py": FASTAPI}, "fastapi daphne",
        "daphne --bind 0.0.0.0 --port ${PORT} main:app"),
    web("fastapi, gunicorn's own ASGI worker", {"main.py": FASTAPI}, "fastapi gunicorn==25.1.0",
        "gunicorn --worker-class asgi main:app"),
    none("fastapi, gunicorn without an ASGI worker", {"main.py": FASTAPI}, "fastapi gunicorn==23.0.0",
         "FastAPI was found (main:app), but no server", "Add this line to requirements.txt: uvicorn"),
    none("fastapi, only WSGI servers", {"main.py": FASTAPI}, "fastapi waitress uwsgi",
         "Add this line to requirements.txt: uvicorn"),
    web("fastapi, app/main.py", {"app/__init__.py": "", "app/main.py": FASTAPI},
        "fastapi uvicorn", f"{UVICORN} app.main:app"),
    web("fastapi, app/main.py without __init__.py",
        {"app/main.py": FASTAPI + "from app.routers import a\n", "app/routers/a.py": ""},
        "fastapi uvicorn", f"{UVICORN} app.main:app"),
    web("fastapi, src/main.py that imports src",
        {"src/main.py": FASTAPI + "from src import db\n", "src/db.py": ""},
        "fastapi uvicorn", f"{UVICORN} src.main:app"),
    web("fastapi, annotated", {"main.py": "import fastapi\napp: fastapi.FastAPI = fastapi.FastAPI()\n"},
        "fastapi uvicorn", f"{UVICORN} main:app"),
    web("fastapi, factory",
        {"main.py": "from fastapi import FastAPI\ndef create_app() -> FastAPI:\n    return FastAPI()\n"},
        "fastapi uvicorn", f"{UVICORN} --factory main:create_app"),
    web("fastapi, factory, gunicorn and uvicorn",
        {"main.py": "from fastapi import FastAPI\ndef create_app() -> FastAPI:\n    return FastAPI()\n"},
        "fastapi gunicorn uvicorn",
        "gunicorn --worker-class uvicorn.workers.UvicornWorker main:create_app()"),
    web("fastapi, factory that imports within", {"main.py":
        "def get_app():\n    import fastapi\n    app = fastapi.FastAPI()\n    return app\n"},
        "fastapi hypercorn", f"{HYPERCORN} main:get_app()"),
    web("fastapi with Gradio mounted",
        {"app.py": "import gradio as gr\n" + FASTAPI + "app = gr.mount_gradio_app(app, None, path='/')\n"},
        "fastapi gradio uvicorn", f"{UVICORN} app:app"),
    *(
        web(f"fastapi, Socket.IO around it as {name}",
            {"main.py": "import socketio\nsio = socketio.AsyncServer()\n" + FASTAPI
                        + f"{name} = socketio.ASGIApp(sio, other_asgi_app=app)\n"},
            "fastapi python-socketio uvicorn", f"{UVICORN} --workers 1 main:{name}", silent=("Also found",))
        for name in ("combined_app", "asgi_app", "socket_app", "application", "app", "api")
    ),
    web("fastapi, Socket.IO around it in two steps",
        {"main.py": "from socketio import ASGIApp\n" + FASTAPI
                    + "socket_app = ASGIApp(sio, app)\napp = socket_app\n"},
        "fastapi python-socketio uvicorn", f"{UVICORN} --workers 1 main:app"),
    web("fastapi, Socket.IO around what is imported, and middleware around both",
        {"main.py": FASTAPI,
         "asgi.py": "import socketio, cors\nfrom main import app\n"
                    "sockets = socketio.ASGIApp(sio, app)\napplication = cors.CORS(sockets)\n"},
        "fastapi python-socketio uvicorn", f"{UVICORN} --workers 1 asgi:application"),
    *(
        web(f"fastapi, Socket.IO around it, {packages}", {"main.py": ASGI_SOCKET_IO},
            f"fastapi python-socketio {packages}", f"{command} main:both",
            says=("It answers Socket.IO",))
        for packages, command in (
            ("gunicorn uvicorn",
             "gunicorn --workers 1 --worker-class uvicorn.workers.UvicornWorker"),
            ("hypercorn", "hypercorn --bind 0.0.0.0:${PORT} --workers 1"),
            ("granian", "granian --interface asgi --host 0.0.0.0 --port ${PORT} --workers 1"),
            ("daphne", "daphne --bind 0.0.0.0 --port ${PORT}"),
            ("gunicorn==25.1.0", "gunicorn --workers 1 --worker-class asgi"),
        )
    ),
    web("fastapi, Socket.IO around it by a factory",
        {"main.py": "import socketio\nfrom fastapi import FastAPI\ndef create_app():\n"
                    "    app = FastAPI()\n    return socketio.ASGIApp(sio, app)\n"},
        "fastapi python-socketio uvicorn", f"{UVICORN} --workers 1 --factory main:create_app"),
    web("fastapi, Socket.IO around another one",
        {"main.py": "import socketio\n" + FASTAPI + "admin = FastAPI()\n"
                    "admin_sockets = socketio.ASGIApp(sio, admin)\n"},
        "fastapi python-socketio uvicorn", f"{UVICORN} main:app"),
    web("fastapi, Socket.IO around it, and what runs both as a program",
        {"main.py": "import socketio, uvicorn\n" + FASTAPI + "sockets = socketio.ASGIApp(sio, app)\n"
                    "server = uvicorn.Server(uvicorn.Config(sockets))\n"},
        "fastapi python-socketio uvicorn", f"{UVICORN} --workers 1 main:sockets"),
    web("fastapi, Socket.IO mounted in it",
        {"main.py": "import socketio\n" + FASTAPI + "sockets = socketio.ASGIApp(sio)\n"
                    "app.mount('/ws', sockets)\n"},
        "fastapi python-socketio uvicorn", f"{UVICORN} main:app"),
    web("flask, Socket.IO around it",
        {"app.py": "import socketio\n" + FLASK + "both = socketio.WSGIApp(sio, app)\n"},
        "flask python-socketio gunicorn", "gunicorn --workers 1 --threads 100 app:both"),
    web("starlette", {"app.py": STARLETTE}, "starlette uvicorn", f"{UVICORN} app:app",
        says=("Found Starlette: app:app",)),
    web("starlette, gunicorn and uvicorn", {"app.py": STARLETTE}, "starlette gunicorn uvicorn",
        "gunicorn --worker-class uvicorn.workers.UvicornWorker app:app"),
    web("litestar", {"app.py": LITESTAR}, "litestar uvicorn", f"{UVICORN} app:app"),
    web("litestar, src layout, granian", {"src/shop/__init__.py": "", "src/shop/asgi.py": LITESTAR},
        "litestar granian",
        "PYTHONPATH=/workspace/src:${PYTHONPATH} "
        f"granian --interface asgi {GRANIAN} shop.asgi:app"),
    web("quart, hypercorn that came with it", {"app.py": QUART}, "quart hypercorn",
        f"{HYPERCORN} app:app"),
    none("starlette is installed, FastAPI is not", {"main.py": FASTAPI}, "starlette uvicorn",
         "main.py uses FastAPI, which is not installed"),
)  # fmt: skip

SCRIPT_CASES = (
    web("streamlit", {"streamlit_app.py": STREAMLIT}, "streamlit",
        f"streamlit run streamlit_app.py {STREAMLIT_OPTIONS}",
        says=("Found Streamlit: streamlit_app.py",)),
    web("streamlit, any script", {"Dashboard.py": STREAMLIT, "helpers.py": "x = 'streamlit'\n"},
        "streamlit", f"streamlit run Dashboard.py {STREAMLIT_OPTIONS}"),
    web("streamlit, from-import", {"app.py": "from streamlit import title\ntitle('x')\n"},
        "streamlit", f"streamlit run app.py {STREAMLIT_OPTIONS}"),
    web("streamlit, not a module that another one imports",
        {"dashboard.py": "import streamlit as st\nimport auth\nst.title('x')\n", "auth.py": STREAMLIT},
        "streamlit", f"streamlit run dashboard.py {STREAMLIT_OPTIONS}", silent=("auth.py",)),
    web("streamlit, imported by app.py alone",
        {"app.py": "from ui import page\npage()\n", "ui.py": STREAMLIT},
        "streamlit", f"streamlit run app.py {STREAMLIT_OPTIONS}"),
    web("streamlit, scripts that import each other",
        {"a.py": STREAMLIT + "import b\n", "b.py": STREAMLIT + "import a\n"},
        "streamlit", f"streamlit run a.py {STREAMLIT_OPTIONS}"),
    web("streamlit, a program that uses its helper",
        {"main.py": "import helper\n", "helper.py": STREAMLIT,
         "report.py": STREAMLIT + "import helper\n"},
        "streamlit", f"streamlit run report.py {STREAMLIT_OPTIONS}", says=("Also found: main.py.",)),
    web("streamlit, tests",
        {"test_a.py": STREAMLIT, "conftest.py": STREAMLIT, "view.py": STREAMLIT},
        "streamlit", f"streamlit run view.py {STREAMLIT_OPTIONS}", silent=("test",)),
    web("gradio, a module that is launched by another",
        {"main.py": "from ui import demo\ndemo.launch()\n",
         "ui.py": "import gradio as gr\ndemo = gr.Interface(str, 'text', 'text')\n"},
        "gradio", "GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=${PORT} python main.py"),
    web("streamlit beside the API that it calls", {"main.py": FASTAPI, "streamlit_app.py": STREAMLIT},
        "fastapi uvicorn streamlit", f"{UVICORN} main:app"),
    web("gradio", {"app.py": GRADIO}, "gradio fastapi uvicorn",
        "GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=${PORT} python app.py",
        says=("Found Gradio: app.py",)),
    web("gradio, blocks, as a program",
        {"demo.py": "import gradio\nwith gradio.Blocks() as demo:\n    pass\n"
                    "if __name__ == '__main__':\n    demo.launch()\n"},
        "gradio", "GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=${PORT} python demo.py"),
    none("gradio that is never launched", {"app.py": GRADIO.replace("demo.launch()", "")}, "gradio",
         "no web app was recognised"),
    none("streamlit is not installed", {"app.py": STREAMLIT}, "gunicorn",
         "app.py uses Streamlit, which is not installed",
         "Add this line to requirements.txt: streamlit"),
    Case("scripts of the project",
         {"pyproject.toml": '[project]\nname = "tool"\n[project.scripts]\nserve = "tool:a"\nwork = "tool:b"\n'},
         "tool", {"serve": "serve", "work": "work"}, ("no web process", "--entrypoint serve")),
    Case("one script is the default",
         {"pyproject.toml": '[project]\nname = "tool"\n[project.scripts]\nwork = "tool:b"\n'},
         "tool", {"work": "work"}),
    Case("scripts beside a web app",
         {"app.py": FLASK, "pyproject.toml": '[project]\nname = "tool"\n[project.scripts]\nwork = "a:b"\n'},
         "tool flask gunicorn", {"work": "work", "web": "gunicorn app:app"}),
    Case("a script called web",
         {"app.py": FLASK, "pyproject.toml": '[project]\nname = "tool"\n[project.scripts]\nweb = "a:b"\n'},
         "tool flask gunicorn", {"web": "web"}),
    Case("scripts of Poetry",
         {"pyproject.toml": '[tool.poetry]\nname = "tool"\n[tool.poetry.scripts]\nwork = "tool:b"\n'},
         "tool", {"work": "work"}),
    none("scripts of a project that is not installed",
         {"pyproject.toml": '[project]\nname = "tool"\n[project.scripts]\nwork = "tool:b"\n'},
         "requests", "no web app was recognised"),
    none("nothing", {}, "", "no web app was recognised", "web: <command>"),
)  # fmt: skip

CASES = (*DJANGO_CASES, *FLASK_CASES, *ASGI_CASES, *SCRIPT_CASES)


def installed(names: str) -> dict[str, str]:
    """`flask gunicorn==25.0` -> names and versions."""
    pairs = (name.partition("==") for name in names.split())
    return {name: version or "1.0" for name, _, version in pairs}


def planned(
    folder: Path,
    files: Mapping[str, str],
    packages: str,
    *,
    live_reload: bool = False,
    script: str = "",
    absent: frozenset[str] = frozenset(),
    how: str = "Add this line to requirements.txt: {package}",
    project_dir: str = "",
    members: tuple[str, ...] = (),
) -> LaunchPlan:
    """The processes of an app with these files, below `project_dir`."""
    top, folder = folder, folder / project_dir
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    procfile = files.get("Procfile")
    return plan_launch(
        LaunchInputs(
            procfile=parse_procfile(procfile.encode()).entries if procfile is not None else None,
            facts=read_app_facts(AppFiles(folder, top), installed=installed(packages)),
            packages=installed(packages),
            venv_dir=VENV,
            root=str(Path(ROOT, project_dir)),
            app_dir=ROOT,
            script=script,
            members=members,
            live_reload=live_reload,
            absent=absent,
            how_to_add=how,
        )
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inferred_processes(case: Case, tmp_path: Path) -> None:
    """What is installed and what the modules say decide; the log says why, or what to add."""
    plan = planned(tmp_path, case.files, case.installed)
    assert dict(plan.shown) == dict(case.processes)
    log = "\n".join((*plan.notices, *plan.warnings))
    for words in case.says:
        assert words in log
    for words in case.silent:
        assert words not in log
    if not case.processes:
        assert case.says, "a case without a process must say why"
    web = next((one for one in plan.processes if one.type == "web"), None)
    assert (web.working_dir if web else None) == case.working_dir
    defaults = [one.type for one in plan.processes if one.default]
    expected = ["web"] if web else [one.type for one in plan.processes]
    assert defaults == (expected if len(expected) == 1 else [])


def test_a_member_of_a_workspace_that_is_only_installed(tmp_path: Path) -> None:
    """Its directory is where its app is: the log says how to build there."""
    files = {"services/api/src/api/main.py": "import fastapi\napp = fastapi.FastAPI()\n"}
    plan = planned(tmp_path, files, "fastapi uvicorn", members=("api",))
    assert plan.processes == ()
    assert any("BP_PYTHON_PROJECT_DIR=<its directory>" in notice for notice in plan.notices)


@pytest.mark.parametrize(
    ("folder", "line", "above"),
    [
        ("geo", "from geo.routes import x", ROOT),
        ("geo", "import geo.inner.deep", ROOT),
        ("services/geo", "from geo.routes import x", f"{ROOT}/services"),
        ("services/geo", "from services.geo.routes import x", ROOT),
        ("geo", "from routes import x", ""),
        ("geo", "from geo.elsewhere import x", ""),
        ("redis", "import redis", ""),
    ],
)
def test_a_project_dir_that_is_a_package(
    folder: str, line: str, above: str, tmp_path: Path
) -> None:
    """What imports its own folder by name finds it: the folder above is on the module path."""
    files = {"main.py": f"{FASTAPI}{line}\n", "routes.py": "", "inner/deep.py": "", "redis.py": ""}
    plan = planned(tmp_path, files, "fastapi uvicorn", project_dir=folder)
    way = f"PYTHONPATH={above}:${{PYTHONPATH}} " if above else ""
    assert plan.shown["web"] == f"{way}{UVICORN} main:app"
    assert [one.working_dir for one in plan.processes] == [f"{ROOT}/{folder}"]


@pytest.mark.parametrize("manage", [MANAGE.format(settings="site.settings"), GENERIC_MANAGE])
def test_settings_of_the_environment(manage: str, tmp_path: Path) -> None:
    """The build's DJANGO_SETTINGS_MODULE goes before manage.py's, or stands in for it."""
    files = {
        **django(),
        "manage.py": manage,
        "site/live.py": 'WSGI_APPLICATION = "site.live_wsgi.app"\n',
        "site/live_wsgi.py": "",
    }
    planned(tmp_path, files, "django gunicorn")
    found = read_app_facts(AppFiles(tmp_path), "site.live").django
    assert found is not None and found.wsgi == "site.live_wsgi:app"


def test_settings_that_are_no_module(tmp_path: Path) -> None:
    """No path leads out of the app."""
    outside = 'WSGI_APPLICATION = "stolen.wsgi.app"\n'
    (tmp_path / "settings.py").write_text(outside)
    app = tmp_path / "app"
    planned(app, django(), "django gunicorn")
    for settings in (f"{tmp_path}/settings", "../settings", "..settings", "/settings"):
        found = read_app_facts(AppFiles(app), settings).django
        assert found is not None and found.wsgi == "site.wsgi:application"


def test_the_table_is_as_large_as_promised() -> None:
    """Forty cases at least; every framework answers through every server that may be installed."""
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_shell_and_no_migration(case: Case, tmp_path: Path) -> None:
    """No inferred process needs a shell; none but the wrapper's has variables; none migrates."""
    for process in planned(tmp_path, case.files, case.installed).processes:
        assert process.command[0] not in ("sh", "bash")
        assert "migrate" not in " ".join(process.command)
        if any("$" in word for word in process.command):
            assert process.command[:3] == (
                f"{VENV}/bin/python", "-IS", f"{VENV}/pycnb/launch_wrapper.py",
            )  # fmt: skip
            assert int(process.command[3]) == len(process.command) - 4


@pytest.mark.parametrize(
    ("command", "packages", "words"),
    [
        ("gunicorn app:app", "", "gunicorn is not installed. Add this line to requirements.txt"),
        ("A=1 waitress-serve app:app", "flask", "Add this line to requirements.txt: waitress"),
        ("gunicorm app:app", "gunicorn", "there is no gunicorm: did you mean gunicorn?"),
        ("python coutn.py", "", "there is no coutn.py in the app."),
        ("python count.py", "", ""),
        ("uvicorn app:app", "uvicorn", "by --host 0.0.0.0 --port $PORT"),
        ("gunicorn gone:app", "gunicorn", "neither the app nor its packages have a module gone."),
        ("gunicorn app:app", "gunicorn", ""),
        ("uwsgi --ini a.ini", "pyuwsgi", ""),
        ("node server.js", "", ""),
    ],
)
def test_a_procfile_that_cannot_start(
    command: str, packages: str, words: str, tmp_path: Path
) -> None:
    """What is plainly wrong is told, with the line."""
    files = {"Procfile": f"# first\nweb: {command}\n"}
    plan = planned(tmp_path, files, packages, absent=frozenset({"coutn.py", "gone"}))
    assert [words in text for text in plan.warnings] == ([True] if words else [])
    assert all(text.startswith("Procfile line 2: ") for text in plan.warnings)


def test_a_release_alone_is_no_default(tmp_path: Path) -> None:
    """Else starting the image would migrate, and end."""
    plan = planned(tmp_path, {"Procfile": "release: python manage.py migrate\n"}, "django")
    assert [(one.type, one.default) for one in plan.processes] == [("release", False)]
    assert any("no web process" in notice for notice in plan.notices)


def test_a_script_by_name(tmp_path: Path) -> None:
    """BP_PYTHON_SCRIPT's script is the process where nothing else is."""
    plan = planned(tmp_path, {"jobs/nightly.py": "print(1)\n"}, "", script="jobs/nightly.py")
    assert dict(plan.shown) == {"nightly": "python jobs/nightly.py"}
    assert [one.default for one in plan.processes] == [True]


@pytest.mark.parametrize("manager", [*MANAGERS, *FALLBACKS], ids=lambda manager: manager.NAME)
def test_the_line_to_add_is_the_managers(manager: object, tmp_path: Path) -> None:
    """The user is told what to write in the file that this app has."""
    name = getattr(manager, "NAME", "")
    plan = planned(tmp_path, {"app.py": FLASK}, "flask", how=how_to_add(name, read_settings({})))
    files = {
        "pip": "requirements.txt", "pipenv": "Pipfile", "setup.py": "setup.py",
        "pylock": "the lock is made from", "script": "the script's metadata",
    }  # fmt: skip
    (notice,) = (text for text in plan.warnings if "no server" in text)
    assert "gunicorn" in notice
    assert files.get(name, "pyproject.toml") in notice


def test_the_line_to_add_names_the_file_in_use() -> None:
    """BP_PIP_REQUIREMENT may name another file."""
    settings = read_settings({"BP_PIP_REQUIREMENT": "requirements/prod.txt more.txt"})
    how = how_to_add("pip", settings).format(package="gunicorn")
    assert how == "Add this line to requirements/prod.txt: gunicorn"


RELOADS = (
    ("gunicorn", {"app.py": FLASK}, "flask gunicorn", "gunicorn --reload app:app"),
    ("uvicorn", {"app.py": FASTAPI}, "fastapi uvicorn", UVICORN.replace(" ", " --reload ", 1) + " app:app"),
    ("hypercorn", {"app.py": QUART}, "quart hypercorn", HYPERCORN.replace(" ", " --reload ", 1) + " app:app"),
    ("granian", {"app.py": FASTAPI}, "fastapi granian", f"granian --reload --interface asgi {GRANIAN} app:app"),
    ("uwsgi", {"app.py": FLASK}, "flask uwsgi", UWSGI.replace(" ", " --py-autoreload 1 ", 1) + " app:app"),
    ("waitress, Flask's own", {"app.py": FLASK}, "flask waitress",
     "flask --app app:app run --host 0.0.0.0 --port ${PORT} --reload"),
    ("waitress, Django's own", django(), "django waitress", "python manage.py runserver 0.0.0.0:${PORT}"),
    ("no server at all", {"app.py": FLASK}, "flask",
     "flask --app app:app run --host 0.0.0.0 --port ${PORT} --reload"),
    ("streamlit", {"app.py": STREAMLIT}, "streamlit",
     f"streamlit run app.py {STREAMLIT_OPTIONS} --server.runOnSave true"),
    ("gradio", {"app.py": GRADIO}, "gradio",
     "GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=${PORT} gradio app.py"),
    ("Procfile", {"Procfile": "web: gunicorn -w 2 a:b\n"}, "gunicorn", "gunicorn --reload -w 2 a:b"),
    ("Procfile, python -m", {"Procfile": "web: python -m uvicorn a:b --port $PORT\n"}, "uvicorn",
     "python -m uvicorn --reload a:b --port ${PORT}"),
    ("Procfile, a variable before", {"Procfile": "web: A=1 uvicorn a:b\n"}, "uvicorn",
     "A=1 uvicorn --reload a:b"),
    ("Procfile, shell", {"Procfile": "web: a && b\n", "app.py": FLASK}, "flask gunicorn",
     "gunicorn --reload app:app"),
    ("Procfile, runserver", {"Procfile": "web: python manage.py runserver --noreload\n"}, "django",
     "python manage.py runserver"),
    ("Procfile with its own", {"Procfile": "web: a\nreload: b c\n"}, "", "b c"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("files", "packages", "command"), [row[1:] for row in RELOADS], ids=[row[0] for row in RELOADS]
)
def test_reload_process(
    files: Mapping[str, str], packages: str, command: str, tmp_path: Path
) -> None:
    """`reload` is the web process with the server's own reloader, and never the default."""
    plan = planned(tmp_path, files, packages, live_reload=True)
    assert plan.shown["reload"] == command
    assert not [one for one in plan.processes if one.type == "reload" and one.default]
    without = planned(tmp_path, files, packages)
    assert "reload" not in without.shown or "reload:" in files.get("Procfile", "")


def test_nothing_reloads(tmp_path: Path) -> None:
    """A warning says that there is no such process."""
    plan = planned(tmp_path, {"Procfile": "web: ./serve\n"}, "", live_reload=True)
    assert "reload" not in plan.shown
    assert "nothing is known to reload `./serve`" in plan.warnings[0]


def test_twisted_code_takes_no_time(tmp_path: Path) -> None:
    """Functions that call each other in more ways than could ever be followed; an app after them."""
    functions = "".join(
        f"def f{n}():\n" + f"    if f{n}:\n        return f{n + 1}()\n" * 30 for n in range(40)
    )
    files = {"app.py": FLASK + functions + "x = f0()\ndef create_app():\n    return f0()\n"}
    assert planned(tmp_path, files, "flask gunicorn").shown == {"web": "gunicorn app:app"}


def servers_table() -> str:
    """The table of docs/launch.md, of what the code does."""
    rows = ["| interface | installed | command |", "|---|---|---|"]
    wsgi = ("gunicorn", "waitress", "uwsgi", "pyuwsgi", "granian")
    asgi = (
        *("gunicorn uvicorn uvicorn-worker", "gunicorn uvicorn", "uvicorn", "hypercorn"),
        *("granian", "daphne", "gunicorn==25.0"),
    )
    for interface, title, names in (("wsgi", "WSGI", wsgi), ("asgi", "ASGI", asgi)):
        application = Application(
            framework="", interface=interface, path="main.py", module="main", name="app"
        )
        for name in names:
            words = servers.command(application, installed(name))
            assert words is not None, name
            shown = ", ".join(f"`{one}`" for one in name.partition("==")[0].split())
            newer = " 25 or newer" if "==" in name else ""
            rows.append(f"| {title} | {shown}{newer} | `{' '.join(words)}` |")
    return "\n".join([*rows, ""])


def test_documented_servers() -> None:
    """docs/launch.md lists every server, in the order in which they are taken."""
    text = (Path(__file__).resolve().parent.parent.parent / "docs" / "launch.md").read_text()
    between = text.partition("<!-- servers -->\n")[2].partition("<!-- /servers -->")[0]
    assert between == servers_table()


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("gunicorn --bind 127.0.0.1:5999 app:app", "--bind 0.0.0.0:$PORT"),
        ("gunicorn --bind [::1]:5999 app:app", "--bind 0.0.0.0:$PORT"),
        ("gunicorn --bind=localhost:80 app:app", "--bind 0.0.0.0:$PORT"),
        ("uvicorn app:app --port $PORT", "--host 0.0.0.0 --port $PORT"),
        ("python -m uvicorn app:app --host 127.0.0.1", "--host 0.0.0.0 --port $PORT"),
        ("hypercorn app:app", "--bind 0.0.0.0:$PORT"),
        ("daphne app:app", "--bind 0.0.0.0 --port $PORT"),
        ("granian app:app", "--host 0.0.0.0 --port $PORT"),
        ("flask --app app run", "--host 0.0.0.0 --port $PORT"),
        ("waitress-serve --listen=127.0.0.1:80 app:app", "--listen=0.0.0.0:$PORT"),
        ("gunicorn app:app", ""),
        ("gunicorn -b 127.0.0.1:80 -b 0.0.0.0:$PORT app:app", ""),
        ("waitress-serve app:app", ""),
        ("uvicorn app:app --host 0.0.0.0 --port $PORT", ""),
        ("uvicorn app:app --host $HOST", ""),
        ("uvicorn app:app --uds /run/app.sock", ""),
        ("UVICORN_HOST=:: uvicorn app:app", ""),
        ("hypercorn -c hypercorn.toml app:app", ""),
        ("flask db upgrade", ""),
        ("python app.py", ""),
    ],
)
def test_listening_options(command: str, options: str) -> None:
    """For servers that plainly listen for nobody but the container."""
    assert listening_options(command.split()) == options


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("gunicorn wsgi:app", "wsgi"),
        ("gunicorn mysite.wsgi --bind 0.0.0.0:$PORT --log-file -", "mysite.wsgi"),
        ("gunicorn --worker-class uvicorn.workers.UvicornWorker -w 4 api.main:app", "api.main"),
        ("gunicorn --log-file - mysite.wsgi:application", "mysite.wsgi"),
        ("DEBUG=1 python -m uvicorn --host 0.0.0.0 --port $PORT app:app", "app"),
        ("gunicorn --preload app:app", ""),
        ("gunicorn --chdir src app:app", ""),
        ("PYTHONPATH=src gunicorn app:app", ""),
        ("gunicorn -c python:conf app:app", ""),
        ("gunicorn -b unix:app.sock", ""),
        ("uvicorn app", ""),
        ("python app.py", ""),
        ("gunicorn", ""),
    ],
)
def test_served_module(command: str, module: str) -> None:
    """Only where the command says it for sure."""
    assert served_module(command.split()) == module
