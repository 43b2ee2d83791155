# norface: every stage is one `norface` command, printed before it runs. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NORFACE := $(BIN)/norface
WITH_WEIGHTS := $(if $(WEIGHTS),$(VENV)/.installed-weights)
INSTALLED := $(VENV)/.installed-core $(WITH_WEIGHTS)

# What a run is made of. RUN holds everything a run writes.
SEED ?= 0
FAST ?=
DATA ?=
ASSETS ?=
TASK ?= fer
SIZE ?= $(if $(DATA),96,64)
RUN ?= runs/demo$(if $(FAST),-fast)$(if $(DATA),-$(basename $(notdir $(DATA))))$(if $(ASSETS),-facekit)$(if $(filter-out 0,$(SEED)),-seed$(SEED))

TASKS := fer au au-intensity multi
SETTINGS := SEED=$(SEED) FAST=$(FAST) DATA=$(DATA) SIZE=$(SIZE)$(if $(ASSETS), ASSETS=$(ASSETS))
DONE := $(RUN)/.done
RESULTS := $(RUN)/results.json
FACES := $(RUN)/faces
NORMALIZER := $(RUN)/normalizer/checkpoints/last.ckpt
CACHE := $(RUN)/cache

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.NOTPARALLEL:

ifeq ($(filter $(TASK),$(TASKS)),)
$(error unknown TASK '$(TASK)': use one of $(TASKS))
endif

# ---------------------------------------------------------------------------------------------------- the stages
# A stage writes $(DONE)/<stage> when it is finished: a second `make demo` skips it, and goes on where it was stopped.

# People per split, and faces of each.
SUBJECTS := $(if $(FAST),--splits.normalizer 64 --faces_per_split.normalizer 12 --splits.train 12 --splits.val 4 --splits.test 24,\
  --splits.normalizer 1800 --faces_per_split.normalizer 8 --splits.train 16 --splits.val 4 --splits.test 44)

# $(call fit,<folder of the run>,<configurations>): one training command that resumes where it was stopped.
fit = $(NORFACE) fit $(foreach name,trainer data/faces $(2) $(if $(FAST),fast),--config configs/$(name).yaml) \
  --data.image_size $(SIZE) --run $(RUN)/$(1) --ckpt_path last --data.table $(FACES) --seed_everything $(SEED) --data.seed $(SEED)
# $(call classify,<what it reads>): fit, then test the last weights.
classify = $(call fit,classifier/$(TASK)/$(1),classifier/$(TASK) $(if $(filter-out both,$(1)),classifier/$(1))) \
  --test_after_fit true --results $(RESULTS) --results_key $(SECTION).$(1) $(call timing,$(TASK)_$(1))
timing = --timing $(RESULTS):$(subst -,_,$(1))
SECTION = classifier$(if $(filter-out fer,$(TASK)),_$(subst -,_,$(TASK)))
IDENTITY = $(RUN)/teacher/identity/checkpoints/last.ckpt
EVALUATOR = $(RUN)/teacher/evaluator/checkpoints/last.ckpt
EXPRESSION = $(RUN)/teacher/expression/checkpoints/last.ckpt

$(DONE)/faces: | $(DONE)/settings
ifeq ($(DATA),)
	$(NORFACE) faces draw --out $(FACES) --size $(SIZE) --faces_per_subject 24 --seed $(SEED) $(SUBJECTS) \
	  $(if $(ASSETS),--source facekit --assets $(ASSETS)) $(call timing,faces)
else
	$(NORFACE) data split --table $(DATA) --out $(FACES) --normalizer 0.66 --train 0.14 --val 0.04 --test 0.16 --seed $(SEED) $(call timing,faces)
endif
	@touch $@

$(DONE)/identity: | $(DONE)/faces
	$(call fit,teacher/identity,teacher/identity) $(call timing,identity)
	@touch $@

$(DONE)/expression: | $(DONE)/identity
	$(call fit,teacher/expression,teacher/expression) $(call timing,expression)
	@touch $@

# Data of your own may know no true normalized face: then the expression teacher alone says what shall come out.
$(DONE)/normalizer: | $(DONE)/expression
	$(call fit,normalizer,normalizer/demo) $(call timing,normalizer) --model.encoder_weights $(EXPRESSION) \
	  --model.generator.merging.grid $(shell expr $(SIZE) / 8) $(if $(DATA),--model.weights.expression 0.5) \
	  --model.identity_teacher TrainedIdentity --model.identity_teacher.checkpoint $(IDENTITY) \
	  --model.expression_teacher TrainedExpression --model.expression_teacher.checkpoint $(EXPRESSION)
	@touch $@

$(DONE)/cache: | $(DONE)/normalizer
	$(NORFACE) cache build --normalizer $(NORMALIZER) --table $(FACES) --out $(CACHE) \
	  --identity $(IDENTITY) --expression $(EXPRESSION) $(call timing,cache)
	@touch $@

$(DONE)/$(TASK)-both: | $(DONE)/cache
	$(call classify,both) --data.source cache --data.cache_dir $(CACHE) \
	  --data.normalizer norface.normalizer.TrainedNormalizer --data.normalizer.checkpoint $(NORMALIZER)
	@touch $@

