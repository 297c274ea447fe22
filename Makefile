# Needs Python 3.11 or later and make. Every target sets itself up: the first one makes .venv, later ones reuse it.
# Another interpreter: make test PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test fuzz lint type docs bench clean

# Fit NIST's 27 certified data sets and draw them.
demo: $(READY)
	$(BIN)/wengert demo --figure build/nist-fits.png

# All tests, and every example in a docstring.
test: $(READY)
	$(BIN)/python -m pytest -n 2

# Random Programs, machine code against NumPy: 24,000 of them, for a night. Others: make fuzz FUZZ_SEED=7
FUZZ_SEED ?= 0
fuzz: $(READY)
	FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest -n 2 -m slow tests/native/test_fuzz.py

lint: $(READY)
	$(BIN)/ruff check .

type: $(READY)
	$(BIN)/mypy

# The pages of the documentation that are made from the code.
docs: $(READY)
	for page in tools/*.py tests/rules/kinks_table.py tests/rules/accuracy_table.py; do $(BIN)/python $$page || exit 1; done

bench: $(READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is newer than pyproject.toml once everything it names is installed.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is missing or older than 3.11. Try: make PYTHON=/path/to/python3.11 <target>"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)
