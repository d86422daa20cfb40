# Everything a user types. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .cache/peers
GRID ?= depth_vs_width
RESULTS ?= results/$(GRID)
FIGURES ?= figures/$(notdir $(RESULTS))
ARGS ?=
PARALLEL := -n auto --dist loadgroup
TORCH_INDEX ?=
# Of each of the three studies of `make replicate`; no two share one.
SEEDS ?= 0,1,2,3 4,5,6,7 8,9,10,11

.PHONY: help install sweep replicate pareto-plots report dashboard published test test-slow slurm-test
.PHONY: calibration soak test-other-machine test-oldest-wandb studies studies-page docs notebooks release-check
.PHONY: bench lint format clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' Makefile

install: $(VENV)/.installed  ## create .venv with everything (TORCH_INDEX=URL: torch from another wheel index)

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; give it as make PYTHON=python3.11 …" >&2; exit 2; }
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --no-compile -c constraints.txt $(TORCH_INDEX:%=--index-url %) torch
	$(BIN)/python -m pip install -q --no-compile -c constraints.txt -e '.[dev]'
	@# On all cores, and without the packages' tests: pip takes one core, for all files.
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
	@touch $@

sweep: $(VENV)/.installed  ## train what is missing of GRID, then analyse it (ARGS='data=digits …' for overrides)
	@code=0; $(BIN)/python -m scaling_study.sweep +grid=$(GRID) $(ARGS) || code=$$?; \
	  if [ $$code -le 1 ]; then $(MAKE) --no-print-directory pareto-plots || exit 2; fi; exit $$code

replicate: $(VENV)/.installed  ## the whole study of GRID three times, with other SEEDS, and what each found
	@set -- $(SEEDS); names=; number=; for seeds in "$$@"; do \
	  name=$(GRID)$${number:+_$$number}; names="$$names $$name"; number=$$(($${number:-1} + 1)); \
	  $(BIN)/python -m scaling_study.sweep +grid=$(GRID) grid.name=$$name "grid.axes.seed=[$$seeds]" \
	    $(ARGS) || exit $$?; done; \
	  $(BIN)/python -m scaling_study compare $$names

# Each takes at most half an hour on two cores of 13 GFLOP/s, the last two and a half; what is trained
# already is not again.
STUDIES ?= depth_vs_width depth_vs_width_fashion depth_vs_width_icons convnext_small vit_small \
  slow_resolution slow_resolution_fashion slow_resolution_icons one_trunk additive_study weight_decay \
  pitfalls depth_vs_width_large family_comparison transfer transfer_fractals transfer_fashion \
  semi_supervised semi_supervised_fashion why_depth_wins

studies: $(VENV)/.installed  ## train STUDIES, keep their tables in studies/, write docs/studies.md (hours)
	@for name in $(STUDIES); do \
	  $(BIN)/python -m scaling_study.sweep +grid=$$name $(ARGS) || exit $$?; \
	  $(BIN)/python -m scaling_study pack $$name --folder studies --replace --license Apache-2.0 \
	    || exit $$?; \
	done
	@$(MAKE) --no-print-directory studies-page

