# `make` prints this list. Every target can be repeated.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
CLUSTER := $(BIN)/python hack/cluster
# Stopping must work on a checkout without (or with a broken) .venv too.
CLUSTER_STOP = $$($(BIN)/python -c '' 2>/dev/null && echo $(BIN)/python || echo $(PYTHON)) hack/cluster down
STAMP := .venv/.installed
# Debian's python3 makes a .venv without pip, and fails, unless python3-venv is there; half a .venv is never gone on with.
NEW_VENV = rm -rf .venv && $(PYTHON) -m venv .venv >/dev/null && $(BIN)/python -m pip --version >/dev/null
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600
GET_VENV = test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "installing python3-venv" && { $(APT) update || true; } && \
  $(APT) install --yes --no-install-recommends --no-remove python3-venv >/dev/null
LAYERS := unit golden contract process simulate media cluster e2e

help: ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}'

WHEELFILES := worker-image/videojob_worker/vision/models.json tests/support/photographs.json

$(STAMP): pyproject.toml $(WHEELFILES)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; this is " + sys.version.split()[0])'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(NEW_VENV); } || { $(GET_VENV) && $(NEW_VENV); } || { \
	  rm -rf .venv; \
	  echo "$(PYTHON) cannot make a virtual environment: install the package python3-venv (Debian, Ubuntu), then run make again" >&2; \
	  exit 1; }
	@echo "installing the project and its tools into .venv"
	@$(BIN)/python -m pip install -q --upgrade pip
	@$(BIN)/python -m pip install -q -e '.[dev]'
	@$(BIN)/python hack/wheelfiles.py worker-image/videojob_worker/vision/models.json .venv/share/videojob/models
	@$(BIN)/python hack/wheelfiles.py tests/support/photographs.json .venv/share/videojob/photographs
	@touch $@

venv: $(STAMP) ## Make the virtual environment .venv

check: $(STAMP) ## Format, lint, types, import rule, fast tests (below a minute, no root)
	@test ! -e operator/__init__.py || { echo "operator/__init__.py shadows the standard module operator: delete it"; exit 1; }
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 3
	@$(BIN)/pytest -q -n auto --dist worksteal tests/unit tests/golden tests/contract

fix: $(STAMP) ## Format and mend what can be mended by itself
	@$(BIN)/ruff check -q --fix . || true
	@$(BIN)/ruff format -q .

generate: $(STAMP) ## Write everything that is generated: CRDs, reference, chart copies
	@$(BIN)/python hack/generate.py

packages: ## Install FFmpeg, voices and fonts from Debian packages if they are missing
	@command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null && test -d /usr/share/fonts/truetype/vlgothic \
	  && ls /usr/lib/*/espeak-ng-data >/dev/null 2>&1 \
	  || $(PYTHON) hack/cluster packages

cluster: $(STAMP) ## Start a real Kubernetes: kind where an engine answers, else on this host (root)
	@$(CLUSTER) up

cluster-down: ## Stop it and clean up behind it
	@$(CLUSTER_STOP)

images: $(STAMP) ## Build the operator's and the worker's image and load them into the cluster
	@$(CLUSTER) images

image-vision: $(STAMP) ## Build the worker's image for mounted weights: EXTRA=yolo|vision ACCELERATOR=cpu|cuda (see its Containerfile)
	@$(CLUSTER) images --only worker-vision

demo: $(STAMP) ## From nothing to VideoJobs on a real cluster; the videos land in demo-output/
	@$(BIN)/python hack/demo/demo.py

test: $(STAMP) ## All layers: unit, golden, contract, process, simulate, media, cluster, e2e (root or an engine)
	@$(CLUSTER) ready
	@$(MAKE) --no-print-directory packages
	@$(BIN)/pytest -q -n 2 --dist loadscope --no-loadscope-reorder --cov --cov-report=term --durations 25 --durations-min 5 $(LAYERS:%=tests/%)

test-vision: $(STAMP) ## YOLO by its real library, trained in the test (brings 6 GB into .venv-vision)
	@test -x .venv-vision/bin/python || $(PYTHON) -m venv .venv-vision
	@.venv-vision/bin/python -m pip install -q -e '.[dev,yolo]'
	@.venv-vision/bin/pytest -q tests/vision

figures-vision: $(STAMP) ## Print how well people are found and cut out on photographs that packages carry
	@$(BIN)/pytest -q -p no:cacheprovider tests/media/test_vision_people.py tests/media/test_vision_matting.py tests/media/test_vision_filming.py

simulate: $(STAMP) ## The long simulation
	@$(BIN)/pytest -q tests/simulate --seeds 20000

figures: $(STAMP) ## Print the measured tables: stage transitions, API writes by writer
	@$(BIN)/python hack/bench/transitions.py

figures-story: $(STAMP) packages ## Print what a story takes on the cluster, and what one changed picture or sentence takes then
	@$(BIN)/python hack/bench/storycluster.py

figures-kopf: $(STAMP) ## Print what kopf's other features would write for one object
	@$(BIN)/python hack/bench/kopf_writes.py

figures-estimate: $(STAMP) packages ## Print how far status.estimate is off over 20 VideoJobs, run without a cluster
	@$(BIN)/python hack/bench/estimate.py

bench-story: $(STAMP) packages ## Print how fast a story is made, beside the encoder alone (PEERS=1: beside MoviePy and zoompan, with VMAF; QUALITY=Standard)
	@$(BIN)/python hack/bench/story.py $(if $(PEERS),--peers) $(if $(QUALITY),--quality $(QUALITY))

bench-quality: $(STAMP) packages ## Print what presets and CRFs give and cost: VMAF, bit rate, CPU time
	@$(BIN)/python hack/bench/quality.py

bench-avatar: $(STAMP) packages ## Print what a warm worker spares, and how near twenty avatars come to what their slots allow (with YOLO after make test-vision)
	@$(BIN)/python hack/bench/avatar.py $(if $(wildcard .venv-vision/bin/python),--yolo .venv-vision/bin/python)

bench-motion: $(STAMP) packages ## Print what a moving frame costs by each way to make it
	@$(BIN)/python hack/bench/motion.py

clean: ## Remove what was built in this checkout (caches outside it stay)
	@$(CLUSTER_STOP) || true
	@rm -rf .venv .venv-vision .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build demo-output .cluster

.PHONY: help venv check fix generate packages cluster cluster-down images image-vision demo test test-vision simulate figures figures-vision figures-story figures-kopf figures-estimate bench-story bench-quality bench-avatar bench-motion clean
