# Bare `make` lists the targets. Each sets up what it needs in .venv first, and does that quickly the second time.
#
#   make demo ARGS='--epochs 1'     more arguments for the command
#   make test ARGS='tests/reading'
#   make demo PYTHON=python3.12     the interpreter that .venv is made from
#   make bench BENCHMARKS=import_time

.DEFAULT_GOAL := help
.PHONY: help demo test check format docs bench clean

VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
# hundreds of tests start processes, which would compile the library again if no bytecode were written
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile
BENCHMARKS ?= house import_time client_time submit_cpu workflow_calls embedded_calls board_vs_mlflow sweep_overhead sweep_calls demo_time cleanup training_speed training_limits time_to_accuracy accuracy serving report_page
export VENV PYTHON

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: ## train, track, compare, trace and deploy on this machine, without an account
	@scripts/setup demo
	$(BIN)/mnist-tracking demo $(ARGS)

test: ## run the tests, including the docstrings' examples, on up to four cores; `make docs` tests the pages
	@scripts/setup dev
	$(PYTEST) -m 'not documentation' $(ARGS)

check: ## everything CI runs: format, lint, types, dependencies, tests, docs, the package in a new environment, the lowest versions
	@scripts/setup dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/deptry src
	$(MAKE) test ARGS='--cov --cov-report=json'
	$(BIN)/python scripts/check-coverage
	$(MAKE) docs
	scripts/check-package
	scripts/check-lowest

format: ## format the code, and fix what the linter can fix
	@scripts/setup dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: ## run every example and every code block of the documentation, and build it into docs/_build/html without warnings
	@scripts/setup dev
	$(PYTEST) --dist load -m documentation tests
	$(BIN)/sphinx-build -n -T -W --keep-going -b html docs docs/_build/html

bench: ## run the scripts in benchmarks/, and print their results; set MNIST_DATA_DIR to the folder of MNIST
	@scripts/setup dev
	@for name in $(BENCHMARKS); do \
		echo "== benchmarks/$$name.py" && $(BIN)/python -m benchmarks.$$name || exit 1; \
	done

clean: ## remove build outputs and the tools' caches; keeps .venv, .mnist-tracking and mnist-demo
	rm -rf build dist docs/_build docs/reference/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests examples benchmarks training -name __pycache__ -type d -prune -exec rm -rf {} +
