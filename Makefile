# Targets for people; each sets up what it needs. `make` lists them.

UV_VERSION := 0.13.9
DUMP ?=
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo ui test lint fmt lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.done ## Install everything into .venv

# Bytecode is compiled once here; otherwise the first start of every command would pay for it.
.venv/.done: pyproject.toml setup.cfg constraints.txt
	@command -v python3 >/dev/null || { echo "error: python3 (3.11 or newer) is not on PATH"; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, this is $$(python3 --version)"; exit 1; }
	@test -x $(BIN)/python || python3 -m venv .venv
	@echo "installing (a minute on a fresh machine)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup ## Load a dump and show the lake: made-up data, or DUMP=folder
ifeq ($(DUMP),)
	$(BIN)/olist generate .olist/generated
endif
	$(BIN)/olist deliver '$(or $(DUMP),.olist/generated)'
	$(BIN)/olist run
	$(BIN)/olist status
	$(BIN)/olist sql --file docs/questions/headline.sql
	@echo
	@echo 'Next: make ui                           the lineage in a browser, at http://127.0.0.1:3000'
	@echo '      $(BIN)/olist sql "select ..."   your own questions, as in docs/questions'
	@echo '      $(BIN)/olist --help             all commands'

ui: setup ## Open Dagit on the lake
	@$(BIN)/olist ui

test: setup lint ## Lint, check types and imports, run all tests
	@$(BIN)/python -m pytest

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports
	@$(BIN)/pyright

fmt: setup ## Format the code and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: setup ## Renew constraints.txt, the versions that are tested
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml --output-file constraints.txt

clean: ## Remove the environment, the lake and all that was built
	rm -rf .venv .olist build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
