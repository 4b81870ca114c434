PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m

# Inputs of the targets below; override any of them: make folds EXPERIMENT=quick CORPUS= ARGS="seed=1"
DATA ?= data/hms
ARCHIVE = $(DATA)/hms-harmful-brain-activity-classification.zip
CORPUS ?= data=competition data.root=$(DATA)
EXPERIMENT ?= member_1
# Experiments; `ensemble`, `submit` and `kaggle` take the runs of the same names, or RUNS="runs/small-*" of other names
MEMBERS ?= member_1,member_2,member_3,member_4,member_5,member_6,member_7,member_8
RUNS ?= $(if $(untrained),$(error MEMBERS: runs/ has no $(untrained)$(instead)))$(foreach member,$(trained),'runs/$(member)-*')
ABOUT ?= $(shell $(call newest,runs/*-*))
TEACHER ?= $(call only,$(wildcard runs/$(EXPERIMENT)-*))
ENSEMBLE ?=
KILLS ?= 20
COUNT ?= 2000
LETTERS ?=
ARGS ?=
comma := ,
space := $(subst ,, )
# Those of MEMBERS that have a run, and those that have none
trained = $(strip $(foreach member,$(subst $(comma), ,$(MEMBERS)),$(if $(wildcard runs/$(member)-*/),$(member))))
untrained = $(filter-out $(trained),$(subst $(comma), ,$(MEMBERS)))
instead = $(if $(trained),; without them: MEMBERS=$(subst $(space),$(comma),$(trained)))
# The run whose fold was finished last
newest = ls -t $(1)/fold[0-9]*_seed*/scores.json | head -n 1 | cut -d/ -f1-2
only = $(if $(word 2,$(1)),$(error TEACHER: want one run, or several by their names, got $(1)),$(or $(1),$(error TEACHER: $(untaught))))
untaught = runs/ has no $(EXPERIMENT); make teacher EXPERIMENT=$(EXPERIMENT)$(if $(filter command,$(origin CORPUS)), CORPUS='$(CORPUS)') first, or name its runs: TEACHER=runs/<name>

help:  ## Print this list
	@grep -hE '^[a-z][a-z0-9_%-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/done  ## Make .venv with the locked dependencies

.venv/done: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## From nothing to a scored model: simulate, prepare, train two folds, print a table, write a report
	$(RUN) hms.simulate
	$(RUN) hms.prepare
	$(RUN) hms.train -m experiment=quick fold=0,1
	$(RUN) hms.report "$$($(call newest,runs/quick-*))"

data: setup  ## Download the competition's files into DATA by Kaggle's client (needs an account and the rules accepted)
	test -f $(DATA)/train.csv || $(BIN)/uv tool run --with six kaggle competitions download -p $(DATA) $(notdir $(basename $(ARCHIVE)))
	test ! -f $(ARCHIVE) || $(BIN)/python scripts/unpack.py $(ARCHIVE) $(DATA)

prepare: setup  ## Check the files of CORPUS and build its store
	$(RUN) hms.prepare $(CORPUS) $(ARGS)

folds: setup  ## Train all five folds of EXPERIMENT
	$(RUN) hms.train -m experiment=$(EXPERIMENT) 'fold=range(0,5)' $(CORPUS) $(ARGS)

fold-%: setup  ## Train one fold of EXPERIMENT: fold-0 ... fold-4
	$(RUN) hms.train experiment=$(EXPERIMENT) fold=$* $(CORPUS) $(ARGS)

members: setup  ## Train all five folds of all MEMBERS
	$(RUN) hms.train -m experiment=$(MEMBERS) 'fold=range(0,5)' $(CORPUS) $(ARGS)

members-all: setup  ## Train all MEMBERS on all patients, for a submission
	$(RUN) hms.train -m experiment=$(MEMBERS) fold=all $(CORPUS) $(ARGS)

ensemble: setup  ## Fit an ensemble to the out-of-fold predictions of the runs of MEMBERS, or of RUNS="runs/a-* runs/b-*"
	$(RUN) hms.ensemble $(RUNS) $(ARGS)

teacher: folds  ## Train the folds of EXPERIMENT as a teacher

# Train a fold, or several, of EXPERIMENT as a student
student = $(RUN) hms.train -m 'experiment=[$(EXPERIMENT),student]' name=student_of_$(EXPERIMENT) 'fold=$(1)' $(CORPUS) $(ARGS) \
	'augmentation.teacher_labels.runs=[$(subst $(space),$(comma),$(TEACHER))]'

student: setup  ## Train all five folds of EXPERIMENT as a student of the runs TEACHER
	$(call student,range(0,5))

student-all: setup  ## Train EXPERIMENT on all patients as a student of the runs TEACHER, for a submission
	$(call student,all)

submit: setup  ## Write submission.csv for the test part of CORPUS, by the folder ENSEMBLE, or by the mean of the runs of MEMBERS, or RUNS
	$(RUN) hms.submit $(if $(ENSEMBLE),ensemble=$(ENSEMBLE),$(RUNS)) $(CORPUS) $(ARGS)

kaggle: setup  ## Build dist/kaggle, from which a notebook without internet predicts by ENSEMBLE, MEMBERS or RUNS
	$(BIN)/python scripts/kaggle_folder.py $(if $(ENSEMBLE),--ensemble $(ENSEMBLE),--runs $(RUNS)) $(ARGS)

report: setup  ## Write an HTML page about the newest run, or ABOUT=runs/<name> or "ensemble=runs/<name>"
	$(RUN) hms.report $(ABOUT) $(ARGS)

picture: setup  ## Make README's report.png from the report on the newest quick run (needs Chromium)
	$(BIN)/python tests/browser.py "$$($(call newest,runs/quick-*))/report.html" report.png

test: setup  ## Run the tests (minutes on two cores)
	OMP_NUM_THREADS=1 $(RUN) pytest -n 2 --dist loadfile

test-kill: setup  ## Kill every command at KILLS times as many random moments as `make test`
	HMS_KILLS=$(KILLS) OMP_NUM_THREADS=1 $(RUN) pytest tests/test_interrupt.py -m 'slow or not slow' -k killed

fuzz: setup  ## Spoil COUNT files and command lines of each kind, and every byte of headers
	HMS_FUZZ=$(COUNT) OMP_NUM_THREADS=1 $(RUN) pytest -n 2 tests/test_fuzz.py tests/test_fuzz_recordings.py

test-slurm: setup  ## Test sweeps on a real two-node Slurm on this machine (needs slurm-wlm, munge and root)
	OMP_NUM_THREADS=1 $(RUN) pytest -m slurm tests/test_slurm.py

test-ray: setup  ## Test sweeps on a Ray cluster on this machine
	OMP_NUM_THREADS=1 $(RUN) pytest -m ray tests/test_ray.py

bench: setup  ## Measure what costs time, as ratios: a table and bench.json; a part of it with LETTERS=ab
	$(RUN) scripts.bench $(LETTERS)

lint: setup  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

hooks: setup  ## Make git commit run the checks of .pre-commit-config.yaml
	$(BIN)/pre-commit install

lock:  ## Resolve and lock the newest dependencies
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --upgrade --output-file requirements.lock

clean:  ## Remove what can be made again: the environment, simulated data and stores, but no runs
	rm -rf .venv data/stores data/simulated_* .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help setup demo data prepare folds members members-all ensemble teacher student student-all report picture submit kaggle test test-kill fuzz test-slurm test-ray lint bench hooks lock clean
