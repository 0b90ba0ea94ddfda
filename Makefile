# One way to do each thing; `.ci/run` calls only these targets. `make help` lists them.
#
# Set-up is a chain of stamps under .cache/stamps: system packages, then the virtual environment, then the
# engine built into it. A stamp is redone only when what it was made from changes, so a second run starts
# in seconds.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .cache/stamps
# Workers of pytest: one more than there are cores, since tests wait for sockets half of the time.
TEST_WORKERS ?= $(shell expr $$(nproc) + 1)
PYTEST_ARGS ?=
# The release wheel as users have it, and the tests that reach the gateway through its program alone.
WHEEL_VENV := .cache/wheel-venv
WHEEL_TESTS := tests/sdk/python $(addprefix tests/behaviour/,process bytes surfaces)
FUZZ_SECONDS ?= 4
DEMO ?=
DEMO_ARGS ?=
BENCH ?= full
SMUGGLING ?= full
SEED ?=
# `make chaos`: the form, features that scenarios wait for, further options. SEED plays one again.
CHAOS ?= long
CHAOS_WITH ?= retries,fallbacks,commit-point,hedging,h2-upstream
CHAOS_ARGS ?=
CHAOS_RESULT ?= bench/results/chaos.json

# A build in CI may not change the lock file; at the desk it follows the manifests.
LOCKED := $(if $(CI),--locked)
export CARGO_TERM_COLOR ?= never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RUST_SOURCES := $(shell find rust -path rust/fuzz -prune -o \( -name '*.rs' -o -name Cargo.toml -o -name build.rs \) -print)
ENGINE_INPUTS := $(RUST_SOURCES) Cargo.toml $(wildcard Cargo.lock) pyproject.toml
SHELL_SCRIPTS := .ci/run $(shell find scripts deployments bench/peers -name '*.sh' 2>/dev/null)
YAML_FILES := .yamllint .hadolint.yaml $(shell find deployments -name '*.yaml' 2>/dev/null)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sort | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

# --- set-up -----------------------------------------------------------------------------------------------

$(STAMPS)/system-%: scripts/system-packages.sh
	@mkdir -p $(STAMPS)
	@scripts/system-packages.sh $*
	@touch $@

$(STAMPS)/venv: requirements/dev.txt | $(STAMPS)/system-build
	@echo "· virtual environment $(VENV) (the first time takes half a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

$(STAMPS)/engine: $(ENGINE_INPUTS) $(STAMPS)/venv
	@echo "· engine (the first time compiles every dependency: a few minutes)"
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop $(LOCKED) --quiet >$(STAMPS)/engine.log 2>&1 \
	  || { cat $(STAMPS)/engine.log >&2; exit 1; }
	@touch $@

$(STAMPS)/vocabularies: requirements/vocabularies.txt | $(STAMPS)/venv
	@rm -rf .cache/vocabularies
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps --target .cache/vocabularies -r $<
	@touch $@

$(STAMPS)/node: $(wildcard tests/sdk/node/package-lock.json) | $(STAMPS)/system-test
	@if [ -f tests/sdk/node/package-lock.json ]; then npm ci --prefix tests/sdk/node --ignore-scripts --no-audit --no-fund --loglevel=error; fi
	@touch $@

# --- the product ------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(STAMPS)/engine ## build what is missing, start the gateway, show a streamed answer (DEMO=once: and end)
	@$(BIN)/llm-edge-agent demo $(if $(filter once,$(DEMO)),--once) $(DEMO_ARGS)

.PHONY: build
build: $(STAMPS)/venv ## release wheel in dist/, laid out by a profile (PROFILE=none: without, in half the time)
	@rm -rf dist && mkdir -p dist
	@scripts/wheel.sh dist
	@ls -l dist

.PHONY: image
image: ## the container image, built without a container engine, booted read-only and asked (needs root)
	@deployments/standalone/docker/build-without-engine.sh

