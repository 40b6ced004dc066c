# rs3gw: `make` lists the targets.
SHELL := /bin/bash
VENV := .venv
CLIENTS := .venv-clients
PYTHON ?= python3
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
DEMO := .demo
# Static checks import the settings; they need a key that nobody uses and no database of a node.
LINT_ENV := env RS3GW_SECRET_KEY=for-static-checks-only-0123456789abcdef RS3GW_DATABASE_URL=sqlite:///$(CURDIR)/.mypy_cache/lint.sqlite3

.DEFAULT_GOAL := help
.PHONY: help setup apt run stop test lint fmt unit property simulate integration integration-postgres probe clients s3-clients browser crash chaos soak gossip-sim bench lock clean

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

setup: $(VENV)/.installed ## install what the project needs into .venv

$(VENV)/.installed: requirements.txt requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	touch $@

apt: ## install the Debian packages that the tests need, where they are missing
	bash .ci/apt.sh

run: setup ## start the demo: three nodes in us-east-1, one in eu-west-1
	$(BIN)/python manage.py devcluster up --dir $(DEMO)

stop: ## stop the demo
	$(BIN)/python manage.py devcluster down --dir $(DEMO)

test: setup apt lint ## everything that CI runs
	bash .ci/test.sh

lint: setup ## format, style, types, layers, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(LINT_ENV) $(BIN)/mypy rs3gw cluster replication
	$(BIN)/lint-imports --no-logo
	$(LINT_ENV) $(BIN)/python manage.py check
	$(LINT_ENV) $(BIN)/python manage.py makemigrations --check --dry-run

fmt: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

unit: setup ## pure code, no database
	$(PYTEST) tests/unit tests/test_*.py

property: setup ## laws, by Hypothesis
	$(PYTEST) tests/property

simulate: setup ## the seeded simulator; SEED=n replays one, SCHEDULES=n runs as many
	$(if $(SCHEDULES),RS3GW_SIM_SCHEDULES=$(SCHEDULES)) $(PYTEST) tests/simulation \
		$(if $(SEED),-s -k "deletes_stay_deleted_and")

integration: setup ## everything with a database, on SQLite
	$(PYTEST) tests/integration

integration-postgres: setup apt ## the same on a PostgreSQL of its own
	$(PYTEST) tests/integration --database postgres

probe: setup apt ## real nodes as processes
	$(PYTEST) tests/probe

browser: setup ## the admin in a real browser
	$(PYTEST) tests/browser

clients: setup apt ## boto3, aws-cli, rclone and s3cmd against real nodes
	$(PYTEST) tests/probe/test_clients.py

s3-clients: setup $(CLIENTS)/.installed ## many S3 clients over HTTP and TLS; writes docs/s3-clients.md
	$(BIN)/python -m tests.clients.matrix --write-docs

$(CLIENTS)/.installed: $(wildcard tests/clients/requirements*.txt) tests/clients/js/package.json
	bash tests/clients/apt.sh
	test -x $(CLIENTS)/bin/python || $(PYTHON) -m venv $(CLIENTS)
	test -x .clients/s3fs/bin/python || $(PYTHON) -m venv .clients/s3fs
	$(CLIENTS)/bin/pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
	.clients/s3fs/bin/pip install --quiet --disable-pip-version-check -r tests/clients/requirements-s3fs.txt
	cp tests/clients/js/package.json .clients/
	npm install --prefix .clients --no-audit --no-fund --no-package-lock --loglevel=error
	touch $@

crash: setup apt ## 200 kills of a loaded node, on each database, and proof that faults are caught; SEED=n replays one
	$(BIN)/python -m tests.crash.run --kills 200 --prove $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.crash.run --kills 50 --database postgres $(if $(SEED),--seed $(SEED))

chaos: setup apt ## real nodes under real faults, as root; WORDS="-k killed" runs a part
	$(BIN)/python -m tests.chaos.lab.able && $(PYTEST) tests/chaos $(WORDS) || test $$? -eq 77

gossip-sim: setup ## gossip and failure detection of up to 1000 pretended nodes; writes docs/gossip.md
	$(BIN)/python -m tests.bench.gossip_sim

soak: setup apt ## MINUTES=20 of load on five nodes, a fault in each, as root; SEED=n repeats
	$(BIN)/python -m tests.chaos.lab.able && $(BIN)/python -m tests.chaos.soak $(or $(MINUTES),20) $(if $(SEED),--seed $(SEED)) || test $$? -eq 77

bench: setup ## measure the HTTP server beside granian, and a node beside moto
	test -x .venv-bench/bin/moto_server || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	$(BIN)/python tests/bench/server_bench.py
	$(BIN)/python -m tests.bench.s3_bench

lock: setup ## compile the pinned requirements from pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-find-links --no-emit-index-url --output-file requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-find-links --no-emit-index-url --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

clean: ## remove what the targets made
	rm -rf $(VENV) .venv-bench $(CLIENTS) .clients $(DEMO) .mypy_cache .ruff_cache .import_linter_cache .hypothesis
