# make demo and make test are all that is needed on a machine with Python 3.11 to 3.13; `make help` lists the rest.

VENV ?= .venv
BIN := $(VENV)/bin
# The first of these that runs. A version manager's shim may exist for a version that is not there.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
UI ?= 1
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# Neither the demo nor the tests may reach a real database or portal.
OWN := env -u HUBSPOT_TOKEN -u HUBSPOT_BASE_URL -u IC_POSTGRES_URL -u DAGSTER_HOME

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-long soak bench check docs up install install-dev wheel clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: install ## A sample drop through the whole graph into a local HubSpot; UI=0 returns at the end
	@$(OWN) $(BIN)/ic-assets demo $(if $(filter 0,$(UI)),--no-ui)

up: install ## Serve Dagster's UI and daemon with everything they need
	@$(BIN)/ic-assets up

test: install-dev ## The tests: about 10 minutes on two cores
	@echo 'The tests take about 10 minutes on two cores; make test-fast takes one.'
	@$(OWN) -u IC_HOME -u IC_DROP_DIR $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

test-long: install-dev ## What make test leaves out: more seeds and examples, crashes of workers, the benchmark's own test
	@$(OWN) -u IC_HOME -u IC_DROP_DIR $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'long or hypothesis' \
		--hypothesis-profile=many $(PYTEST)

test-fast: install-dev ## The tests without servers and browsers
	@$(OWN) -u IC_HOME -u IC_DROP_DIR $(BIN)/python -m pytest -m 'not server and not long and not soak' $(PYTEST)

soak: install-dev ## Thousands of faults, kills and corrections against the push; SOAK=500 for a shorter run (docs/soak.md)
	@$(OWN) -u IC_HOME -u IC_DROP_DIR $(BIN)/python -m ic_assets_tests.soak --schedules $(or $(SOAK),10000)

bench: install-dev ## Measure against a bare COPY and the usual loader, into bench/; BENCH_ROWS="100000 500000" for other sizes
	@$(OWN) -u IC_HOME -u IC_DROP_DIR $(BIN)/python -m ic_assets_tests.bench --out $(or $(BENCH_OUT),bench) \
		$(if $(BENCH_ROWS),--rows "$(BENCH_ROWS)") $(BENCH)

check: install-dev ## Format, lint, imports, types, definitions
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/sqlfluff lint --processes 2 sql
	@$(BIN)/mypy
	@$(OWN) $(BIN)/dg check defs --use-active-venv

docs: install-dev ## Draw the graph, the ERD, the decision tree and the data dictionary again
	@$(OWN) -u IC_HOME -u IC_DROP_DIR $(BIN)/python docs/graph.py
	@$(OWN) -u IC_HOME -u IC_DROP_DIR $(BIN)/python docs/tables.py

install: $(VENV)/.installed ## The virtual environment with what the product needs
install-dev: $(VENV)/.installed-dev ## The same with what its tests need

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "ic_assets needs Python 3.11, 3.12 or 3.13; none of them runs here" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python -m venv failed; on Debian and Ubuntu install python3-venv" >&2; exit 2; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing ic_assets into $(VENV) …"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing ic_assets and its development tools into $(VENV) …"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

wheel: install-dev ## Build the wheel into dist/
	@rm -rf build dist
	@$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	@ls dist

clean: ## Remove the virtual environment and build results; data in .ic_assets stays
	@rm -rf $(VENV) build dist *.egg-info
