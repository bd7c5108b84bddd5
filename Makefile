# Every target works in a fresh clone: the virtual environment is made when it is missing or out of date.

# Idle OpenMP threads must sleep instead of spinning: with any other work on the cores, spinning makes
# torch 5 to 15 times slower.
export OMP_WAIT_POLICY := PASSIVE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := demo

.PHONY: help demo test test-slow check docs reference format bench bench-history train train-qwen clean

help:
	@echo "make demo       watch a synthetic video, ask it questions, write a report"
	@echo "make test       fast tests, and the coverage they must reach"
	@echo "make test-slow  tests that take minutes"
	@echo "make check      linter, formatter, types, layers, generated pages of the documentation"
	@echo "make docs       build the documentation site, in site/index.html"
	@echo "make reference  write the pages of the documentation that are made from the code"
	@echo "make format     reformat the sources"
	@echo "make bench      run every benchmark in benchmarks/"
	@echo "make bench-history  keep the ratios of the benchmarks, and fail where one got worse (WORDS=--quick: small sizes)"
	@echo "make train      train the bundled model again, in runs/tiny: about seven hours; can be stopped and resumed"
	@echo "make train-qwen train the second bundled model, in runs/tiny-qwen, from what make train left: about two hours"
	@echo "make clean      remove what the targets made, the virtual environment included"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Keepsight needs Python 3.11 or later: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) \
		|| { echo "Making $(VENV) failed. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing Keepsight and its tools into $(VENV) (about 1.3 GB, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" ./scripts/demo $(DEMO)

# A worker for each core, so each has one thread; the tests of a file stay together, for what they share.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m "not slow" --cov --cov-report=term:skip-covered

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/generate_reference.py --check

# Warnings are errors (`strict` in mkdocs.yml). The variable silences an announcement of the theme.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

reference: $(STAMP)
	$(BIN)/python scripts/generate_reference.py

format: $(STAMP)
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: $(STAMP)
	@for script in $(basename $(notdir $(wildcard benchmarks/[!_]*.py))); do \
		echo "== $$script"; $(BIN)/python -m "benchmarks.$$script" || exit 1; \
	done

# Ratios of small sizes in minutes: make bench-history WORDS=--quick
bench-history: $(STAMP)
	$(BIN)/python -m benchmarks.history $(WORDS)

train: $(STAMP)
	$(BIN)/python -m training --folder runs/tiny
	$(BIN)/python -m training.export --folder runs/tiny --out runs/tiny/bundle

train-qwen: $(STAMP)
	$(BIN)/python -m training --architecture qwen2_5_vl --first-folder runs/tiny --folder runs/tiny-qwen
	$(BIN)/python -m training.export --architecture qwen2_5_vl --folder runs/tiny-qwen \
		--out runs/tiny-qwen/bundle
	$(BIN)/python -m training.evaluate --model runs/tiny/bundle --out runs/tiny/scores.json

clean:
	rm -rf $(VENV) $(DEMO) site .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