.PHONY: gen
gen: $(STAMPS)/engine ## write the generated pages under docs/reference and docs/operate
	@$(BIN)/python scripts/gen.py
	@UPDATE_PAGES=1 cargo test --package llm-edge-core --test pairs $(LOCKED) --quiet >/dev/null

.PHONY: docs
docs: gen ## reference pages, and the Rust documentation under target/doc
	@cargo doc --workspace --no-deps --quiet $(LOCKED)

# --- tests ------------------------------------------------------------------------------------------------

.PHONY: test
test: unit behaviour h2spec smuggling-quick asymmetry chaos-short fuzz bench-gate ## everything that must pass, set-up included

.PHONY: unit
unit: unit-rust unit-python ## Rust tests and doctests; Python tests that start no process

.PHONY: unit-rust
unit-rust: $(STAMPS)/system-build
	cargo test --workspace --features llm-edge-engine/fail-points $(LOCKED) --no-fail-fast

.PHONY: unit-python
unit-python: $(STAMPS)/engine $(STAMPS)/system-test $(STAMPS)/vocabularies
	$(BIN)/python -m pytest -n $(TEST_WORKERS) $(PYTEST_ARGS) $(wildcard tests/unit tests/golden tests/architecture tests/schemas)

.PHONY: behaviour
behaviour: $(STAMPS)/engine $(STAMPS)/system-test $(STAMPS)/node ## tests through real sockets, processes and SDKs
	$(BIN)/python -m pytest -n $(TEST_WORKERS) $(PYTEST_ARGS) tests \
	  --ignore=tests/unit --ignore=tests/golden --ignore=tests/architecture --ignore=tests/schemas

