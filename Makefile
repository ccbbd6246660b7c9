# Everything a user or a developer types. `make demo` and `make test` need git, make and Python >= 3.11, nothing else.

VENV := .venv
BIN := $(VENV)/bin
MODELS := .venv-models
OLDER := .venv-models-older
CLUSTER := .venv-cluster
TORCH ?= torch==2.13.0
PARALLEL := --numprocesses auto --maxprocesses 8 --dist loadfile
unexport PYTHONDONTWRITEBYTECODE  # else every process that a test starts would compile all of its modules
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Debian's packages that some tests drive; elsewhere install them by hand, and the targets find them.
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
INSTALL = $(SUDO) apt-get update --quiet && $(SUDO) apt-get install --yes --no-install-recommends

.PHONY: bench bench-gpu bench-judge bench-judge-tiny bench-stats browser-environment chaos chaos-short check clean demo docs environments lock newcomer photos test test-browser \
	test-cluster test-docs test-gpu test-models test-slow test-terminal test-versions

# Code 3: some edits fail, as the simulated editor is told to.
demo: $(VENV)/.demo            ## the main job on the embedded default: CPU, built-in benchmark, a report; then a better editor
	$(BIN)/editeval run config.yaml --name usual || test $$? = 3
	$(BIN)/editeval run config.yaml --name improved --set diffusion_model.params.skill=0.6 || test $$? = 3
	$(BIN)/editeval leaderboard
	$(BIN)/editeval compare usual improved

test: $(VENV)/.dev             ## no GPU, no network, a few minutes on two cores
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not models and not gpu and not browser and not cluster" --ignore tests/docs

test-slow: $(VENV)/.dev        ## the long ones, but for those of the other targets
	$(BIN)/python -m pytest $(PARALLEL) -m "slow and not models and not gpu and not browser and not cluster" --ignore tests/display/test_terminal.py

test-browser: $(VENV)/.browser ## the report and the viewer in headless Chromium; pictures go to outputs/screenshots
	command -v chromium >/dev/null || $(INSTALL) chromium fonts-dejavu-core fonts-noto-cjk
	$(BIN)/python -m pytest tests/browser -m browser -rs

test-terminal: $(VENV)/.dev    ## the live display in a real terminal; captures go to outputs/terminal
	command -v tmux >/dev/null || $(INSTALL) tmux
	$(BIN)/python -m pytest tests/display/test_terminal.py -rs

test-cluster: $(CLUSTER)/.done ## the Ray backend on a cluster of three nodes on this machine: nodes and head are killed
	$(CLUSTER)/bin/python -m pytest tests/cluster -m cluster -rs

test-models: $(MODELS)/.done   ## real diffusers and transformers code on tiny models built here, on the CPU
	$(MODELS)/bin/python -m pytest $(PARALLEL) tests/models -m "models and not gpu"

test-versions: $(OLDER)/.done  ## what every family sees, under the oldest transformers (under the newest: make test-models)
	$(OLDER)/bin/python -m pytest $(PARALLEL) tests/models/test_models_conditioning.py tests/models/test_models_conformance.py -m models

# On a GPU machine these two set up an environment of their own; GPU_PYTHON=python3 takes one that has torch already.
GPU_PYTHON ?= $(MODELS)/bin/python
GPU_READY := $(if $(filter $(MODELS)/%,$(GPU_PYTHON)),$(MODELS)/.done)
BENCH_MODEL ?= v1

test-gpu: $(GPU_READY)         ## what only a GPU can show: same bytes, devices, out of memory
	PYTHONPATH=src $(GPU_PYTHON) -m pytest tests/models -m gpu -rs

bench-gpu: $(GPU_READY)        ## seconds per image of the full-size architecture (BENCH_MODEL=plus: 2511)
	PYTHONPATH=src $(GPU_PYTHON) bench/gpu_editing.py --model $(BENCH_MODEL)

bench-judge: $(GPU_READY)      ## judgements per second of the full-size Qwen3-VL 8B and 30B-A3B, by batch size
	PYTHONPATH=src $(GPU_PYTHON) bench/judging.py
	PYTHONPATH=src $(GPU_PYTHON) bench/rewards.py

