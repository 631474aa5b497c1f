# `make` prints this list. Every target can be repeated.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
CLUSTER := $(PYTHON) hack/cluster
STAMP := .venv/.installed

help: ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the project and its tools into .venv"
	@$(BIN)/python -m pip install -q --upgrade pip
	@$(BIN)/python -m pip install -q -e '.[dev]'
	@touch $@

venv: $(STAMP) ## Make the virtual environment .venv

check: $(STAMP) ## Format, lint, types, import rule, fast tests (below a minute, no root)
	@test ! -e operator/__init__.py || { echo "operator/__init__.py shadows the standard module operator: delete it"; exit 1; }
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 3
	@$(BIN)/pytest -q tests/unit tests/golden tests/contract

fix: $(STAMP) ## Format and mend what can be mended by itself
	@$(BIN)/ruff check -q --fix . || true
	@$(BIN)/ruff format -q .

generate: $(STAMP) ## Write everything that is generated: CRDs, reference, chart copies
	@$(BIN)/python hack/generate.py

.PHONY: help venv check fix generate
