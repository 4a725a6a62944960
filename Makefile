# Everything a newcomer, a contributor and CI do here. `make help` lists it.
# Nothing is needed before a target: each brings its own set-up, and a second run of it costs nothing.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

# Downloads are kept in the tree, so that nothing of ours is left elsewhere.
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export npm_config_cache := $(CURDIR)/.cache/npm
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export npm_config_update_notifier := false

BIN := .venv/bin
VENV_PYTHON := $(BIN)/python
# pip, that of a new environment too, asks rustc for its version, and a rustc of rustup's then writes into the home folder.
export RUSTUP_HOME := $(CURDIR)/.cache/rustup
# And the C compiler of the Solana programs keeps its own runtime there, unless told where.
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/.cache/zig
PIP := $(VENV_PYTHON) -m pip
FORGE := contracts/evm/script/forge.sh

PYTHON_READY := .venv/.locked
PACKAGE_READY := .venv/.package
NODE_READY := node_modules/.locked
FRESH := tests/e2e/fresh_projects
FRESH_READY := $(FRESH)/node_modules/.locked
SIMULATE := tests/cosmwasm/differential
SIMULATE_READY := $(SIMULATE)/node_modules/.locked
SLITHER_READY := .cache/slither/.locked

.PHONY: help setup demo test test-contracts test-python fuzz-svm fuzz-cosmwasm check coverage-contracts slither storm bench bench-micro bench-start soak mutants lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(PACKAGE_READY) $(NODE_READY) ## make .venv and node_modules, everything locked

demo: setup ## EVM, Solana and CosmWasm chains, four relayers, requests between all; KEEP=1 leaves it running
	@$(BIN)/xvm demo $(if $(KEEP),--keep)

test: test-contracts test-python ## what a newcomer and CI run: contracts, then Python
	@echo "test: left out, because they take long: make storm, make mutants, FOUNDRY_FUZZ_RUNS=100000 make test-contracts"

test-contracts: setup
	@$(FORGE) test

# Files of tests share the cores; those that start chains and relayers mostly wait for blocks.
test-python: setup $(FRESH_READY) $(SIMULATE_READY)
	@$(VENV_PYTHON) -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --max-worker-restart 0

fuzz-svm: setup ## a minute of any data and accounts against the Solana program; EXAMPLES=
	@SVM_FUZZ_EXAMPLES=$(or $(EXAMPLES),16000) $(VENV_PYTHON) -m pytest -q --timeout 600 tests/svm/program/test_fuzz.py

fuzz-cosmwasm: setup ## a minute of any messages, answers and code against the CosmWasm gateway and its host; EXAMPLES=
	@COSMWASM_FUZZ_EXAMPLES=$(or $(EXAMPLES),3600) $(VENV_PYTHON) -m pytest -q --timeout 600 \
	  tests/cosmwasm/contract/test_fuzz.py tests/cosmwasm/host/test_fuzz.py

check: setup ## lint, types, import rules, artifacts, locks; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	node_modules/.bin/pyright --warnings
	$(BIN)/lint-imports
	$(FORGE) fmt --check
	node contracts/evm/script/build_artifacts.cjs --check
	node examples/ask_and_answer/build.cjs --check
	$(VENV_PYTHON) contracts/svm/build/build_program.py --check
	$(VENV_PYTHON) contracts/cosmwasm/build/build_contracts.py --check
	$(VENV_PYTHON) scripts/check_locks.py

coverage-contracts: setup ## which branches of the contracts the tests reach; fails below the bar
	@mkdir -p .cache; contracts/evm/script/coverage.sh "$(CURDIR)/.cache/contracts.lcov" > .cache/coverage.log || { tail -n 40 .cache/coverage.log; exit 1; }
	@$(VENV_PYTHON) scripts/check_contract_coverage.py .cache/contracts.lcov

slither: setup $(SLITHER_READY) ## Slither over the contracts; fails on a finding that docs/reference/slither.md does not answer
	@contracts/evm/script/slither.sh "$(CURDIR)/.cache/slither/bin/slither" "$(CURDIR)/.cache/slither/report.json"
	@$(VENV_PYTHON) scripts/check_slither.py .cache/slither/report.json

