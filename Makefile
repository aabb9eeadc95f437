# All that is needed beforehand is Python 3.11 or newer and make; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help venv demo test test-slow test-all test-nightly lint format wheel clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo       the whole story on a sample application, with an embedded PostgreSQL'
	@echo 'make test       the tests, but for the slow ones   (PYTEST_ARGS=... for more options)'
	@echo 'make test-slow  the slow ones only;  make test-all: all of them'
	@echo 'make test-nightly  what takes hours: random schemas, stops everywhere; FIXUPS_NIGHTLY_CASES=2000 says how many'
	@echo 'make lint       ruff and mypy;  make format: ruff writes'
	@echo 'make wheel      dist/*.whl'
	@echo 'make venv       .venv only;  make clean: away with it and all that was built'

venv: $(VENV)/.stamp

$(VENV)/.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	@echo 'Making $(VENV) (a minute or so) ...'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: venv
	@$(BIN)/python sample_project/demo.py

test: venv
	$(PYTEST) -n 2 -m 'not slow and not nightly' $(PYTEST_ARGS)

test-slow: venv
	$(PYTEST) -n 2 -m 'slow and not nightly' $(PYTEST_ARGS)

test-all: venv
	$(PYTEST) -n 2 -m 'not nightly' $(PYTEST_ARGS)

test-nightly: venv
	$(PYTEST) -m nightly $(PYTEST_ARGS)

lint: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: venv
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel: venv
	$(BIN)/python -m build --outdir dist

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
