# Two commands do everything on a fresh machine: `make dev` and `make test`. `make help` lists the rest.
#
# Each tool is installed at a pinned version into the project's own folders (.tools, node_modules), by a rule
# that runs again only when its inputs change. Needed beforehand: rustup, Node >= 20 with npm, Python >= 3.11, make,
# a C compiler.

SHELL := /bin/bash
# No `-u`: started by wrangler, bash may read the system start-up files, which use unset variables.
.SHELLFLAGS := -eo pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# ── settings of `make dev` ───────────────────────────────────────────────────────────────────────────────────
PORT ?= 8787
# The folder of local data: D1 and Durable Objects.
STATE ?= .wrangler/state
# Handed on to `wrangler dev`, e.g. ARGS='--var LOG_LEVEL:DEBUG'.
ARGS ?=

# ── pinned versions: Cargo.toml and package-lock.json say them, once ─────────────────────────────────────────
WORKER_BUILD_VERSION := $(shell sed -n 's/^worker = .*version = "=\([^"]*\)".*/\1/p' Cargo.toml)
WASM_BINDGEN_VERSION := $(shell sed -n 's/^wasm-bindgen = "=\([^"]*\)"/\1/p' Cargo.toml)

# The npm package `node` brings a Node that fits wrangler: its folder comes first.
export PATH := $(CURDIR)/node_modules/.bin:$(CURDIR)/.tools/bin:$(PATH)
export WRANGLER_SEND_METRICS := false
export REDOCLY_TELEMETRY := off
export REDOCLY_SUPPRESS_UPDATE_NOTICE := true
# worker-build downloads these itself unless it is told where they are.
export WASM_BINDGEN_BIN := $(CURDIR)/.tools/bin/wasm-bindgen
export WASM_OPT_BIN := $(CURDIR)/node_modules/.bin/wasm-opt
export ESBUILD_BIN := $(CURDIR)/node_modules/.bin/esbuild

RUST_TOOLS := .tools/rust.done
NODE_TOOLS := node_modules/.package-lock.json
WORKER_BUILD := .tools/worker-build-$(WORKER_BUILD_VERSION).done
WASM_BINDGEN := .tools/wasm-bindgen-$(WASM_BINDGEN_VERSION).done
SETUP := $(RUST_TOOLS) $(NODE_TOOLS) $(WORKER_BUILD) $(WASM_BINDGEN)
CHROMIUM := .tools/chromium.done
PYTHON_TOOLS := .tools/python/requirements.done
WORKER := build/index.js
ASSETS := public/openapi.json
BUNDLE := dist/entry.js
SOURCES := $(shell find src -type f) Cargo.toml Cargo.lock rust-toolchain.toml .cargo/config.toml
# The password hash and its rivals: with and without SIMD, optimised for size as the service is, or for speed.
HASHING := $(foreach kind,simd-s plain-s simd-3 plain-3,target/hashing/$(kind).wasm)
SAY := @printf '\033[1m▸ %s\033[0m\n'

# Bytes of Wasm after gzip -9.
WASM_BUDGET := 520000
# Of `make admin`: whom, and where. Only what stands on make's own command line counts, never what the caller's shell
# happens to export; and it counts as it stands: a `$` in it means nothing to make. The scripts read it from the
# environment, so that no character means anything to a shell either.
said = $(if $(filter command,$(origin $1)),$(value $1))
override EMAIL := $(call said,EMAIL)
override REMOTE := $(call said,REMOTE)
export EMAIL REMOTE STATE PORT
# For a remote database there is nothing to prepare here.
LOCAL_DATABASE = $(if $(REMOTE),,$(STATE)/migrated)
# By this wrangler would choose another database, even a local one, without a word.
unexport CLOUDFLARE_ENV
# Of `make migrate-remote`, `make rollback` and `make smoke`.
ENV ?= production
URL ?= http://127.0.0.1:$(PORT)

.PHONY: help setup dev admin seed build test lint lint-api fmt common-passwords clean deploy-check migrate-remote rollback smoke
.PHONY: test-rust test-wasm test-e2e test-growth test-pages test-contract test-scripts test-dev
.PHONY: bench bench-cold bench-hashing bench-growth

help: ## Lists the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) .dev.vars ## Installs what is missing.

dev: $(SETUP) .dev.vars $(WORKER) $(ASSETS) $(STATE)/migrated ## Serves http://127.0.0.1:$PORT with live rebuild. PORT=, STATE=, ARGS=.
	$(SAY) "Serving http://127.0.0.1:$(PORT) (data in $(STATE); Ctrl-C stops)"
	@exec wrangler dev --ip 127.0.0.1 --port $(PORT) --persist-to $(STATE) --show-interactive-dev-session=false $(ARGS)

admin: $(NODE_TOOLS) $(LOCAL_DATABASE) ## Makes a registered user an administrator. EMAIL=; REMOTE=production for a deployment.
	@node scripts/admin.mjs

seed: $(NODE_TOOLS) $(LOCAL_DATABASE) ## Fills the local database with demo data, and says what to try.
	@node scripts/seed.mjs

