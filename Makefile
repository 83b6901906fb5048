# normlab: every job a person does. `make help` is the manual.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c

SCALE ?= quick
JOBS ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
LAUNCHER ?= joblib
ADDRESS ?= null
RESULTS ?= results
PYTHON ?= python3
ARGS ?=
SECTION ?=
DEVICE ?= cpu
DATA ?= cifar10
NET ?= resnet
BATCH ?= 128
OPEN ?=

PY := .venv/bin/python
NORMLAB = $(PY) -m normlab
READY := .venv/.ready
BENCH_READY := .venv/.bench-ready
DOCS_READY := .venv/.docs-ready
COMPARE_READY := .venv/.compare-ready
LAUNCH_joblib := hydra/launcher=joblib hydra.launcher.n_jobs=$(JOBS)
LAUNCH_basic := hydra/launcher=basic
LAUNCH_slurm := hydra/launcher=submitit_slurm sweep.workers=$(JOBS) hydra.launcher.array_parallelism=$(JOBS)
LAUNCH_ray := hydra/launcher=ray hydra.launcher.n_jobs=$(JOBS) hydra.launcher.address=$(ADDRESS)
# Names of folders and further arguments go by the environment: on a shell's line spaces, quotes and brackets would break them.
WITH_RESULTS := reproduce train sweep report report-pack readme claim trial choose compare bench cost status dashboard wandb-publish gpu-pack gpu-merge
$(WITH_RESULTS): export NORMLAB_RESULTS = $(value RESULTS)
train sweep trial choose compare data: export NORMLAB_ARGS = $(value ARGS)
R := "$$NORMLAB_RESULTS"
LAUNCH = $(or $(LAUNCH_$(LAUNCHER)),$(error unknown LAUNCHER=$(LAUNCHER); there are joblib, basic, ray, slurm))

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@awk '/^#   / {sub(/^# /, ""); print}' $(MAKEFILE_LIST)

# Variables:
#   SCALE=quick|cpu|gpu     how large (quick: embedded digits; cpu: MNIST and CIFAR-10)
#   EXPERIMENT=name         one of those that `make status` lists
#   CLAIM=id                one claim of the report
#   NORM=name MINUTES=n     a norm on trial, and for how long; ARGS are its options, such as ARGS="norm.num_groups=4"
#   JOBS=n                  processes of a sweep (default: one a core)
#   LAUNCHER=joblib|basic|ray|slurm
#                           local processes, everything in one process, Ray tasks (.venv/bin/pip install -e ".[ray]"), or Slurm
#                           array jobs (.venv/bin/pip install -e ".[slurm]"; ARGS="hydra.launcher.partition=... hydra.launcher.timeout_min=...")
#   ADDRESS=host:port       of a Ray cluster (default: one is started on this machine)
#   ARGS="..."              Hydra overrides, such as ARGS="norm=group data=cifar10 optimizer.lr=0.1"
#   DATA=name NET=name BATCH=n
#                           of a choice: a data set or a folder of images, a net or one of your own (./my_nets.py:MyNet)
#   DATA_DIR=folder         where data files lie (default: data), in torchvision's layouts or normlab's own
#   SECTION=name[,name]     of the bench: floor, loop, peers, overhead, scaling, norms, start, load, pages, tracker, gpu (default: all)
#   DEVICE=cpu|cuda         of the bench; cuda measures the section gpu
#   RESULTS=folder          where results go (default: results)
#   OPEN=1                  have the report's page opened in a browser

.PHONY: reproduce
reproduce: setup ## every experiment at SCALE, then the report: the verdicts on this machine
	@$(NORMLAB) reproduce --scale $(SCALE) --results $(R) -- $(LAUNCH)

.PHONY: setup
setup: $(READY) ## make .venv and install normlab in it

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("error: normlab needs Python 3.11 or newer; give one with PYTHON=..." if sys.version_info < (3, 11) else 0)'
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@echo "installing normlab (some minutes the first time)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $(READY)

.PHONY: data
data: setup ## fetch and verify MNIST, Fashion-MNIST, CIFAR-10, and small sets of series and ratings
	@$(NORMLAB) data