storm: setup ## a devnet under kill -9, reorgs, lying endpoints and a byzantine node; SEED= REQUESTS= SECONDS= VMS= (ten minutes)
	@$(VENV_PYTHON) -m tests.chaos.storm $(if $(SEED),--seed $(SEED)) $(if $(REQUESTS),--requests $(REQUESTS)) \
	  $(if $(SECONDS),--seconds $(SECONDS)) $(if $(VMS),--vms $(VMS))

bench: setup ## what a load costs and how long it takes; BENCH="--mode query --rate 500 --seconds 60"
	@$(BIN)/xvm bench $(or $(BENCH),--rate 50 --seconds 20)

bench-micro: setup ## parts of a relayer by themselves, in CPU time, as one JSON object
	@$(VENV_PYTHON) -m tests.bench

bench-start: setup ## how long a node with a million finished requests takes to be ready; REQUESTS=
	@$(VENV_PYTHON) -m tests.bench.start $(or $(REQUESTS),1000000)

soak: setup ## a held load for long, and whether memory grows; SECONDS= RATE= (an hour, 20 a second)
	@$(BIN)/xvm bench --rate $(or $(RATE),20) --seconds $(or $(SECONDS),3600) --block-time 3

mutants: setup ## change the pure core in every small way and see a test fail (an hour)
	@$(BIN)/mutmut run && $(BIN)/mutmut results

lock: setup ## renew requirements.lock and package-lock.json (needs uv on PATH, and the registries)
	uv pip compile pyproject.toml --group dev --extra svm --extra cosmwasm --universal --generate-hashes --only-binary :all: \
	  --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.lock
	echo slither-analyzer | uv pip compile - --universal --generate-hashes --only-binary :all: --python-version 3.11 \
	  --no-emit-index-url --no-header --no-annotate --quiet --output-file contracts/evm/script/slither.lock
	npm install --package-lock-only --ignore-scripts
	npm --prefix $(FRESH) install --package-lock-only --ignore-scripts
	npm --prefix $(SIMULATE) install --package-lock-only --ignore-scripts
	$(VENV_PYTHON) scripts/complete_lock.py

clean: ## remove everything that the other targets made
	rm -rf .venv node_modules $(FRESH)/node_modules $(SIMULATE)/node_modules .cache .devnet .storm .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	  .coverage dist contracts/evm/out contracts/evm/cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that is there is brought up to date in place: something may be running in it.
$(PYTHON_READY): requirements.lock scripts/find_python.sh scripts/find_node.sh
	@sh scripts/find_node.sh || exit 1; \
	python=$$(sh scripts/find_python.sh) || exit 1; \
	echo "setup: Python packages into .venv, with $$python; some 200 MB, a minute where the network is quick"; \
	$(VENV_PYTHON) -c '' 2>/dev/null || "$$python" -m venv --clear .venv || exit 1; \
	$(PIP) install --quiet --only-binary :all: --require-hashes -r requirements.lock
	@touch $@

# An environment of its own: it asks for other versions of what the relayer uses.
$(SLITHER_READY): contracts/evm/script/slither.lock | $(PYTHON_READY)
	@echo "slither: its packages into .cache/slither"; \
	$(VENV_PYTHON) -m venv --clear .cache/slither || exit 1; \
	.cache/slither/bin/python -m pip install --quiet --only-binary :all: --require-hashes -r $<
	@touch $@

$(PACKAGE_READY): $(PYTHON_READY) pyproject.toml
	@$(PIP) install --quiet --no-build-isolation --no-deps -e .
	@touch $@

$(NODE_READY): package.json package-lock.json .npmrc scripts/find_node.sh
	@sh scripts/find_node.sh || exit 1; \
	echo "setup: anvil, forge, cast, solc and OpenZeppelin into node_modules"; \
	npm ci --ignore-scripts --loglevel=error
	@touch $@

# Only the tests of fresh projects need it: a newcomer's demo does not wait for it.
$(FRESH_READY): $(FRESH)/package.json $(FRESH)/package-lock.json
	@echo "setup: Hardhat and a Node for it into $(FRESH)/node_modules"; \
	npm --prefix $(FRESH) ci --ignore-scripts --loglevel=error
	@touch $@

# Nor for another chain to hold the devnet's against.
$(SIMULATE_READY): $(SIMULATE)/package.json $(SIMULATE)/package-lock.json
	@echo "setup: cw-simulate into $(SIMULATE)/node_modules, some 130 MB"; \
	npm --prefix $(SIMULATE) ci --ignore-scripts --loglevel=error
	@touch $@
