# What there is to do with Takehome. It needs Python 3.11 or newer and make; everything else it installs into .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
ITSELF := install --no-index --no-deps --no-build-isolation --editable .
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" --group build

.PHONY: demo test bench attack dictionary measures acts permissions licences sbom lock format clean

demo: .venv/.installed  ## A clinic to try, on this computer alone.
	@$(BIN)/dispensary demo

test: .venv/.installed-for-tests  ## Every check and every test.
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n auto --maxprocesses 4

bench: .venv/.installed-for-tests  ## Every figure that is claimed, measured here.
	$(BIN)/python -m benchmarks

attack: .venv/.installed-for-tests  ## Every attack on the house at full length; the table in docs/security.md.
	$(BIN)/python -m tests.attack

dictionary: .venv/.installed-for-tests  ## Writes docs/data-dictionary.md from the tables as they are.
	$(BIN)/python docs/data_dictionary.py

measures: .venv/.installed  ## Writes docs/measures.md from the measures as they are.
	$(BIN)/python docs/measures.py

licences: .venv/.installed-for-tests  ## Writes docs/licences.md from what is installed.
	$(BIN)/python docs/supply_chain.py

sbom: .venv/.installed-for-tests  ## Writes build/takehome.cdx.json, the bill of materials of what a clinic installs.
	$(BIN)/python docs/supply_chain.py sbom build/takehome.cdx.json

acts: .venv/.installed  ## Writes docs/acts.md from the acts of programmes as they are.
	$(BIN)/python docs/acts.py

permissions: .venv/.installed  ## Writes docs/permissions.md from the document as it is.
	$(BIN)/python docs/permissions.py

format: .venv/.installed-for-tests
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix .

# A newer release of anything comes in by this alone. The tests run on the very versions that the clinic runs on.
lock: .venv/.installed
	$(PIP) install uv
	$(LOCK) $(UPGRADE) --output-file requirements.lock pyproject.toml
	$(LOCK) $(UPGRADE) --output-file requirements-test.lock --constraint requirements.lock --extra test pyproject.toml

clean:  # Never the data folder.
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache test-output
	find dispensary scheduling notifications tests -name __pycache__ -prune -exec rm -rf {} +

.venv/.installed: .venv/pyvenv.cfg requirements.lock pyproject.toml
	@echo "Installing Takehome into .venv; this takes a minute or two, once."
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) $(ITSELF)
	@touch $@

.venv/.installed-for-tests: .venv/pyvenv.cfg requirements.lock requirements-test.lock pyproject.toml
	@echo "Installing Takehome and its tests' tools into .venv; this takes a minute or two, once."
	@$(PIP) install --require-hashes --requirement requirements-test.lock
	@$(PIP) $(ITSELF)
	@touch .venv/.installed $@

.venv/pyvenv.cfg:
	$(if $(PROBLEM),$(error $(PROBLEM)))
	@$(PYTHON) -m venv --clear .venv

PROBLEM = $(shell $(PYTHON) -c 'import sys; version = sys.version_info[:2]; print( \
	"Takehome needs Python 3.11 or newer; this is %d.%d. Name another one: make demo PYTHON=python3.12" % version \
	if version < (3, 11) else "" if __import__("importlib.util").util.find_spec("ensurepip") else \
	"This Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv")' 2>/dev/null \
	|| echo "Takehome needs Python 3.11 or newer, and there is no $(PYTHON) here. Name another one: make demo PYTHON=python3.12")

# The system's Python was replaced since .venv was made: make it anew.
ifneq ($(wildcard .venv/pyvenv.cfg),)
ifneq ($(shell $(BIN)/python -c 'print("works")' 2>/dev/null),works)
.PHONY: .venv/pyvenv.cfg
endif
endif