.PHONY: train
train: setup ## one run: make train ARGS="norm=group data=cifar10"
	@$(NORMLAB) train scale=$(SCALE)

.PHONY: sweep
sweep: setup ## what is missing of one experiment: make sweep EXPERIMENT=placement SCALE=cpu
	@test -n "$(EXPERIMENT)" || { echo "error: say which experiment, EXPERIMENT=one of: $$(echo $$($(PY) scripts/designed.py $(SCALE)))" >&2; exit 2; }
	@$(NORMLAB) train -m experiment=$(EXPERIMENT) scale=$(SCALE) $(LAUNCH)

.PHONY: report
report: setup ## verdicts, tables, figures and the page from the runs that are there
	@$(NORMLAB) report --scale $(SCALE) --results $(R) $(if $(OPEN),--open)

.PHONY: report-pack
report-pack: setup ## the report as one archive for any static host: normlab-SCALE.zip
	@$(NORMLAB) report --scale $(SCALE) --results $(R) --pack normlab-$(SCALE).zip

.PHONY: readme
readme: setup ## write the verdict table of SCALE into README.md
	@$(PY) scripts/readme.py $(SCALE) $(R)

.PHONY: claim
claim: setup ## run what one claim lacks, show its verdict and figure: make claim CLAIM=before-is-better
	@test -n "$(CLAIM)" || { echo "error: say which claim, CLAIM=<id>; the report lists them" >&2; exit 2; }
	@$(NORMLAB) claim "$(CLAIM)" --scale $(SCALE) --results $(R) -- $(LAUNCH)

.PHONY: trial
trial: setup ## your norm on trial: make trial NORM=./my_norms.py:MyNorm SCALE=cpu MINUTES=30
	@test -n "$(NORM)" || { echo "error: say which norm, NORM=./my_norms.py:MyNorm or my_pkg.MyNorm" >&2; exit 2; }
	@$(NORMLAB) trial "$(NORM)" --scale $(SCALE) --results $(R) $(if $(MINUTES),--minutes $(MINUTES)) --jobs $(JOBS) $(if $(OPEN),--open)

.PHONY: choose
choose: setup ## which norm for your images and net: make choose DATA=./flowers NET=resnet BATCH=16 MINUTES=20
	@$(NORMLAB) choose --data "$(DATA)" --net "$(NET)" --batch $(BATCH) --results $(R) $(if $(MINUTES),--minutes $(MINUTES)) --jobs $(JOBS) $(if $(OPEN),--open)

.PHONY: compare
compare: setup ## two norms from the runs that are there: make compare ARGS="batch my_pkg.MyNorm"
	@$(NORMLAB) compare --scale $(SCALE) --results $(R)

.PHONY: docs
docs: $(DOCS_READY) ## the manual as pages, with the reference from the docstrings: site/index.html
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "manual: site/index.html"

$(DOCS_READY): $(READY)
	@$(PY) -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	@touch $(DOCS_READY)

.PHONY: bench
bench: $(BENCH_READY) ## how fast, against floor, peers and bars (a quarter of an hour; needs `make data`)
	@$(NORMLAB) bench $(SECTION) --device $(DEVICE) --results $(R)

$(BENCH_READY): $(READY)
	@$(PY) -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	@touch $(BENCH_READY)

.PHONY: cost
cost: setup ## what each method costs in time and memory; nothing else may run beside it
	@$(NORMLAB) train -m experiment=cost scale=$(SCALE) $(LAUNCH)
	@$(NORMLAB) report --scale $(SCALE) --results $(R) $(if $(OPEN),--open)

.PHONY: gpu-pack
gpu-pack: setup ## folders for a GPU machine without a network; there: OUT=out BUDGET=540 bash gpu_run.sh
	@$(PY) scripts/gpu.py pack --results $(R)

.PHONY: gpu-merge
gpu-merge: setup ## take what came back into the store: make gpu-merge FROM=folder
	@test -n "$(FROM)" || { echo "error: say where the records lie, FROM=<folder>" >&2; exit 2; }
	@$(PY) scripts/gpu.py merge "$(FROM)" --results $(R)

