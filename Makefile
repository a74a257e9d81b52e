# Everything runs in the image (docs/decisions/0001): a fresh Debian needs git, make and root.
.DEFAULT_GOAL := help
.PHONY: help image demo up down status test check format bench lock clean
SHELL := /bin/bash

enter := image/enter
alone := image/enter --private-net

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

image: ## build the image and the Python environment where they are missing
	@image/build

demo: image ## a whole edge, simulated operators, real calls: what happened to each
	@$(alone) python -m demo

up: image ## the same edge, kept running on this machine's loopback
	@tools/up

status: image ## what `make up` started, and how it is
	@$(enter) python -m demo status

down: image ## end what `make up` started
	@tools/down

test: image ## all tests
	@$(alone) pytest -q

check: image ## formatting, lint, types, import rules, configuration
	@$(enter) tools/check

format: image ## format the sources
	@$(enter) ruff format -q .
	@$(enter) ruff check -q --fix-only .

bench: image ## the edge beside a native configuration on the same calls; writes var/bench/report.json
	@$(alone) python -m tests.load.bench

lock: image ## write requirements.lock anew from pyproject.toml
	@tools/lock

clean: ## remove what was built from this checkout (not the shared cache)
	@rm -rf var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
