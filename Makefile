# Everything here works on a fresh Debian with Python 3.11 (python3, python3-venv) and make.
# The first run of a target makes its environment; a stamp file lets the next ones start at once.

PYTHON ?= python3
DATA ?= ./data
ADDRESS ?= 127.0.0.1:9000
ARGS ?=
TESTS ?= tests
JOBS ?= 2

BIN := .venv/bin
UV := $(BIN)/uv

.PHONY: help serve demo test test-fast crash lint format bench clean environments

help:
	@echo "make serve [DATA=./data] [ADDRESS=127.0.0.1:9000] [ARGS=…]   serve a folder over S3"
	@echo "make demo        the scientist's recipe on a fresh store, left running"
	@echo "make test        all tests; TESTS=tests/s3 for some of them"
	@echo "make test-fast   the tests without the slow ones"
	@echo "make crash       the crash tests with 200 kills instead of 20"
	@echo "make lint        ruff and mypy"
	@echo "make format      ruff's formatter"
	@echo "make bench       measure Neve on this machine"
	@echo "make clean       remove environments and caches, never data"

serve: .venv/stamp-run
	@exec $(BIN)/neve serve "$(DATA)" --address "$(ADDRESS)" $(ARGS)

demo: .venv/stamp-demo
	@exec $(BIN)/python scripts/demo.py $(ARGS)

test: environments
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(TESTS) $(ARGS)

test-fast: environments
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow" $(TESTS) $(ARGS)

crash: .venv/stamp-dev
	NEVE_KILL_ROUNDS=200 $(BIN)/python -m pytest tests/crash $(ARGS)

lint: .venv/stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/stamp-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/stamp-dev
	$(BIN)/python -m bench neve $(ARGS)

clean:
	rm -rf .venv .venv-zarr2 .venv-awscli build dist
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environments: .venv/stamp-dev .venv-zarr2/stamp .venv-awscli/stamp

# pip takes minutes where uv takes seconds: pip installs uv, and uv all the rest.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Neve needs Python 3.11 or newer; say which with PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python cannot make environments. On Debian: apt-get install python3-venv"; exit 1; }
	@echo "Making the environment .venv (the first time only) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

.venv/stamp-run: pyproject.toml constraints.txt | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable .
	@touch $@

.venv/stamp-demo: pyproject.toml constraints.txt | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[demo]'
	@touch $@ .venv/stamp-run

.venv/stamp-dev: pyproject.toml constraints.txt | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	@touch $@ .venv/stamp-run .venv/stamp-demo

# Environments of clients that cannot live beside the current ones; tests run them as programs.
.venv-zarr2/stamp: constraints-zarr2.txt | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-zarr2
	@$(UV) pip install --quiet --python .venv-zarr2/bin/python --requirement constraints-zarr2.txt
	@touch $@

.venv-awscli/stamp: constraints-awscli.txt | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-awscli
	@$(UV) pip install --quiet --python .venv-awscli/bin/python --requirement constraints-awscli.txt
	@touch $@