# The tests' own Python imports the package of this tree, the engine in it; what they start is the wheel's.
.PHONY: test-wheel
test-wheel: build $(STAMPS)/engine $(STAMPS)/system-test $(STAMPS)/node ## SDKs, processes, bytes and surfaces against the installed release wheel
	@rm -rf $(WHEEL_VENV) && $(PYTHON) -m venv $(WHEEL_VENV)
	@$(WHEEL_VENV)/bin/pip install --quiet --no-deps --require-hashes -r requirements/runtime.txt
	@$(WHEEL_VENV)/bin/pip install --quiet --no-deps --no-index dist/*.whl
	LLM_EDGE_AGENT=$(abspath $(WHEEL_VENV)/bin/llm-edge-agent) \
	  $(BIN)/python -m pytest -n $(TEST_WORKERS) $(PYTEST_ARGS) $(WHEEL_TESTS)

.PHONY: chaos
chaos: $(STAMPS)/engine ## faults against the real gateway, every reply judged (CHAOS=short: three minutes)
	@cargo run --quiet $(LOCKED) -p llm-edge-mock --bin llm-edge-chaos -- --form $(CHAOS) \
	  --gateway $(BIN)/llm-edge-agent $(if $(SEED),--seed $(SEED)) $(if $(CHAOS_WITH),--with $(CHAOS_WITH)) \
	  $(if $(filter long,$(CHAOS)),--result $(CHAOS_RESULT)) $(CHAOS_ARGS)

.PHONY: chaos-short
chaos-short: $(STAMPS)/engine
	@$(MAKE) --no-print-directory chaos CHAOS=short

.PHONY: compare
compare: $(STAMPS)/engine ## the oracle's faults against LiteLLM too; writes docs/operate/comparison.md
	@scripts/compare.sh $(SEED)

.PHONY: fuzz
fuzz: $(STAMPS)/system-test ## a few seconds of each fuzz target (FUZZ_SECONDS=600 for a long run)
	@scripts/fuzz.sh $(FUZZ_SECONDS)

.PHONY: smuggling
smuggling: $(STAMPS)/engine $(STAMPS)/system-origins ## vectors through the gateway to real servers (SMUGGLING=quick, full, long)
	@scripts/smuggling.sh $(SMUGGLING) $(SEED)

.PHONY: smuggling-quick
smuggling-quick: $(STAMPS)/engine $(STAMPS)/system-origins
	@scripts/smuggling.sh quick

.PHONY: asymmetry
asymmetry: $(STAMPS)/engine ## what an attacker's byte costs in memory and processor time (bound: 100 times)
	@$(BIN)/python -m scripts.asymmetry

.PHONY: h2spec
h2spec: $(STAMPS)/engine ## HTTP/2 and HPACK conformance, on a plain and on a TLS listener
	@scripts/h2spec.sh

.PHONY: bench
bench: $(STAMPS)/venv $(STAMPS)/system-bench ## measure against nginx (BENCH=quick: five minutes after the build)
	@scripts/bench.sh $(BENCH)

.PHONY: bench-gate
bench-gate: $(STAMPS)/system-test ## instructions per request against the committed baseline (+3 % fails)
	@scripts/bench.sh gate

# --- under load: each prints a table and, last, one line of JSON; RESULT=file keeps it ---------------------

OVERLOAD ?= full
SOAK ?= short
STREAMS ?= 500
LIFECYCLE ?= full

.PHONY: overload
overload: $(STAMPS)/venv $(STAMPS)/system-bench ## two, five and ten times the capacity of half a core (needs root)
	@scripts/bench.sh overload $(OVERLOAD)

.PHONY: soak
soak: $(STAMPS)/venv ## mixed traffic for 15 minutes: nothing grows (SOAK=long: two hours; SOAK=smoke: one minute)
	@scripts/bench.sh soak $(SOAK)

.PHONY: readers
readers: $(STAMPS)/venv $(STAMPS)/system-bench ## 500 clients that stop reading: what they hold, whom they hold up
	@scripts/bench.sh readers $(STREAMS)

.PHONY: lifecycle
lifecycle: $(STAMPS)/venv ## drain, 50 restarts and 1,000 reloads under load: nobody notices (LIFECYCLE=smoke: one minute)
	@scripts/bench.sh lifecycle $(LIFECYCLE)

.PHONY: savings
savings: $(STAMPS)/engine ## what the cheapest model of a class saves on real traffic's sizes, by the catalog
	@RESULT=bench/results/savings.json $(BIN)/python -m bench.savings

# --- lint -------------------------------------------------------------------------------------------------

.PHONY: lint
lint: lint-rust lint-python lint-files lint-deps ratchets ## every check that runs nothing of the product

.PHONY: lint-rust
lint-rust: $(STAMPS)/system-build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features llm-edge-engine/fail-points $(LOCKED) --quiet -- -D warnings

.PHONY: lint-python
lint-python: $(STAMPS)/engine
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/stubtest --ignore-disjoint-bases llm_edge_agent._engine

.PHONY: lint-files
lint-files: $(STAMPS)/engine
	$(BIN)/shellcheck $(SHELL_SCRIPTS)
	$(BIN)/yamllint --strict $(YAML_FILES)
	$(BIN)/hadolint Dockerfile
	$(BIN)/python scripts/gen.py --check
	$(BIN)/python -m bench.report --check
	$(BIN)/python -m bench.peers.page --check

.PHONY: lint-deps
lint-deps: $(STAMPS)/venv
	@scripts/cargo-deny.sh

.PHONY: ratchets
ratchets: $(STAMPS)/venv
	@$(BIN)/python scripts/ratchets.py

.PHONY: fmt
fmt: $(STAMPS)/venv ## write the formatting that `make lint` asks for
	cargo fmt --all
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

.PHONY: lock
lock: $(STAMPS)/venv ## pin requirements/dev.txt anew from pyproject.toml
	@scripts/lock.sh

.PHONY: clean
clean: ## remove everything that the targets made
	rm -rf target dist $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	  bench/.work tests/sdk/node/node_modules python/llm_edge_agent/*.so
