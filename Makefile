# Two commands are all that is needed on a new machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp-$(shell cat requirements.lock pyproject.toml | sha256sum | cut -c1-16)

.PHONY: help setup demo test check fix migrate serve lock mutants planted-bugs fuzz simulate faults soak-periods

help: ## list what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make .venv from the hashed lock

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	rm -f $(VENV)/.stamp-*
	touch $@

demo: setup ## thirteen months of renewals on SQLite and the sandbox, then the API stays up
	$(BIN)/billing demo

test: check ## all tests; BILLING_TEST_REQUIRE=all turns every skip into a failure
	$(BIN)/pytest -n 2 --dist loadgroup

check: setup ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup ## format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

migrate: setup ## bring the configured database to the newest schema
	$(BIN)/billing migrate

serve: setup ## API, clock and loops
	$(BIN)/billing serve

lock: setup ## write requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 -o requirements.lock

mutants: setup ## change the domain a little at a time: do its tests notice? about twenty minutes
	$(BIN)/python tests/mutants/report.py

SEEDS ?= 100

simulate: setup ## lives against a provider with faults, on a clock of its own: make simulate SEEDS=100
	$(BIN)/python tests/simulation/run.py --seeds $(SEEDS) --jobs 2

faults: setup ## kill thousands of workers with SIGKILL, on both databases and both generations: about an hour
	$(BIN)/python tests/faults/run.py

fuzz: setup ## changed bytes at every parser that reads what others wrote, for five minutes
	$(BIN)/python tests/fuzz/run.py --seconds 300

planted-bugs: setup ## put known mistakes into a copy of the code, one by one: do the tests notice? about fifteen minutes
	$(BIN)/python tests/planted/run.py

soak-periods: setup ## periods tile in every zone of the world, from 1990 to 2040; minutes
	$(BIN)/python tests/soak/periods.py
