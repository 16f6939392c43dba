# Two commands need nothing but Python 3.11+ and make: `make demo` and `make test`.
# The rest is for whoever works on the code.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Two workers suit two cores; more processes than cores make a slow test slower.
WORKERS ?= 2
# One lock for all that we support: Pythons from 3.11 on, and every kind of machine.
LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-annotate --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help demo serve prometheus test lint types layers format lock test-image test-kubernetes bench clean

help: ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.installed ## Run the janitor against a sandbox with a believable mess
	$(BIN)/janitor demo

serve: $(VENV)/.installed ## The same, and then go on as a daemon that Prometheus can scrape
	$(BIN)/janitor demo --serve

prometheus: $(VENV)/.installed-test ## A Prometheus (Debian's) that scrapes that daemon, on port 9090
	PYTHONPATH=tests $(BIN)/python -m support.prometheus_pages \
		--config.file=deploy/prometheus/prometheus.yml \
		--storage.tsdb.path=.tools/prometheus-data --web.listen-address=127.0.0.1:9090

test: lint types layers ## Check style, types and layers, and run all tests
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(VENV)/.installed-test ## Check style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-test ## Check types
	$(BIN)/mypy

layers: $(VENV)/.installed-test ## Check that nothing imports what it must not
	$(BIN)/lint-imports

format: $(VENV)/.installed-test ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.installed-test ## Pin what the image contains, newest first, in deploy/*.lock
	$(BIN)/uv pip compile $(LOCK) --extra dask --extra k8s --extra postgres -o deploy/requirements.lock pyproject.toml
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | $(BIN)/uv pip compile $(LOCK) -o deploy/build.lock -

test-image: $(VENV)/.installed-test ## Build the image from Debian and run it, without a registry (root, 10 minutes)
	$(BIN)/python -m pytest -o timeout=1800 -rs tests/deploy/image_build.py

test-kubernetes: $(VENV)/.installed-test ## Test against a real kube-apiserver, which the first time is built (Debian, 5 minutes)
	$(BIN)/python tests/support/apiserver.py
	$(BIN)/python -m pytest tests/kubernetes

bench: $(VENV)/.installed-test ## Measure beside other programs, and write docs/performance.md anew (an hour or two)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	PYTHONPATH=tests $(BIN)/python -m benchmarks all

clean: ## Remove the environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@
