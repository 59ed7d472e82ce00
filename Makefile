# Everything a fresh clone needs is python3 (3.11 or newer) and make: each target sets up .venv first.
#
#   make demo      train the two classification assignments on both backends and compare
#   make test      style, types, who may import whom, and the tests
#   make test-all  the same with the slow tests
#   make lint      style: ruff
#   make types     types: mypy
#   make imports   who may import whom: import-linter
#   make bench     training and inference beside native loops, Keras and Lightning
#   make docs      the documentation site, lessons executed, in build/site
#   make lock      resolve requirements.lock anew
#   make clean     remove what make and the tests have built, .venv included

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
READY := $(VENV)/.ready

# Threads that wait for each other must not spin: beside each other under pytest -n, small steps of training
# otherwise take ten times as long and more. Alone on a machine they take a quarter of the time if they do.
test test-all array-api docs: export OMP_WAIT_POLICY ?= passive

.PHONY: help demo test test-all array-api bench docs lint types imports lock clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(READY)
	$(BIN)/dualnn run iris --backend both
	$(BIN)/dualnn run digits --backend both

test: lint types imports
	DUALNN_BACKEND=tensorflow $(BIN)/pytest -q -n 2 dualnn dualnn_tf --ignore dualnn/conformance/test_conformance.py
	DUALNN_BACKEND=torch $(BIN)/pytest -n 2 -m "not slow" tests dualnn dualnn_torch

test-all: lint types imports
	DUALNN_BACKEND=tensorflow $(BIN)/pytest -q -n 2 dualnn dualnn_tf --ignore dualnn/conformance/test_conformance.py
	DUALNN_BACKEND=torch $(BIN)/pytest -n 2 tests dualnn dualnn_torch

array-api: $(READY)
	$(BIN)/python tests/array_api/run_suite.py $(SUITE) --backend torch -- -n 2
	$(BIN)/python tests/array_api/run_suite.py $(SUITE) --backend tensorflow -- -n 2

bench: $(READY)
	$(BIN)/dualnn bench
	$(BIN)/pytest bench/test_fit.py --benchmark-group-by=group --benchmark-sort=median --benchmark-columns=min,median,max
	$(BIN)/pytest bench/test_calls.py --benchmark-group-by=param:backend,param:call --benchmark-columns=min,median

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 DUALNN_RUN_LESSONS=1 $(BIN)/mkdocs build --strict

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

# The stamp is written last, so a set-up that failed or was interrupted is done again.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("dualnn needs Python 3.11 or newer, and $(PYTHON) is %d.%d; try: make PYTHON=python3.11" % sys.version_info[:2])'
	@test -x $(BIN)/python || echo "Setting up $(VENV); the first time this downloads the frameworks and takes minutes."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) install -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Pins that still fit are kept; delete a line of the lock to have it resolved anew. A PyTorch wheel for
# one kind of device has a local version (+cpu), which the lock must not name: any build will do.
lock: $(READY)
	@$(PIP) install pip-tools
	$(BIN)/pip-compile --quiet --extra dev --allow-unsafe --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml
	sed -i -e '/^dualnn @/d' -e '/^#/d' -e '/^$$/d' -e 's/+cpu$$//' \
		-e '1i # Everything for development on Python 3.11 and Linux; made by: make lock' requirements.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