build: $(WORKER) $(ASSETS) ## Builds the Worker and its static files.

test: lint lint-api deploy-check test-rust test-wasm test-e2e test-growth test-pages test-contract test-scripts test-dev ## Runs every test.

lint: $(SETUP) ## Checks formats and lints, warnings denied, for both targets.
	$(SAY) "Formats and lints"
	@cargo fmt --check
	@cargo clippy --quiet --all-targets -- --deny warnings
	@cargo clippy --quiet --target wasm32-unknown-unknown --lib -- --deny warnings
	@cargo fmt --check --manifest-path benches/hashing/Cargo.toml
	@cargo clippy --quiet --locked --manifest-path benches/hashing/Cargo.toml --target wasm32-unknown-unknown \
		--target-dir target/hashing/lint -- --deny warnings
	@node scripts/lint-workflows.mjs
	@RUSTDOCFLAGS='--deny warnings' cargo doc --quiet --no-deps --lib

lint-api: $(NODE_TOOLS) ## Checks openapi.yaml by Redocly's and Spectral's recommended rules; a warning is an error.
	$(SAY) "Rules for the API description"
	@redocly lint openapi.yaml
	@spectral lint --quiet --fail-severity=hint openapi.yaml

fmt: $(RUST_TOOLS) ## Formats the code.
	@cargo fmt

common-passwords: $(RUST_TOOLS) $(NODE_TOOLS) ## Makes the filter of common passwords anew from its list.
	@cargo run --quiet --example common_passwords

test-rust: $(RUST_TOOLS) $(NODE_TOOLS) $(ASSETS) ## Domain and API tests, natively.
	$(SAY) "Domain and API tests (native)"
	@cargo test --quiet
	$(SAY) "The filter of common passwords against its list"
	@cargo run --quiet --example common_passwords -- --check

test-wasm: $(RUST_TOOLS) $(WASM_BINDGEN) ## The domain tests once more, as WebAssembly.
	$(SAY) "Domain tests (WebAssembly)"
	@CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=wasm-bindgen-test-runner cargo test --target wasm32-unknown-unknown --lib

test-e2e: $(BUNDLE) ## End-to-end tests: the deployed bundle on workerd.
	$(SAY) "End-to-end tests (workerd)"
	@node --test --test-timeout=1800000 --test-reporter=spec 'tests/e2e/*.test.mjs'

test-growth: $(BUNDLE) ## Rows read, and the clean-up, with 200,000 users and a million tokens.
	$(SAY) "The service when it has grown (workerd)"
	@node --disable-warning=ExperimentalWarning --test --test-timeout=1800000 --test-reporter=spec 'tests/growth/*.test.mjs'

test-pages: $(BUNDLE) $(CHROMIUM) ## The API pages in a browser: headless Chromium.
	$(SAY) "The API pages in a browser"
	@node --test --test-timeout=1800000 --test-reporter=spec 'tests/pages/*.test.mjs'

test-contract: $(BUNDLE) $(PYTHON_TOOLS) ## The description against the service: Schemathesis, and generated clients.
	$(SAY) "The API description against the service"
	@node --test --test-timeout=1800000 --test-reporter=spec 'tests/contract/*.test.mjs'

test-scripts: $(BUNDLE) ## `make admin` and `make seed`, on databases of their own.
	$(SAY) "make admin and make seed"
	@node --test --test-timeout=1800000 --test-reporter=spec 'tests/scripts/*.test.mjs'

test-dev: $(SETUP) .dev.vars $(WORKER) $(ASSETS) ## The README's walk-through against `make dev`.
	$(SAY) "The README's walk-through against make dev"
	@node --test --test-timeout=1800000 --test-reporter=spec 'tests/dev/*.test.mjs'

bench: $(BUNDLE) ## What each operation costs, beside the least that the runtime can do. Linux; 3 minutes.
	@node benches/bench.mjs

bench-cold: $(BUNDLE) ## From an empty isolate to the first answer. Linux; half a minute.
	@node benches/cold-start.mjs

bench-hashing: $(BUNDLE) $(HASHING) ## What a password hash costs, here and by other means. Linux; a minute.
	@node benches/hashing.mjs

bench-growth: $(BUNDLE) ## The same operations with a thousand to a million users; draws docs/growth.svg. Linux; 3 minutes.
	@node --disable-warning=ExperimentalWarning benches/growth.mjs

deploy-check: $(BUNDLE) ## Bundles as for a deployment and holds the Wasm to its size budget.
	@node scripts/check-size.mjs $(WASM_BUDGET)
	@for environment in staging production; do wrangler deploy --dry-run --env $$environment --outdir dist/$$environment >/dev/null; done

migrate-remote: $(NODE_TOOLS) ## Applies migrations to the database of a deployed environment. ENV=production.
	@CI=true wrangler d1 migrations apply DB --remote --env $(ENV)

rollback: $(NODE_TOOLS) ## Puts the version of a deployed environment that was there before back. ENV=production.
	@wrangler rollback --env $(ENV) --message 'smoke test failed' --yes

