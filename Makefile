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
OFFLINE ?=
RELEASES ?=
ROUNDS ?= 3
PUBLISH ?=
# A module's tests stay together: they share what was made once for them.
PARALLEL := -n auto --dist loadscope

.PHONY: help venv demo image package release-list runtime-archive bench check test test-unit test-fuzz fuzz test-lifecycle test-managers test-security test-pack test-kpack clean buildpackage release-list-latest release

# Runs a suite, and notes how long it took for the summary of `make test` and .ci/run.
# What fails is run once more by itself: a loaded machine may have been too slow for a time-out.
define suite
@mkdir -p build; started=$$(date +%s); $(PY) -m pytest $(1) -q $(2) || $(PY) -m pytest $(1) -q --last-failed; code=$$?; \
took="$@: $$(($$(date +%s) - started)) s"; echo "$$took"; echo "$$took" >> build/times.txt; exit $$code
endef

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

venv: $(VENV)/.done ## the development environment, from hash-locked requirements

# A link leads to an environment that others use too: never emptied, never changed.
$(VENV)/.done: requirements/dev.txt
	@if [ -L $(VENV) ]; then \
	    echo "$(VENV) is a link: left as it is (requirements/dev.txt may be newer)"; \
	else \
	    $(PYTHON) -m venv --clear $(VENV) && \
	    $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt && \
	    touch $@; \
	fi

demo: venv ## build APP into an image with the real lifecycle, start it, ask it for a page
	@$(RUN) scripts/demo.py --app $(APP) --runtime $(RUNTIME)

image: venv ## build APP into IMAGE with pack and Docker
	@$(RUN) scripts/image.py --app $(APP) --image $(IMAGE) --runtime $(RUNTIME)

package: venv ## the self-contained buildpack under dist/ (ARCH=amd64|arm64 RUNTIME=archive|host OFFLINE="3.12 3.13" RELEASES=list)
	@$(RUN) scripts/package.py $(if $(ARCH),--arch $(ARCH)) --runtime $(RUNTIME) \
	    --offline "$(OFFLINE)" --releases "$(RELEASES)" $(if $(OUT),--out $(OUT))

buildpackage: venv ## .cnb files for amd64 and arm64; PUBLISH=registry/name: one image for both
	@$(RUN) scripts/buildpackage.py --publish "$(PUBLISH)" --offline "$(OFFLINE)" \
	    --releases "$(RELEASES)" $(if $(OUT),--out $(OUT))

release-list: venv ## regenerate the list of Python releases
	@$(RUN) scripts/release_list.py

.PHONY: error-docs
error-docs: venv ## regenerate docs/errors.md from the code
	@$(RUN) scripts/error_docs.py

.PHONY: golden
golden: venv ## rewrite tests/lifecycle/golden, the logs that people read, after a change of a text
	GOLDEN=write $(PY) -m pytest tests/lifecycle/test_logs.py -q

release-list-latest: venv ## the same, from the newest pbs-installer, which becomes the pinned one
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(VENV)/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.10 \
	    --no-header --no-annotate --upgrade-package pbs-installer --output-file requirements/dev.txt requirements/dev.in
	$(MAKE) --no-print-directory venv release-list

release: venv ## prepare a release: VERSION=X.Y.Z
	@$(RUN) scripts/release.py --version "$(VERSION)" --releases "$(RELEASES)"

# PYTHON is what is packed, which may be too old for the environment.
runtime-archive: ## pack an installed CPython: PYTHON=/path/to/python3.13 (else python3) OUT=runtimes
	@$(MAKE) --silent venv PYTHON=python3
	@$(RUN) scripts/runtime_archive.py --python $(PYTHON) --out $(or $(OUT),runtimes)

bench: venv ## measure against the plain recipe: pip in a virtual environment (ROUNDS=3)
	@PYTHONPATH=src:scripts:. $(PY) scripts/bench.py --rounds $(ROUNDS)

.PHONY: fleet fleet-builds
fleet: venv ## 10,000 apps after a runtime patch and after a buildpack release: bytes, storage, hours
	@$(PY) benchmarks/fleet.py

fleet-builds: venv ## measure what `make fleet` starts from, and hold what it says to real builds
	@PYTHONPATH=src:scripts:. $(PY) benchmarks/fleet_builds.py

check: venv ## types and style
	$(PY) -m ruff check .
	$(PY) -m mypy

test: ## everything, with a summary of the times
	@rm -f build/times.txt
	@$(MAKE) --no-print-directory check test-unit test-fuzz test-lifecycle test-managers test-security test-pack; \
	code=$$?; cat build/times.txt 2>/dev/null; exit $$code

test-unit: venv ## tables and properties: no network, no processes
	$(call suite,tests/unit,$(PARALLEL))

test-fuzz: venv ## odd files for every parser, a few of each
	$(call suite,tests/fuzz)

fuzz: venv ## odd files for every parser, for SECONDS
	FUZZ_SECONDS=$(SECONDS) $(PY) -m pytest tests/fuzz -q -k odd_file -o timeout=0

test-lifecycle: venv ## the real lifecycle on this machine
	$(call suite,tests/lifecycle,$(PARALLEL))

test-managers: venv ## each package manager's lock, held to the tool itself
	$(call suite,tests/managers,$(PARALLEL))

test-security: venv ## secrets, faults, hostile apps
	$(call suite,tests/security,$(PARALLEL))

test-pack: venv ## pack and Docker
	$(call suite,tests/pack)

.PHONY: kpack-programs
kpack-programs: venv ## Kubernetes and kpack, which test-kpack needs, built once per machine
	@$(RUN) scripts/kpack.py --programs

test-kpack: venv ## kpack on a Kubernetes of one node, with the manifests of deploy/kpack (needs root)
	@$(RUN) scripts/kpack.py
	$(call suite,tests/kpack)

clean: ## remove what was made here
	rm -rf build dist $(VENV)
