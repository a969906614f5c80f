# `make demo` and `make test` do all the set-up on a fresh machine; a second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LMMS := .venv-lmms
LMMS_STAMP := $(LMMS)/.installed
CLIP_RETRIEVAL := .venv-clip-retrieval
CLIP_RETRIEVAL_STAMP := $(CLIP_RETRIEVAL)/.installed
INSPECT := .venv-inspect
INSPECT_BIN := $(INSPECT)/bin
INSPECT_STAMP := $(INSPECT)/.installed
INSPECT_TESTS := tests/integrations_inspect tests/integrations_eee/test_integrations_eee_valid.py

.PHONY: demo ranked nano docs bench test lint format slow install lmms inspect clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## make .venv with the pinned versions of constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@echo "installing the pinned versions into $(VENV) (a few minutes, about 5 GB, once)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$$(sed -n 's/^uv==//p' constraints.txt)"
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[train,ray,docs,dev]'
	touch $(STAMP)

lmms: $(LMMS_STAMP)  ## lmms-eval in an environment of its own over .venv (80 MB, seconds), for its tests

# What it does not have is found in .venv; its own packages come first.
$(LMMS_STAMP): $(STAMP) tests/integrations_lmms/requirements.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LMMS)
	$(BIN)/uv pip install --quiet --no-deps --python $(LMMS)/bin/python --requirement tests/integrations_lmms/requirements.txt
	( $(BIN)/python -c 'import site; print(site.getsitepackages()[0])'; pwd ) > "$$($(LMMS)/bin/python -c 'import site; print(site.getsitepackages()[0])')/over_venv.pth"
	touch $(LMMS_STAMP)

inspect: $(INSPECT_STAMP)  ## inspect_ai and every-eval-ever likewise (140 MB, seconds)

# every-eval-ever asks for Python 3.12 and older packages; its schema and its validator, which is all
# that is used of it, run on 3.11 with ours.
$(INSPECT_STAMP): $(STAMP) tests/integrations_inspect/requirements.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(INSPECT)
	$(BIN)/uv pip install --quiet --no-deps --python $(INSPECT_BIN)/python --requirement tests/integrations_inspect/requirements.txt --editable .
	$(BIN)/uv pip install --quiet --no-deps --python-version 3.12 --target "$$($(INSPECT_BIN)/python -c 'import site; print(site.getsitepackages()[0])')" every-eval-ever==0.3.0
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > "$$($(INSPECT_BIN)/python -c 'import site; print(site.getsitepackages()[0])')/zz_over_venv.pth"
	touch $(INSPECT_STAMP)

demo: $(STAMP)  ## the main job, offline: a small world built, scored, split, asked about, graded and shown
	$(BIN)/mgld demo --out out/demo

ranked: $(STAMP)  ## the demo's build published, loaded, answered, handed in, verified and ranked, offline: out/ranked
	$(BIN)/python -m benchmarks.leaderboard.publish_and_rank

nano: $(STAMP)  ## the paper in miniature, offline: two rows of its tables made again beside the recorded ones
	$(BIN)/python -m benchmarks.nano check

docs: $(STAMP)  ## the documentation as a static site in out/docs: open out/docs/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

bench: $(STAMP) $(CLIP_RETRIEVAL_STAMP)  ## speed beside other tools, ratios in one run (leave the machine alone meanwhile)
	$(BIN)/python -m benchmarks.speed.rsr --out benchmarks/results/speed_rsr.json
	$(BIN)/python -m benchmarks.speed.rsr --whole --out benchmarks/results/speed_rsr_whole.json
	$(BIN)/python -m benchmarks.speed.embed --clip-retrieval $(CLIP_RETRIEVAL)/bin/python --out benchmarks/results/speed_embed.json
	$(BIN)/python -m benchmarks.scale.rehearsal --images 200000 --landmarks 10000

$(CLIP_RETRIEVAL_STAMP): $(STAMP) benchmarks/speed/embed_clip_retrieval.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(CLIP_RETRIEVAL)
	$(BIN)/uv pip install --quiet --python $(CLIP_RETRIEVAL)/bin/python --requirement benchmarks/speed/embed_clip_retrieval.txt
	touch $(CLIP_RETRIEVAL_STAMP)

test: $(STAMP) $(LMMS_STAMP) $(INSPECT_STAMP) lint  ## lint, types and all tests but the minutes-long ones
	$(BIN)/python -m pytest
	$(INSPECT_BIN)/python -m pytest $(INSPECT_TESTS)

lint: $(STAMP)  ## ruff (lint and format) and mypy --strict over both packages and the miniature
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## apply ruff's fixes and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

slow: $(STAMP)  ## the minutes-long proofs
	$(BIN)/python -m pytest -m slow -n 0

clean:  ## remove what demo, ranked and docs wrote (environments stay, and the hours of training in out/nano)
	rm -rf out/demo out/ranked out/docs