.PHONY: status
status: setup ## done, failed, running and left of every experiment, with the time left
	@$(NORMLAB) status --scale $(SCALE) --results $(R)

.PHONY: lock
lock: setup ## renew experiments/claims.lock after a claim was meant to change
	@$(PY) scripts/lock.py

.PHONY: unseen
unseen: setup ## draw settings to be tried on unseen data, and write down what is predicted there
	@$(PY) scripts/unseen.py $(SCALE) $(R)

.PHONY: simulate
simulate: setup ## the protocol tried on worlds whose truth is known (some minutes)
	@$(PY) scripts/simulate.py --results $(R)

.PHONY: wandb-publish
wandb-publish: setup ## the store's reported runs, verdicts and figures into W&B, or files without a key: EXPERIMENT=name[,name]
	@$(NORMLAB) wandb publish --scale $(SCALE) --results $(R) $(if $(EXPERIMENT),--experiments "$(EXPERIMENT)")

.PHONY: dashboard
dashboard: setup ## build the W&B workspace and report as code; pushed when a key is there
	@$(NORMLAB) dashboard --scale $(SCALE) --results $(R)

.PHONY: test
test: setup ## the tests (minutes)
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n $(JOBS) $(ARGS)  # workers with several threads each would wait for one another

.PHONY: test-pythons
test-pythons: ## the tests on every other Python that is here, of 3.11 to 3.13 (each in a .venv of its own; minutes each)
	@for version in 3.11 3.12 3.13; do
	  command -v python$$version >/dev/null || { echo "python$$version is not here"; continue; }
	  python$$version -c '' 2>/dev/null || { echo "python$$version does not start"; continue; }
	  test -x .venv-$$version/bin/python || python$$version -m venv .venv-$$version
	  .venv-$$version/bin/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	  echo "python$$version:"; .venv-$$version/bin/python -m pytest -q -n auto $(ARGS)
	done

.PHONY: test-browser
test-browser: setup ## the report's pages in a real Chromium: width, accessibility, search and drawings (minutes; skipped without one)
	@$(PY) -m pip install --quiet --disable-pip-version-check -e ".[dev,browser]"
	@$(PY) -m pytest -m browser tests/site $(ARGS)

.PHONY: site-assets
site-assets: ## bundle the pages' scripts from src/normlab/site/web (needs Node.js with npm)
	@cd src/normlab/site/web && npm ci --no-audit --no-fund --silent && node build.mjs

.PHONY: test-slow
test-slow: $(COMPARE_READY) ## the tests that take longer, and comparisons with other packages' implementations
	@$(PY) -m pytest -m "slow or compare" $(ARGS)

.PHONY: test-faults
test-faults: setup ## real faults in many rounds: killed processes, full disks, hostile files (a quarter of an hour)
	@$(PY) -m pytest -m "faults or not faults" tests/faults $(ARGS)

.PHONY: test-cluster
test-cluster: setup ## sweeps on a real Ray cluster and a real Slurm on this machine, a node of which is killed
	@if $(PY) -m pip install --quiet --disable-pip-version-check -e ".[ray,slurm]"; then
	  $(PY) -m pytest -m cluster tests/cluster $(ARGS)
	else
	  echo "skipped: the packages of the extras ray and slurm cannot be had here"
	fi

$(COMPARE_READY): $(READY)
	@$(PY) -m pip install --quiet --disable-pip-version-check -e ".[compare]"
	@touch $(COMPARE_READY)

.PHONY: lint
lint: setup ## style, types, one-way imports, and whether the claims match their lock
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check . || { echo 'error: run .venv/bin/ruff format .' >&2; exit 1; }
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache
	@$(PY) scripts/lock.py --check

.PHONY: clean
clean: ## remove the virtual environment, caches and the local results of SCALE=quick (data and committed results stay)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache results/quick
	@find . -name __pycache__ -not -path './data/*' -prune -exec rm -rf {} +