bench-judge-tiny: $(MODELS)/.done  ## ratios of a tiny judge on the CPU: a batch against one by one, common beginnings once; kept connections
	PYTHONPATH=src $(MODELS)/bin/python bench/judging.py --tiny --engines transformers --batches 1,4,16 --reply-tokens 16
	PYTHONPATH=src $(MODELS)/bin/python bench/keep_alive.py

chaos-short: $(VENV)/.dev      ## break runs in some thousand ways and print what held; under ten minutes on two cores
	PYTHONPATH=tests $(BIN)/python -m chaos short

chaos: $(VENV)/.dev            ## the same at every point there is; one to two hours
	PYTHONPATH=tests $(BIN)/python -m chaos full

check: $(VENV)/.dev            ## format, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py

docs: .venv-docs/.done         ## the documentation as a site: site/index.html, strict, without a network
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build --quiet --strict

test-docs: $(VENV)/.dev        ## commands, YAML, examples, links and figures of README and docs
	$(BIN)/python -m pytest $(PARALLEL) tests/docs

newcomer: $(VENV)/.dev         ## what a newcomer does first, from a wheel in an empty folder: seconds and commands of each step
	$(BIN)/python tools/newcomer.py

photos: $(VENV)/.dev           ## real photographs with computable targets, for config_photos.yaml
	$(BIN)/python tools/make_photos.py photos

bench: $(VENV)/.browser        ## measured against simulated makespan, idle gaps, start-up, 100,000 samples, the report
	$(BIN)/python bench/policies.py
	$(BIN)/python bench/simulate.py
	$(BIN)/python bench/idle_gap.py
	$(BIN)/python bench/start.py
	$(BIN)/python bench/run_end.py
	$(BIN)/python bench/large_benchmark.py
	$(BIN)/python bench/memory.py
	$(BIN)/python bench/display.py
	PYTHONPATH=tests/browser:tests/reports $(BIN)/python bench/report.py

bench-stats: $(VENV)/.dev      ## what decides, by simulation: type-I error, coverage, faults caught; PASS or FAIL for each target
	@failed=0; for one in comparing interval_coverage gates sweeps pair_ranking agreement_coverage; do \
	$(BIN)/python bench/$$one.py || failed=1; done; exit $$failed

environments: $(CLUSTER)/.done $(MODELS)/.done $(OLDER)/.done  ## those with Ray or torch; one of some GB each
browser-environment: $(VENV)/.browser

$(VENV)/.demo: requirements/demo.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "editeval needs Python >= 3.11; set PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/demo.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.browser: $(VENV)/.dev requirements/browser.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/browser.txt
	touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

.venv-docs/.done: requirements/docs.txt pyproject.toml
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Ray, and what its tests need; no torch.
$(CLUSTER)/.done: requirements/cluster.txt pyproject.toml
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Environments with torch, diffusers and transformers. TORCH names the build for your machine; everything else is hashed.
$(MODELS)/.done: requirements/models.txt $(VENV)/.demo
$(OLDER)/.done: requirements/models-older.txt $(VENV)/.demo
$(MODELS)/.done $(OLDER)/.done:
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	--no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE) pyproject.toml requirements/build.in
LOCK_MODELS = $(LOCK) --override requirements/no-torch.in --extra dev requirements/models.in
UPGRADE ?= --upgrade
lock: $(VENV)/.dev             ## newer versions of everything, with their hashes (UPGRADE= keeps what there is)
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --output-file requirements/demo.txt
	$(LOCK) --extra photos --extra dev --constraint requirements/demo.txt --output-file requirements/dev.txt
	$(LOCK) --extra browser --constraint requirements/dev.txt --output-file requirements/browser.txt
	$(LOCK) --extra ray requirements/cluster.in --constraint requirements/dev.txt --output-file requirements/cluster.txt
	$(LOCK) requirements/docs.in --constraint requirements/dev.txt --output-file requirements/docs.txt
	$(LOCK_MODELS) --constraint requirements/dev.txt --output-file requirements/models.txt
	$(LOCK_MODELS) requirements/older.in --output-file requirements/models-older.txt

clean:                         ## the environment and the caches; never outputs
	rm -rf $(VENV) $(MODELS) $(OLDER) $(CLUSTER) .venv-docs site .pytest_cache .mypy_cache .ruff_cache .hypothesis build src/*.egg-info
