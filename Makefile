# `make help` lists the targets. All that is needed is git, make and a Python of at least 3.11.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/bin
UV := .uv/bin/uv

# uv brings its own certificates; a machine that has added an authority of its own needs the system's.
export UV_SYSTEM_CERTS ?= 1
# An empty environment is enough.
ifeq ($(PATH),)
export PATH := /usr/local/bin:/usr/bin:/bin
endif
ifeq ($(HOME),)
export UV_CACHE_DIR ?= $(CURDIR)/.uv/cache
endif

JOBS ?= 2
SEEDS ?= 100000
FIRST ?= 0
EXAMPLES ?= 20
MINUTES ?= 5
TARGET ?= local

# What the functions are built for. The template's defaults are the same; pass both when you change one.
RUNTIME ?= python3.13
ARCHITECTURE ?= arm64
APPLICATION_PACKAGES ?= examples
APPLICATION_REQUIREMENTS ?=

SAM_VERSION := 1.170.0
SAM = SAM_CLI_TELEMETRY=0 RUNTIME=$(RUNTIME) ARCHITECTURE=$(ARCHITECTURE) \
	$(UV) tool run --quiet --python $(PYTHON) --from aws-sam-cli==$(SAM_VERSION) sam
SAM_PARAMETERS = Runtime=$(RUNTIME) Architecture=$(ARCHITECTURE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# --- set-up ----------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: $(VENV)/.stamp ## Create .venv with the locked dependencies (the other targets do it when it is needed)

$(UV): requirements/uv.lock
	@test -n "$(PYTHON)" || { echo "error: no Python of at least 3.11 was found; run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than Python 3.11; run make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv --clear .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

$(VENV)/.stamp: $(UV) requirements/dev.lock pyproject.toml
	$(UV) venv --quiet --clear --python $(PYTHON) --no-python-downloads $(VENV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: lock
lock: $(UV) ## Resolve the dependencies again, keeping what still fits (UPGRADE=--upgrade takes the newest)
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 $(UPGRADE) requirements/uv.in -o requirements/uv.lock
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 $(UPGRADE) --all-extras --group dev \
		pyproject.toml -o requirements/dev.lock
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --constraint requirements/dev.lock \
		pyproject.toml -o requirements/functions.lock

# --- everyday --------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.stamp ## Run the example application on the local cloud, with crashes
	$(BIN)/python -m examples.orders.demo

.PHONY: test
test: $(VENV)/.stamp ## Run the tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --max-worker-restart 2 $(ARGS)

.PHONY: simulate
simulate: $(VENV)/.stamp ## Play seeds of the simulation: random programs, clients and faults (SEEDS=100000, FIRST=0)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST)

.PHONY: explore
explore: $(VENV)/.stamp ## Explore every order of requests of the protocol, larger configurations included (minutes to hours)
	$(BIN)/python -m tests.simulation.exhaustive

.PHONY: fuzz
fuzz: $(VENV)/.stamp ## Play new examples of the fuzz tests (EXAMPLES=20: how many times as many as make test)
	FUZZ=$(EXAMPLES) $(BIN)/python -m pytest -n $(JOBS) --timeout 3600 tests/fuzz $(ARGS)

.PHONY: contract
contract: $(VENV)/.stamp ## Hold the store to its contract on ministack, which is downloaded
	$(BIN)/python -m tests.protocol.ministack

.PHONY: soak
soak: $(VENV)/.stamp ## Run the application on real processes with faults at everything (MINUTES=5, TARGET=local or ministack)
	$(BIN)/python -m tests.soak --target $(TARGET) --minutes $(MINUTES) $(ARGS)

.PHONY: lint
lint: $(VENV)/.stamp ## Check style, types and the template
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/cfn-lint template.yaml

.PHONY: format
format: $(VENV)/.stamp ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(VENV)/.stamp ## Count requests and write units, measure CPU
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: dev
dev: $(VENV)/.stamp ## Run the local cloud with the example application, reloading on change
	$(BIN)/durability dev $(ARGS)

# --- deployment ------------------------------------------------------------------------------------------------------

BUNDLE = build/bundle-$(RUNTIME)-$(ARCHITECTURE)
BUNDLE_PYTHON = $(patsubst python%,%,$(RUNTIME))
BUNDLE_PLATFORM = $(if $(filter arm64,$(ARCHITECTURE)),aarch64,x86_64)-manylinux_2_28
BUNDLE_SOURCES = $(shell find durability functions $(APPLICATION_PACKAGES) -type f -not -name '*.pyc' | sort)

.PHONY: bundle
bundle: $(BUNDLE)/.stamp ## Collect what the functions need: code, locked dependencies, compiled bytecode

# Bytecode is read only by the minor version that wrote it, hence the runtime's own interpreter. It is not checked against
# the source at import: the bundle is never edited, and its files' times do not survive the upload.
.SECONDEXPANSION: # so that sources are only searched for when a bundle is wanted
$(BUNDLE)/.stamp: $(UV) requirements/functions.lock $(APPLICATION_REQUIREMENTS) $$(BUNDLE_SOURCES) Makefile
	rm -rf $(BUNDLE)
	mkdir -p $(BUNDLE)
	$(UV) pip install --quiet --target $(BUNDLE) --python-version $(BUNDLE_PYTHON) --python-platform $(BUNDLE_PLATFORM) \
		--only-binary :all: --require-hashes --requirement requirements/functions.lock \
		$(addprefix --requirement ,$(APPLICATION_REQUIREMENTS))
	rm -rf $(BUNDLE)/bin $(BUNDLE)/.lock
	cp -R durability functions $(APPLICATION_PACKAGES) $(BUNDLE)
	rm -rf $(BUNDLE)/durability/_local $(BUNDLE)/durability/_simulation $(BUNDLE)/durability/_lint $(BUNDLE)/durability/_cli $(BUNDLE)/durability/_cli.py
	find $(BUNDLE) -name __pycache__ -prune -exec rm -rf {} +
	$(UV) run --quiet --no-project --python $(BUNDLE_PYTHON) -- python -m compileall -q -j 0 \
		--invalidation-mode unchecked-hash -s $(BUNDLE) -p /var/task $(BUNDLE)
	touch $@

# `sam build` asks for one target per function. All four share the bundle; `sam deploy` uploads equal content once.
build-%Function: bundle
	cp -R $(BUNDLE)/. $(ARTIFACTS_DIR)
	rm -f $(ARTIFACTS_DIR)/.stamp

.PHONY: sam
sam: $(UV) ## Validate and build the SAM application
	$(SAM) validate --lint --template template.yaml
	$(SAM) build --parameter-overrides $(SAM_PARAMETERS)

.PHONY: deploy
deploy: sam ## Deploy the built application (ARGS: options of sam deploy)
	$(SAM) deploy $(ARGS)

# --- housekeeping ----------------------------------------------------------------------------------------------------

.PHONY: clean
clean: ## Remove everything that was generated
	rm -rf $(VENV) .uv .aws-sam .local build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help
help: ## Show the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '  make %-10s %s\n' "$$target" "$$text"; done
