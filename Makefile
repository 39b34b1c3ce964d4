# make        lists the targets
# Variables:  PYTHON=python3.12         the Python that makes .venv (3.10 or newer)
#             PIP_ARGS="…"              for pip, e.g. for the CPU build of PyTorch, see README.md
#             LAB_ARGS="…"              for JupyterLab and Voilà, e.g. --no-browser --port=8899
#             PAGE=demos.html           for `make demo`: write one file instead, which needs no kernel and no network
#             PYTEST_ARGS="…"           for pytest, e.g. -x
#             JOBS=4                    how many files are tested at a time, with one thread each (2)
#             NOTEBOOKS="…"             the lessons that `make outputs` runs
#             PROFILE=full              for `make outputs`: at full size, to build/full; the stored outputs stay
#             UNITS="…"               the units, or unit/task, of `make kill-matrix`
#             GRADE_ARGS="…"            for `make grade`: a unit, --force, --timeout=120
#             BOARD_ARGS="…"            for `make leaderboard`: --draws=10, --fresh, --seconds=30
#             REHEARSAL_ARGS="kmeans"   for `make rehearsal`: a unit, --students=50, --write, --speed

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
JOBS ?= 2
NOTEBOOKS ?= $(sort $(wildcard notebooks/*.ipynb))
REHEARSAL_ARGS ?= kmeans
BENCHMARKS := $(wildcard benchmarks/__main__.py)
FIRST := notebooks/00_start_here.ipynb

# Looked up before .venv is on the PATH, which may hold an older or broken Python.
FOUND := $(shell command -v $(PYTHON))

# The kernels, nbgrader's alembic and the tests call programs of the environment by name.
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help lab demo install test lint test-unit test-notebooks test-exercises test-browser outputs exercises grade \
	leaderboard kill-matrix rehearsal experiments
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo "make lab          open the course in JupyterLab (the first time installs everything into $(VENV))"
	@echo "make demo         all live demonstrations on one page (PAGE=demos.html writes it to a file)"
	@echo "make test         check it: lint, unit tests, notebooks, exercises, browser"
	@echo "make exercises    write exercises/ from solutions/"
	@echo "make grade        grade the students' notebooks in grading/submitted/"
	@echo "make leaderboard  score the capstone's submissions on held-out pictures"
	@echo "make rehearsal    grade a made-up class of 200, killed twice half-way, and compare the points with what they must be"
	@echo "make kill-matrix  send all known right and wrong answers through the grader; table in solutions/kill_matrix.md"
	@echo "make experiments  run the papers' experiments at full size (hours), results to experiments/results/"
	@$(if $(BENCHMARKS),echo "make bench        time the library against others; results in benchmarks/results.json")
	@echo "make outputs      run the lessons and store their outputs (NOTEBOOKS=notebooks/01_kmeans.ipynb for one;"
	@echo "                  PROFILE=full: at full size, to build/full)"

# --- set-up ------------------------------------------------------------------------------------------------------------

install: $(STAMP)

# Made again when the dependencies change. An environment that has no working pip is made anew.
$(STAMP): pyproject.toml constraints.txt tools/jupyter/lab_settings.json
	@test -n "$(FOUND)" || { echo "$(PYTHON) was not found: install Python 3.10 or newer, or name one: \
	make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(FOUND)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is \
	`"$(FOUND)" --version 2>&1`, but the course needs Python 3.10 or newer. Name one: \
	make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@"$(FOUND)" -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment \
	(module venv or ensurepip is missing). Debian, Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV). PyTorch is large: the first time takes minutes."
	$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(FOUND)" -m venv --clear $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) --constraint constraints.txt --editable ".[test,teach,features]"
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@cp tools/jupyter/lab_settings.json $(VENV)/share/jupyter/lab/settings/overrides.json
	@touch $@

# --- the course --------------------------------------------------------------------------------------------------------

# Jupyter refuses to run as root, as one is in a container, unless told. The tests' file among the lessons is not shown.
lab: $(STAMP)
	$(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/$(FIRST) \
	  --ContentsManager.hide_globs=conftest.py --ContentsManager.hide_globs=__pycache__ \
	  $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

demo: $(STAMP)
	$(BIN)/python tools/demo.py $(if $(PAGE),--page "$(PAGE)",$(LAB_ARGS))

outputs: $(STAMP)
	$(BIN)/python tools/store_outputs.py $(if $(PROFILE),--profile $(PROFILE)) $(NOTEBOOKS)

exercises: $(STAMP)
	$(BIN)/python tools/make_exercises.py

grade: $(STAMP)
	$(BIN)/python tools/grade.py $(GRADE_ARGS)

leaderboard: $(STAMP)
	$(BIN)/python tools/leaderboard.py $(BOARD_ARGS)

rehearsal: $(STAMP)
	$(BIN)/python tools/rehearse.py $(REHEARSAL_ARGS)

kill-matrix: $(STAMP)
	$(BIN)/python tools/kill_matrix.py $(UNITS)

experiments: $(STAMP)
	$(BIN)/python -m experiments

# Only where there are benchmarks.
ifneq ($(BENCHMARKS),)
.PHONY: bench
bench: $(STAMP)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python -m benchmarks
endif

# --- tests: what fails fast comes first --------------------------------------------------------------------------------

test: lint test-unit test-notebooks test-exercises test-browser

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# One thread a job: two jobs that share their cores' threads are slower than one after the other.
# A file is one job's; in the order of tests/conftest.py.
PARALLEL = OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-unit: $(STAMP)
	$(PARALLEL) tests --ignore=tests/browser --ignore=tests/test_exercises.py --ignore=tests/test_judge.py \
	  --ignore=tests/test_grading.py $(PYTEST_ARGS)

test-notebooks: $(STAMP)
	$(PARALLEL) --nbval --nbval-sanitize-with=tests/nbval_sanitize.cfg --nbval-cell-timeout=600 notebooks $(PYTEST_ARGS)
	$(PARALLEL) --nbval-lax --nbval-cell-timeout=600 solutions $(PYTEST_ARGS)

test-exercises: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/test_judge.py tests/test_exercises.py tests/test_grading.py $(PYTEST_ARGS)

test-browser: $(STAMP)
	$(BIN)/pytest tests/browser $(PYTEST_ARGS)
