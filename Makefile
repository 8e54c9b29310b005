# Every target works in a fresh clone. `make help` lists them.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
RUN := PYTHONPATH=src:scripts $(PY)
APP ?= examples/flask
IMAGE ?= my-app
RUNTIME ?= archive
ARCH ?=
SECONDS ?= 600

.PHONY: help venv demo image package release-list runtime-archive check test test-unit test-fuzz fuzz test-lifecycle test-managers test-pack clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

venv: $(VENV)/.done ## the development environment, from hash-locked requirements

$(VENV)/.done: requirements/dev.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: venv ## build APP into an image with the real lifecycle, start it, ask it for a page
	@$(RUN) scripts/demo.py --app $(APP)

image: venv ## build APP into IMAGE with pack and Docker
	@$(RUN) scripts/image.py --app $(APP) --image $(IMAGE)

package: venv ## the self-contained buildpack under dist/ (ARCH=amd64|arm64, RUNTIME=archive|host)
	@$(RUN) scripts/package.py $(if $(ARCH),--arch $(ARCH)) --runtime $(RUNTIME)

release-list: venv ## regenerate the list of Python releases
	@$(RUN) scripts/release_list.py

runtime-archive: venv ## pack an installed CPython: PYTHON=/path/to/python3.13 OUT=dir
	@$(RUN) scripts/runtime_archive.py --python $(PYTHON) --out $(OUT)

check: venv ## types and style
	$(PY) -m ruff check .
	$(PY) -m mypy

test: check test-unit test-fuzz test-lifecycle test-managers test-pack ## everything

test-unit: venv ## tables and properties: no network, no processes
	$(PY) -m pytest tests/unit -q

test-fuzz: venv ## odd files for every parser, a few of each
	$(PY) -m pytest tests/fuzz -q

fuzz: venv ## odd files for every parser, for SECONDS
	FUZZ_SECONDS=$(SECONDS) $(PY) -m pytest tests/fuzz -q -k odd_file -o timeout=0

test-lifecycle: venv ## the real lifecycle on this machine
	$(PY) -m pytest tests/lifecycle -q

test-managers: venv ## each package manager's lock, held to the tool itself
	$(PY) -m pytest tests/managers -q

test-pack: venv ## pack and Docker
	$(PY) -m pytest tests/pack -q

clean: ## remove what was made here
	rm -rf build dist $(VENV)
