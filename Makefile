# Every verb here is what CI runs. `make` alone lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
VENV ?= .venv
BUILD ?= _build
PROFILE ?= smoke
DATA ?= phantoms
SEED ?= 0
JOBS ?= 0
TORCH_INDEX ?=
TESTS ?=
PAPER ?= msatl
GPU ?=
FORCE ?=
HISTORY ?= $(BUILD)/history.jsonl
# Empty takes the newest versions that pyproject.toml admits.
CONSTRAINTS ?= constraints.txt

IN := $(VENV)/bin/
INSTALLED := $(VENV)/.covidlib-installed
RUN := "$(IN)python" -m covidlib.publish
STORE := "$(IN)python" -c 'from covidlib.paths import store_root; print(store_root())'
CHOICE := --build "$(BUILD)" --profile "$(PROFILE)" --data "$(DATA)" --seed "$(SEED)"
# What is recorded needs more than the seconds of smoke.
REAL := $(if $(filter file,$(origin PROFILE)),laptop,$(PROFILE))
ASKED := $(if $(GPU),--gpu) $(if $(FORCE),--force)

.PHONY: help install book pages browse nightly remember reference scores test pair lint format bench check clean

help: ## list the verbs
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile
	@echo "  variables   PROFILE=smoke|laptop|paper DATA=phantoms|FOLDER SEED=0 JOBS=0 ONLY=page"
	@echo "              GPU=1 (fail without one) FORCE=1 (execute everything anew) CONSTRAINTS="
	@echo "              VENV=.venv PYTHON=python3 BUILD=_build TORCH_INDEX=ADDRESS TESTS=..."

install: $(INSTALLED) ## create the environment with the pinned versions

$(IN)python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; name one with PYTHON=..."; exit 1; }
	"$(PYTHON)" -m venv "$(VENV)"

$(INSTALLED): pyproject.toml $(CONSTRAINTS) | $(IN)python
	@echo "installing into $(VENV) (about 2.5 GB, several more with CUDA; minutes the first time)"
	"$(IN)python" -m pip install --progress-bar off $(if $(CONSTRAINTS),-c "$(CONSTRAINTS)") \
	  $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") -e ".[book,cluster,dev,dicom]"
	@touch "$@"

book: $(INSTALLED) ## pair, execute, build and verify the book
	@$(RUN) book $(CHOICE) --jobs $(JOBS) $(ASKED)

browse: $(INSTALLED) ## open every page of the built book in a browser and look at it
	@$(RUN) browse --build "$(BUILD)" $(if $(ONLY),--only "$(ONLY)")

nightly: $(INSTALLED) ## what the nightly run does: everything anew, browsed, with a log
	@BUILD="$(BUILD)" bash .ci/nightly "$(MAKE)" PROFILE="$(PROFILE)" DATA="$(DATA)" \
	  SEED="$(SEED)" JOBS="$(JOBS)" GPU="$(GPU)" VENV="$(VENV)" BUILD="$(BUILD)"

pages: $(INSTALLED) ## execute only some notebooks: make pages ONLY=msatl/data
	@$(RUN) execute $(CHOICE) --jobs $(JOBS) --only "$(ONLY)" $(ASKED)

remember: $(INSTALLED) ## append this store's runs to HISTORY and look for what became worse
	@$(if $(filter phantoms,$(DATA)),echo "phantoms are not remembered",mkdir -p "$(dir $(HISTORY))" && \
	  { [ -e "$(HISTORY)" ] || cp book/results/history.jsonl "$(HISTORY)"; } && \
	  "$(IN)covidlib" results remember --history "$(HISTORY)" && \
	  "$(IN)covidlib" results remember --store "$$($(STORE))" --history "$(HISTORY)" && \
	  "$(IN)covidlib" results compare earlier latest --history "$(HISTORY)" --fail)

reference: $(INSTALLED) ## make every run of a paper and record it: PAPER=msatl|magsd|manet|across
	@[ "$(DATA)" != phantoms ] || { echo "runs of phantoms are not recorded; name the images:" \
	  "make reference PAPER=$(PAPER) DATA=FOLDER, with PROFILE=paper on a GPU" >&2; exit 1; }
	@"$(IN)covidlib" reference "$(PAPER)" --profile "$(REAL)" --data "$(DATA)" $(if $(GPU),--accelerator cuda)

# Weights are not recorded, so these are computed where `reference` left them.
SCORES_msatl := stage_scores heat_scores
SCORES_magsd := protocol_scores localization_scores
SCORES_manet := lung_heat elsewhere
SCORES_across := benchmark
scores: $(INSTALLED) ## keep what needs the weights of recorded runs: LEEP, heatmaps, other images
	@code=0; for part in $(SCORES_$(PAPER)); do \
	  "$(IN)python" -m covidlib.$$part --profile "$(REAL)" --data "$(DATA)" || code=1; done; exit $$code

test: $(INSTALLED) ## run every test
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} "$(IN)python" -m pytest -n 2 $(TESTS)

pair: $(INSTALLED) ## write every notebook from its script
	@$(RUN) pair

lint: $(INSTALLED) ## check style and formatting
	@"$(IN)ruff" check .
	@"$(IN)ruff" format --check .

format: $(INSTALLED) ## rewrite formatting and what the linter can mend
	@"$(IN)ruff" check --fix .
	@"$(IN)ruff" format .

bench: $(INSTALLED) ## time training steps beside their ceilings and floors
	@"$(IN)python" benchmarks/throughput.py
	@"$(IN)python" benchmarks/sstlm.py
	@"$(IN)python" benchmarks/magsd.py

check: ## everything CI does, in a fresh environment
	@bash .ci/run

clean: ## delete the build folder
	rm -rf -- "$(BUILD)"
