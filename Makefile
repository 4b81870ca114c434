PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m

help:  ## This list
	@grep -hE '^[a-z][a-z0-9_-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/done  ## Make .venv with the locked dependencies

.venv/done: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## From nothing to a scored model: simulate, prepare, train two folds, print a table
	$(RUN) hms.simulate
	$(RUN) hms.prepare
	$(RUN) hms.train -m experiment=quick fold=0,1

test: setup  ## The tests, minutes on two cores
	$(RUN) pytest

lint: setup  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

hooks: setup  ## Let git commit run the checks of .pre-commit-config.yaml
	$(BIN)/pre-commit install

lock:  ## Resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --upgrade --output-file requirements.lock

clean:  ## Remove what can be made again: the environment, simulated data, stores; runs stay
	rm -rf .venv data/stores data/simulated_* .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help setup demo test lint hooks lock clean