smoke: $(NODE_TOOLS) ## A first check of a running service, which writes nothing. URL=https://...
	@node scripts/smoke.mjs $(URL)

clean: ## Removes what was built, not the tools and not the data.
	rm -rf build dist public target

# ── rules behind the targets ─────────────────────────────────────────────────────────────────────────────────
$(RUST_TOOLS): rust-toolchain.toml
	$(SAY) "Installing the Rust toolchain, wasm32 target, clippy and rustfmt"
	@command -v rustup >/dev/null || { echo 'rustup is missing: see https://rustup.rs' >&2; exit 1; }
	@rustup target add wasm32-unknown-unknown
	@rustup component add clippy rustfmt
	@mkdir -p .tools && touch $@

# Not `npm ci`: the lock file was made where the binaries for other systems were not to be had, and `ci` would
# refuse it. `install` takes the same pinned versions from it, adds what this system needs, and leaves it as it is.
$(NODE_TOOLS): package.json package-lock.json
	$(SAY) "Installing wrangler, workerd and other npm tools"
	@command -v npm >/dev/null || { echo 'npm is missing: install Node 20 or newer' >&2; exit 1; }
	@npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

# Tools run for seconds and are compiled for minutes: little optimisation makes both short. The first of them
# leaves its compiled dependencies for the second.
INSTALL := CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	cargo install --quiet --root .tools --target-dir .tools/target

# Debian's package; elsewhere a Chromium or Chrome that is named in CHROMIUM_PATH.
$(CHROMIUM):
	@mkdir -p .tools
	@if [ -z "$$CHROMIUM_PATH" ] && ! command -v chromium >/dev/null; then \
		printf 'Installing Chromium\n'; \
		$$(command -v sudo) apt-get update -qq && $$(command -v sudo) apt-get install -y -qq chromium >/dev/null; \
	fi
	@touch $@

$(PYTHON_TOOLS): tests/contract/requirements.txt
	$(SAY) "Installing Schemathesis and the generator of Python clients"
	@command -v python3 >/dev/null || { echo 'python3 is missing: install Python 3.11 or newer' >&2; exit 1; }
	@rm -rf .tools/python
	@python3 -m venv .tools/python
	@.tools/python/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(WORKER_BUILD): | $(RUST_TOOLS)
	$(SAY) "Compiling worker-build $(WORKER_BUILD_VERSION) (once, 1 to 5 minutes)"
	@rm -f .tools/worker-build-*.done
	@$(INSTALL) worker-build --version $(WORKER_BUILD_VERSION) --locked
	@touch $@

# Without --locked: the lock file that the crate ships names a version that was withdrawn.
$(WASM_BINDGEN): | $(RUST_TOOLS)
	$(SAY) "Compiling wasm-bindgen $(WASM_BINDGEN_VERSION) (once, 1 to 3 minutes)"
	@rm -f .tools/wasm-bindgen-*.done
	@$(INSTALL) wasm-bindgen-cli --version $(WASM_BINDGEN_VERSION)
	@touch $@

# worker-build keeps the names of functions, a tenth of the size; panics say where they were without them.
$(WORKER): $(SOURCES) | $(SETUP)
	$(SAY) "Building the Worker"
	@PATH="$(CURDIR)/scripts/worker-build:$$PATH" worker-build --release
	@wasm-opt --strip-debug --strip-producers build/index_bg.wasm -o build/index_bg.wasm
	@touch $@

$(ASSETS): openapi.yaml scripts/build-assets.mjs $(shell find pages -type f) | $(NODE_TOOLS)
	@node scripts/build-assets.mjs

# The bundle exactly as it would be deployed.
$(BUNDLE): $(WORKER) $(ASSETS) wrangler.toml src/shell/entry.mjs
	$(SAY) "Bundling as for a deployment"
	@rm -rf dist
	@wrangler deploy --dry-run --outdir dist

target/hashing/%.wasm: benches/hashing/Cargo.toml benches/hashing/Cargo.lock benches/hashing/src/lib.rs $(wildcard src/domain/password/pbkdf2*.rs) | $(SETUP)
	@RUSTFLAGS='-C target-feature=$(if $(filter simd-%,$*),+,-)simd128' CARGO_PROFILE_RELEASE_OPT_LEVEL='$(lastword $(subst -, ,$*))' \
		cargo build --quiet --release --locked --manifest-path benches/hashing/Cargo.toml --target wasm32-unknown-unknown \
		--target-dir target/hashing/$*
	@wasm-opt -O target/hashing/$*/wasm32-unknown-unknown/release/edge_auth_hashing.wasm -o $@

# Never overwritten: a secret that changed would sign everybody out.
.dev.vars:
	$(SAY) "Writing a random SECRET_KEY to .dev.vars"
	@umask 077; printf 'SECRET_KEY=%s\n' "$$(head -c 48 /dev/urandom | base64 -w0 | tr '+/' '-_')" > $@

$(STATE)/migrated: $(wildcard migrations/*.sql) | $(NODE_TOOLS)
	$(SAY) "Applying migrations to the local database"
	@CI=true wrangler d1 migrations apply DB --local --persist-to $(STATE)
	@touch $@