$(DONE)/$(TASK)-raw: | $(DONE)/faces
	$(call classify,raw)
	@touch $@

$(DONE)/$(TASK)-raw_pretrained: | $(DONE)/normalizer
	$(call classify,raw_pretrained) --model.encoder_weights $(NORMALIZER)
	@touch $@

$(DONE)/$(TASK)-oracle: | $(DONE)/faces
	$(call classify,oracle)
	@touch $@

# The network that judges identity is trained like the identity teacher, with another shape and seed, and is in no loss.
$(DONE)/evaluator: | $(DONE)/faces
	$(call fit,teacher/evaluator,teacher/identity teacher/evaluator) $(call timing,evaluator)
	@touch $@

$(DONE)/gate: | $(DONE)/cache $(DONE)/evaluator
	$(NORFACE) gate --normalizer $(NORMALIZER) --table $(FACES) --cache $(CACHE) --out $(RUN)/gate --results $(RESULTS) \
	  --evaluator $(EVALUATOR) --seed $(SEED) --seen.split normalizer $(if $(FAST),--epochs 10) $(call timing,gate)
	@touch $@

STAGES := faces identity expression normalizer cache $(TASK)-both $(TASK)-raw $(TASK)-raw_pretrained $(TASK)-oracle evaluator gate

# The settings of a run are its own: another seed or other data need another RUN.
$(DONE)/settings: | $(INSTALLED)
	@mkdir -p $(@D) && echo "$(SETTINGS)" > $@

.PHONY: same-settings
same-settings:
	@if [ -f $(DONE)/settings ] && [ "$$(cat $(DONE)/settings)" != "$(SETTINGS)" ]; then \
	  echo "$(RUN) was made with $$(cat $(DONE)/settings), not with $(SETTINGS):" \
	       "name another folder (make ... RUN=runs/other) or forget it (make clean-demo RUN=$(RUN))" >&2; exit 2; fi

# ---------------------------------------------------------------------------------------------------- the pipeline
.PHONY: help demo faces train-teachers train-normalizer cache train-classifier gate report clean-demo
help: ## list the targets
	@echo "usage: make TARGET [NAME=value ...]"; echo
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s "$$(printf '\t')"
	@echo; echo "RUN=$(RUN)  folder of the run        SEED=0   seed of everything   FAST=1  small and quick"
	@echo "DATA=path      faces.csv or a folder instead of the built-in faces     WEIGHTS=1  also install [weights]"
	@echo "ASSETS=path    ICT-FaceKit's files: built-in faces that look like real people (docs/facekit.md)"
	@echo "SIZE=$(SIZE)        side of the aligned faces in pixels, a multiple of 8"
	@echo "TASK=$(TASK)       one of $(TASKS)                       PYTHON=$(PYTHON)  3.11 or newer"

demo: same-settings $(addprefix $(DONE)/,$(STAGES)) report ## the whole pipeline, ends with a table and an HTML report

faces: same-settings $(DONE)/faces ## draw the built-in faces (or split the table DATA)

train-teachers: same-settings $(DONE)/identity $(DONE)/expression ## train what tells the normalizer who and which expression

train-normalizer: same-settings $(DONE)/normalizer ## train the normalizer

cache: same-settings $(DONE)/cache ## normalize every face once, and keep it

train-classifier: same-settings $(DONE)/$(TASK)-both ## train and test the classifier for TASK=fer, au, au-intensity or multi (all of them)

gate: same-settings $(DONE)/gate ## is expression kept and identity removed?

report: $(INSTALLED) ## terminal table and RUN/report/index.html from the results so far
	$(NORFACE) report $(RUN)

clean-demo: ## forget everything in RUN
	@test -d $(DONE) || { echo "there is no run in $(RUN)"; exit 0; }; echo "rm -rf $(RUN)"; rm -rf -- $(RUN)

# ---------------------------------------------------------------------------------------------------- the project
.PHONY: install test test-slow check bench
install: $(INSTALLED) ## make .venv and install norface into it

# Processes share the cores, so each has one thread; a test file stays in one process, because its tests share fixtures.
test: $(VENV)/.installed-test $(WITH_WEIGHTS) ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-slow: $(VENV)/.installed-test $(WITH_WEIGHTS) ## run the tests that train
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.installed-dev $(WITH_WEIGHTS) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-export ## measure the speed of drawing, training, caching and inference (TOPICS="training memory")
	$(BIN)/python -m benchmarks.run $(TOPICS)

# pip's output is reduced to what it downloads: a first installation takes minutes, mostly PyTorch.
PIP = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --constraint constraints.txt
SHOWN := /^ *Downloading|^Successfully|^ *error|^ERROR|^WARNING/ { print; fflush() }

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "norface needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) -V 2>&1 || echo not there)." \
	       "Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

extra = $(if $(filter-out core,$(1)),[$(1)])
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing norface$(call extra,$*) into $(VENV) (minutes the first time)"
	@$(PIP) --editable '.$(call extra,$*)' 2>&1 | tee $(VENV)/install.log | awk '$(SHOWN)'
	@touch $@
