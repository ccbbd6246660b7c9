# Everything a user or a developer types. `make demo` and `make test` need git, make and Python >= 3.11, nothing else.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test check photos bench lock clean

demo: $(VENV)/.demo            ## the main job on the embedded default: CPU, built-in benchmark, a report
	$(BIN)/editeval run config.yaml

test: $(VENV)/.dev             ## no GPU, no network, a few minutes on two cores
	$(BIN)/python -m pytest

check: $(VENV)/.dev            ## format, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py

photos: $(VENV)/.dev           ## real photographs with computable targets, for config_photos.yaml
	$(BIN)/python tools/make_photos.py photos

bench: $(VENV)/.dev            ## measured against simulated makespan, idle gaps, start-up, 100,000 samples
	$(BIN)/python bench/policies.py
	$(BIN)/python bench/idle_gap.py
	$(BIN)/python bench/large_benchmark.py
	$(BIN)/python bench/memory.py

$(VENV)/.demo: requirements/demo.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "editeval needs Python >= 3.11; set PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/demo.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml requirements/build.in
lock: $(VENV)/.dev             ## newer versions of everything, with their hashes
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --upgrade --extra classical --output-file requirements/demo.txt
	$(LOCK) --upgrade --extra classical --extra photos --extra dev --constraint requirements/demo.txt \
		--output-file requirements/dev.txt

clean:                         ## the environment and the caches; never outputs
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build src/*.egg-info