# The page begins with this one, and ends with what several data sets say together.
HEADLINE = studies/why_depth_wins
KEPT = $(patsubst %/,%,$(sort $(wildcard studies/*/)))
TOGETHER = $(filter studies/depth_vs_width studies/depth_vs_width_fashion studies/depth_vs_width_icons \
  studies/convnext_small studies/slow_resolution studies/slow_resolution_fashion \
  studies/slow_resolution_icons,$(KEPT)) published

studies-page: $(VENV)/.installed  ## docs/studies.md anew, from the tables in studies/
	$(BIN)/python -m analysis.studies_page $(filter $(HEADLINE),$(KEPT)) \
	  $(filter-out $(HEADLINE),$(KEPT)) --together $(TOGETHER)

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install -q --no-compile -c constraints.txt -e '.[docs]'
	@touch $@

docs: $(VENV)/.docs  ## the documentation as a site, warnings are errors; .cache/site/index.html opens from disk
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q --strict
	@echo "file://$(CURDIR)/.cache/site/index.html"

notebooks: $(VENV)/.installed  ## run the notebooks of examples/ and keep what they show
	PYTHONPATH=tests:. $(BIN)/python -m helpers.notebooks examples/notebooks/*.ipynb

pareto-plots report: $(VENV)/.installed  ## verdicts, frontiers, figures and report of RESULTS, into FIGURES
	$(BIN)/python -m analysis $(RESULTS) -o $(FIGURES)

dashboard: $(VENV)/.installed  ## workspace and analysis of RESULTS to W&B (ARGS='--entity E --project P')
	$(BIN)/python -m analysis.dashboard $(RESULTS) -o $(FIGURES) $(ARGS)

published: $(VENV)/.installed  ## the paper's claims on the paper's numbers, into figures/published
	$(BIN)/python -m analysis.published -o figures/published

# Tests start Python hundreds of times: its compiled modules are kept, whatever the shell says.
test test-slow test-other-machine test-oldest-wandb slurm-test: export PYTHONDONTWRITEBYTECODE =

test: $(VENV)/.installed  ## the tests (a few minutes); the last lines say what did not run and how to get it
	$(BIN)/python -m pytest $(PARALLEL)

test-slow: $(VENV)/.installed  ## the tests that take long
	$(BIN)/python -m pytest $(PARALLEL) -m slow

# Golden outputs, and studies that are trained.
OTHER := tests/test_other_machine.py tests/config/test_config.py tests/data/test_data.py \
  tests/sweep/test_sweep.py tests/training/test_resume.py

test-other-machine: $(VENV)/.installed  ## some tests as on a lesser machine: AVX2, no bf16, one thread
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 OMP_NUM_THREADS=1 \
	  PYTHONPATH=$(CURDIR)/tests/other_machine:$(CURDIR) \
	  $(BIN)/python -m pytest $(PARALLEL) -m 'not slurm' $(OTHER)

slurm-test: $(VENV)/.installed  ## the launcher on a real SLURM on this machine (root on Debian installs it)
	$(BIN)/python tests/slurm/install.py
	$(BIN)/python -m pytest -n 3 --dist loadgroup -m slurm tests/slurm

calibration: $(VENV)/.installed  ## simulate how often verdicts are wrong, into docs/statistics.md (ARGS='--only R4')
	cd tests && OMP_NUM_THREADS=1 PYTHONPATH=.. ../$(BIN)/python -m calibration $(ARGS)

release-check: $(VENV)/.installed  ## build twice alike, install with every Python here, do the main job (ARGS='--only build')
	cd tests && PYTHONPATH=.. ../$(BIN)/python -m release $(TORCH_INDEX:%=--torch-index %) $(ARGS)

soak: $(VENV)/.installed  ## disturb small studies in random ways (ARGS='--hours 2 --seed 1'); what held, by fault
	cd tests && PYTHONPATH=.. ../$(BIN)/python -m soak $(ARGS)

# Beside the environment's own: PYTHONPATH has it first.
OLDEST := .cache/wandb_oldest
$(OLDEST)/.installed: pyproject.toml $(VENV)/.installed
	@rm -rf $(OLDEST)
	@$(BIN)/python -m pip install -q --no-deps --target $(OLDEST) sentry-sdk \
	  wandb==$$(sed -n 's/.*"wandb>=\([0-9.]*\),.*/\1/p' pyproject.toml)
	@touch $@

test-oldest-wandb: $(OLDEST)/.installed  ## what is sent to W&B, by the oldest client supported (ARGS='-k sweep')
	PYTHONPATH=$(CURDIR)/$(OLDEST):$(CURDIR) $(BIN)/python -m pytest $(PARALLEL) -m 'not slurm' \
	  tests/tracking tests/analysis/wandb_dashboard $(ARGS)

$(PEERS)/.installed: $(VENV)/.installed
	$(BIN)/python -m pip install -q --no-deps --target $(PEERS) hydra-joblib-launcher==1.2.0 hydra-submitit-launcher==1.2.0 \
	  timm==1.0.31 torchvision==0.29.1
	@touch $@

bench: $(VENV)/.installed $(PEERS)/.installed  ## what the speed claims are measured with, peers beside us
	$(BIN)/python benchmarks/analysis.py
	$(BIN)/python benchmarks/commands.py
	$(BIN)/python benchmarks/data.py --timm $(PEERS)
	$(BIN)/python benchmarks/plan.py
	$(BIN)/python benchmarks/orchestration.py --peers $(PEERS)
	$(BIN)/python benchmarks/tracking.py
	$(BIN)/python benchmarks/training.py $(ARGS)

lint: $(VENV)/.installed  ## format, lint and types, nothing is changed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed  ## apply the format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove figures and caches; results and .venv stay
	rm -rf figures .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
