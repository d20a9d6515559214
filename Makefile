# Two commands do everything on a fresh machine: `make dev` and `make test`. `make help` lists the rest.
#
# Each tool is installed at a pinned version into the project's own folders (.tools, node_modules), by a rule
# that runs again only when its inputs change. Needed beforehand: rustup, Node >= 20 with npm, Python >= 3.11, make,
# a C compiler.
#
# GNU make 3.81 and bash 3.2 are enough, as macOS has them. That make knows no `.SHELLFLAGS`: a recipe's line fails with
# its last command, so each line is one command, or a chain of `&&`.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# ── settings of `make dev` ───────────────────────────────────────────────────────────────────────────────────
PORT ?= 8787
# The folder of local data: D1 and Durable Objects.
STATE ?= .wrangler/state
ifeq ($(origin STATE)$(strip $(STATE)),command line)
$(error STATE= is empty: name a folder, or leave it out)
else ifeq ($(strip $(STATE)),)
STATE := .wrangler/state
endif
# Handed on to `wrangler dev`, e.g. ARGS='--var LOG_LEVEL:DEBUG'.
ARGS ?=
# Mail is on, and stays on this machine: `make mail` shows it. wrangler ranks `--var` above .dev.vars. So these three are left
# out if ARGS or .dev.vars has one of them, a setting that PUBLIC_URL must agree with, or another environment.
RELATED := MAIL MAIL_FROM PUBLIC_URL BASE_PATH JWT_ISSUER
HAS_OWN_MAIL = $(strip $(foreach name,$(RELATED),$(findstring $(name):,$(ARGS))) $(findstring --env,$(ARGS)) \
	$(shell grep -E '^ *(export )? *($(subst $() $(),|,$(RELATED))) *=' .dev.vars 2>/dev/null))
MAIL_ARGS = $(if $(HAS_OWN_MAIL),,--var MAIL:binding --var 'MAIL_FROM:edge-auth <login@example.com>' \
	--var PUBLIC_URL:http://localhost:$(PORT))
# Pages are at http://localhost:$(PORT): cookies and passkeys belong to a host, and passkeys need a domain. The same rule for
# settings of your own.
HAS_OWN_WEBAUTHN = $(strip $(findstring WEBAUTHN_,$(ARGS)) $(findstring --env,$(ARGS)) \
	$(shell grep -E '^ *(export )? *WEBAUTHN_[A-Z_]* *=' .dev.vars 2>/dev/null))
WEBAUTHN_ARGS = $(if $(HAS_OWN_WEBAUTHN),,--var WEBAUTHN_RP_ID:localhost \
	--var 'WEBAUTHN_ORIGINS:["http://localhost:$(PORT)"]')
# Providers of sign-ins may have an address of this machine, and PROVIDER=on starts one. The same rule for settings of your own.
PROVIDER ?= off
PROVIDER_PORT ?= 8788
PROVIDER_CLIENT_ID := edge-auth
PROVIDER_CLIENT_SECRET := a-secret-of-this-machine-only
HAS_OWN_FEDERATION = $(strip $(findstring FEDERATION,$(ARGS)) $(findstring --env,$(ARGS)) \
	$(shell grep -E '^ *(export )? *FEDERATION[A-Z0-9_]* *=' .dev.vars 2>/dev/null))
HAS_OWN_PRIVACY = $(strip $(findstring FEDERATION_ALLOW_PRIVATE,$(ARGS)) $(findstring --env,$(ARGS)) \
	$(shell grep -E '^ *(export )? *FEDERATION_ALLOW_PRIVATE *=' .dev.vars 2>/dev/null))
# The last argument of `if` may have commas.
FEDERATION_ARGS = $(if $(HAS_OWN_PRIVACY),,--var FEDERATION_ALLOW_PRIVATE:on) \
	$(if $(HAS_OWN_FEDERATION)$(filter-out on,$(PROVIDER)),, \
	--var 'FEDERATION:[{"id":"local","issuer":"http://localhost:$(PROVIDER_PORT)","name":"Local provider"}]' \
	--var FEDERATION_LOCAL_CLIENT_ID:$(PROVIDER_CLIENT_ID) --var FEDERATION_LOCAL_CLIENT_SECRET:$(PROVIDER_CLIENT_SECRET))
BESIDE_PROVIDER = $(if $(filter on,$(PROVIDER)),node scripts/provider.mjs)

# ── pinned versions: Cargo.toml and package-lock.json say them, once ─────────────────────────────────────────
WASM_BINDGEN_VERSION := $(shell sed -n 's/^wasm-bindgen = "=\([^"]*\)"/\1/p' Cargo.toml)
# Tools of a release only, which `make test` does not need.
CARGO_DENY_VERSION := 0.20.2
CYCLONEDX_VERSION := 0.5.9

# The npm package `node` brings a Node that fits wrangler: its folder comes first.
export PATH := $(CURDIR)/node_modules/.bin:$(CURDIR)/.tools/bin:$(PATH)
export WRANGLER_SEND_METRICS := false
# Local requests get sample values of `request.cf`, which the service does not read. Asking Cloudflare for real ones would
# print two stack traces where there is no network.
export CLOUDFLARE_CF_FETCH_ENABLED := false
# Node keeps what it compiled: a fifth of the time in which wrangler starts, which tests do a hundred times.
export NODE_COMPILE_CACHE := $(CURDIR)/.tools/node-cache
export REDOCLY_TELEMETRY := off
export REDOCLY_SUPPRESS_UPDATE_NOTICE := true

RUST_TOOLS := .tools/rust.done
NODE_TOOLS := node_modules/.package-lock.json
CARGO_DENY := .tools/cargo-deny-$(CARGO_DENY_VERSION).done
CYCLONEDX := .tools/cargo-cyclonedx-$(CYCLONEDX_VERSION).done
BINDGEN := .tools/target/debug/edge-auth-bindgen
WASM_TEST_RUNNER := .tools/wasm-bindgen-test-runner-$(WASM_BINDGEN_VERSION).done
SETUP := $(RUST_TOOLS) $(NODE_TOOLS) $(BINDGEN)
CHROMIUM := .tools/chromium.done
PYTHON_TOOLS := .tools/python/requirements.done
# The systems that users move from, for the tests of `make import`.
OTHER_SYSTEMS := .tools/moving/requirements.done
# The resource servers of `examples/`, each as a stranger would build it.
FASTAPI_EXAMPLE := .tools/fastapi/requirements.done
AXUM_EXAMPLE := target/examples/debug/edge-auth-axum-example
HONO_EXAMPLE := target/examples/hono/index.js
EXAMPLES := $(FASTAPI_EXAMPLE) $(AXUM_EXAMPLE) $(HONO_EXAMPLE)
# Courses and enrolments: `CAMPUS=off` leaves them out of the Worker and of its description.
CAMPUS ?= on
CAMPUS_FLAGS := $(if $(filter off,$(CAMPUS)),--no-default-features)
CAMPUS_CHOICE := target/campus-$(CAMPUS).choice
WORKER := build/index.js
ASSETS := public/openapi.json
BUNDLE := dist/entry.js
SOURCES := $(shell find src -type f) Cargo.toml Cargo.lock rust-toolchain.toml .cargo/config.toml
# The password hash and its rivals: with and without SIMD, optimised for size as the service is, or for speed.
HASHING := $(foreach kind,simd-s plain-s simd-3 plain-3,target/hashing/$(kind).wasm)
SAY := @printf '\033[1m▸ %s\033[0m\n'

# Bytes of Wasm after gzip -9.
WASM_BUDGET := 650000
# Courses and enrolments touch the table of routes, permissions, statements and the data of a user. The tests of these
# words run once more without them; the others are the same code in both builds.
SEAMS := contract statement rbac authz access roles export erasure account clean_up responses pages queries paging layers settings
# What rustc and wasm-bindgen make use of.
WASM_FEATURES := mutable-globals sign-ext nontrapping-float-to-int bulk-memory multivalue reference-types exception-handling
CLIPPY := cargo clippy --quiet --all-targets -- --deny warnings
CLIPPY_WITHOUT_CAMPUS := cargo clippy --quiet --all-targets --no-default-features -- --deny warnings
CLIPPY_WASM := cargo clippy --quiet --target wasm32-unknown-unknown --lib -- --deny warnings
# Of `make admin` and others: an account, a database, a version, a moment. Only make's own command line counts, never a
# variable that the caller's shell happens to export; and it counts as it stands: a `$` in it means nothing to make.
# The scripts read it from the environment, so that no character means anything to a shell either.
said = $(if $(filter command,$(origin $1)),$(value $1))
override EMAIL := $(call said,EMAIL)
override SERVICE := $(call said,SERVICE)
override SCOPES := $(call said,SCOPES)
override UNVERIFIED := $(call said,UNVERIFIED)
override REMOTE := $(call said,REMOTE)
override VERSION := $(call said,VERSION)
override SINCE := $(call said,SINCE)
override HEAD := $(call said,HEAD)
# Of `make import` and `make export`: files, and options of their formats.
MOVING := FROM TO FORMAT MAP TABLE VERIFIED ROLES DRY_RUN HASH_CONFIG PASSWORDS
$(foreach name,$(MOVING),$(eval override $(name) := $$(call said,$(name))))
export EMAIL UNVERIFIED SERVICE SCOPES REMOTE VERSION SINCE HEAD STATE PORT $(MOVING)
export PROVIDER_PORT PROVIDER_CLIENT_ID PROVIDER_CLIENT_SECRET
# For a remote database there is nothing to prepare here.
LOCAL_DATABASE = $(if $(REMOTE),,migrate)
# By this wrangler would choose another database, even a local one, without a word.
unexport CLOUDFLARE_ENV
# Of `make migrate-remote`, `make rollback` and `make smoke`.
ENV ?= production
URL ?= http://127.0.0.1:$(PORT)

.PHONY: help setup dev admin addresses mail import export seed migrate build test check lint lint-api fmt common-passwords clean deploy-check migrate-remote rollback smoke restore-notes
.PHONY: audit audit-verify audit-export sbom package pictures
.PHONY: test-rust test-wasm test-e2e test-growth test-pages test-contract test-examples test-scripts test-dev
.PHONY: bench bench-cold bench-pages bench-factors bench-federation bench-signing bench-hashing bench-growth bench-capacity bench-world bench-import bench-archive bench-shards test-shards

help: ## Lists the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) .dev.vars ## Installs what is missing.

dev: $(SETUP) .dev.vars $(WORKER) $(ASSETS) migrate ## Serves http://127.0.0.1:$PORT with live rebuild. PORT=, STATE=, ARGS=, PROVIDER=on.
	$(SAY) "Serving http://127.0.0.1:$(PORT), with pages at http://localhost:$(PORT)/account and /console (data in $$STATE; Ctrl-C stops)"
	@exec $(BESIDE_PROVIDER) wrangler dev --ip 127.0.0.1 --port $(PORT) --persist-to "$$STATE" --show-interactive-dev-session=false \
		$(MAIL_ARGS) $(WEBAUTHN_ARGS) $(FEDERATION_ARGS) $(ARGS)

admin: $(NODE_TOOLS) $(LOCAL_DATABASE) ## Makes a registered user an administrator (EMAIL=), or a service account (SERVICE= SCOPES=). REMOTE=production.
	@node scripts/$(if $(SERVICE),service-account,admin).mjs

addresses: $(NODE_TOOLS) $(LOCAL_DATABASE) ## Brings addresses on file into one spelling. APPLY=yes; REMOTE=production for a deployment.
	@node scripts/addresses.mjs

mail: $(NODE_TOOLS) ## Shows the last mails of the local service: codes and links. PORT=.
	@node scripts/mail.mjs

# An exported URL is not meant for it. ARGS= is for the service that it starts if none runs.
import: export SERVICE_URL := $(call said,URL)
import: export DEV_ARGS := $(ARGS)
import: $(NODE_TOOLS) $(LOCAL_DATABASE) ## Imports users of another system (docs/migrate.md). FROM=; FORMAT=, DRY_RUN=yes; REMOTE=production.
	@exec node --disable-warning=ExperimentalWarning scripts/import.mjs

export: $(NODE_TOOLS) $(LOCAL_DATABASE) ## Writes all users with their password hashes, as make import reads them. TO=; FORMAT=passlib; REMOTE=production.
	@node scripts/export.mjs

# Both only read, so neither migrates: the export's output is its lines alone.
audit-verify: export SAID_STATE := $(call said,STATE)
audit-verify: $(NODE_TOOLS) ## Verifies the archive of audit events (docs/audit.md). HEAD= from the log; REMOTE=production, or FROM= a folder.
	@node scripts/audit-verify.mjs

audit-export: $(NODE_TOOLS) ## Writes audit events, archived ones too, as NDJSON. SINCE=2026-01-01, TO=, HEAD=, FROM=; REMOTE=production.
	@node scripts/audit-export.mjs

seed: $(NODE_TOOLS) $(LOCAL_DATABASE) ## Fills the local database with demo data, and says what to try.
	@node scripts/seed.mjs

# No file stands for it: a path with a space in it is no target.
migrate: $(NODE_TOOLS) ## Applies the migrations to the local database, unless it has them. STATE=.
	@if ! [ -e "$$STATE/migrated" ] || [ -n "$$(find migrations -name '*.sql' -newer "$$STATE/migrated")" ]; then \
		printf '\033[1m▸ %s\033[0m\n' 'Applying migrations to the local database' && \
		CI=true wrangler d1 migrations apply DB --local --persist-to "$$STATE" && \
		touch "$$STATE/migrated"; \
	fi

build: $(WORKER) $(ASSETS) ## Builds the Worker and its static files.

# The checks of make wait for nothing that the test files change, so both run at once.
test: $(SETUP) $(BUNDLE) $(WASM_TEST_RUNNER) $(CHROMIUM) $(PYTHON_TOOLS) $(OTHER_SYSTEMS) $(EXAMPLES) .dev.vars ## Runs every test, and says which files took longest.
	@node scripts/test.mjs lint test-rust,test-wasm lint-api deploy-check tests/e2e tests/growth tests/pages tests/contract \
		tests/examples tests/scripts tests/dev

check: $(RUST_TOOLS) $(NODE_TOOLS) $(ASSETS) ## The inner loop: formats, lints, and the native tests. Under 3 minutes.
	$(SAY) "Formats and lints"
	@cargo fmt --check
	@$(CLIPPY)
	@$(CLIPPY_WASM)
	$(SAY) "Domain and API tests (native)"
	@cargo test --quiet

# A folder of its own: cargo locks a folder while it compiles, and lints share nothing with builds.
lint: export CARGO_TARGET_DIR := target/lint
lint: $(SETUP) ## Checks formats and lints, warnings denied, for both targets.
	$(SAY) "Formats and lints"
	@cargo fmt --check
	@$(CLIPPY)
	@$(CLIPPY_WITHOUT_CAMPUS)
	@$(CLIPPY_WASM)
	@cargo fmt --check --manifest-path benches/hashing/Cargo.toml
	@cargo fmt --check --manifest-path scripts/bindgen/Cargo.toml
	@cargo fmt --check --manifest-path examples/axum/Cargo.toml
	@cargo clippy --quiet --locked --manifest-path benches/hashing/Cargo.toml --target wasm32-unknown-unknown \
		--target-dir target/hashing/lint -- --deny warnings
	@$(TOOL_PROFILE) cargo clippy --quiet --locked --manifest-path scripts/bindgen/Cargo.toml --target-dir .tools/target -- --deny warnings
	@$(TOOL_PROFILE) cargo clippy --quiet --locked --manifest-path examples/axum/Cargo.toml --target-dir target/examples -- --deny warnings
	@tsc --project examples/hono/tsconfig.json
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
	$(SAY) "The same without courses and enrolments, as far as they leave a seam"
	@cargo test --quiet --no-default-features -- $(SEAMS)
	$(SAY) "The filter of common passwords against its list"
	@cargo run --quiet --example common_passwords -- --check

test-wasm: $(RUST_TOOLS) $(NODE_TOOLS) $(WASM_TEST_RUNNER) ## The domain tests once more, as WebAssembly.
	$(SAY) "Domain tests (WebAssembly)"
	@CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=wasm-bindgen-test-runner cargo test --target wasm32-unknown-unknown --lib

test-e2e: $(BUNDLE) ## End-to-end tests: the deployed bundle on workerd.
	$(SAY) "End-to-end tests (workerd)"
	@node scripts/test.mjs tests/e2e

test-growth: $(BUNDLE) ## Rows read, and the clean-up, with 200,000 users and a million sessions.
	$(SAY) "The service when it has grown (workerd)"
	@node scripts/test.mjs tests/growth

test-pages: $(BUNDLE) $(CHROMIUM) ## The API pages in a browser: headless Chromium.
	$(SAY) "The API pages in a browser"
	@node scripts/test.mjs tests/pages

pictures: $(BUNDLE) $(CHROMIUM) ## Makes the pictures of the README anew, by the test that visits the pages.
	@PICTURES=docs/images node scripts/test.mjs tests/pages/journey.test.mjs

test-contract: $(BUNDLE) $(PYTHON_TOOLS) ## The description against the service: Schemathesis, and generated clients.
	$(SAY) "The API description against the service"
	@node scripts/test.mjs tests/contract

test-examples: $(BUNDLE) $(EXAMPLES) ## The resource servers of examples/ against the deployed bundle.
	$(SAY) "The examples against the service"
	@node scripts/test.mjs tests/examples

test-scripts: $(BUNDLE) $(OTHER_SYSTEMS) ## `make admin`, `make seed`, `make import` and others, on databases of their own.
	$(SAY) "make admin, make seed, make import and others"
	@node scripts/test.mjs tests/scripts

test-dev: $(SETUP) .dev.vars $(WORKER) $(ASSETS) ## The README's walk-through against `make dev`.
	$(SAY) "The README's walk-through against make dev"
	@node scripts/test.mjs tests/dev

bench: $(BUNDLE) ## What each operation costs, beside plain JavaScript and the runtime's least. ONLY=me,refresh. Linux; 3 minutes.
	@node benches/bench.mjs

bench-signing: $(BUNDLE) ## The CPU of a request by the algorithm of access tokens. ONLY=HS256,EdDSA. Linux; 3 minutes.
	@node benches/signing.mjs

bench-factors: $(BUNDLE) ## The CPU of a sign-in by its factors: password, app, passkey. Linux; half a minute.
	@node benches/factors.mjs

bench-federation: $(BUNDLE) ## The CPU of each step of a sign-in with a provider. Linux; 2 minutes.
	@node benches/federation.mjs

bench-cold: $(BUNDLE) ## From an empty isolate to the first answer. Linux; half a minute.
	@node benches/cold-start.mjs

bench-pages: $(BUNDLE) $(CHROMIUM) ## The pages in Chromium: bytes over the wire, first paint, layout shift. Half a minute.
	@node benches/pages.mjs

bench-hashing: $(BUNDLE) $(HASHING) ## What a password hash costs, here and by other means. Linux; a minute.
	@node benches/hashing.mjs

bench-growth: $(BUNDLE) ## Operations with a thousand to a million users, the second floor too; draws docs/growth.svg. Linux; 5 minutes.
	@node --disable-warning=ExperimentalWarning benches/growth.mjs

bench-capacity: $(BUNDLE) ## Refreshes per second of one local D1, and bytes that a session leaves in it. Linux; a minute.
	@node --disable-warning=ExperimentalWarning benches/capacity.mjs

bench-world: $(BUNDLE) ## What distance from D1 costs, with replicas and without; draws docs/world.svg. REPETITIONS=15. 8 minutes.
	@node benches/world.mjs

bench-archive: $(BUNDLE) ## A year of audit events, moved to R2 day by day: the size of D1, and the cost of a run. SIZE= events a day. Linux; 3 minutes.
	@node benches/audit-archive.mjs

bench-shards: $(BUNDLE) ## A prototype: users in Durable Objects, beside local D1 (docs/scale.md). ROUNDS=, DISK=on. Linux; 5 minutes.
	@node --disable-warning=ExperimentalWarning benches/shards.mjs

test-shards: $(RUST_TOOLS) $(NODE_TOOLS) $(ASSETS) ## The API tests with a Durable Object of the prototype as database; 24 of copied databases and page counts fail. 10 to 20 minutes.
	@node benches/shards/api.mjs

bench-import: $(BUNDLE) $(OTHER_SYSTEMS) ## A million users imported, and again; the CPU of first sign-ins by the form of the hash. SIZE=. Linux; 12 minutes.
	@node --disable-warning=ExperimentalWarning benches/import/users.mjs
	@node --disable-warning=ExperimentalWarning benches/import/sign-ins.mjs

deploy-check: $(BUNDLE) ## Bundles as for a deployment and holds the Wasm to its size budget.
	@node scripts/check-size.mjs $(WASM_BUDGET)
	@wrangler deploy --dry-run --env staging --outdir dist/staging >/dev/null
	@wrangler deploy --dry-run --env production --outdir dist/production >/dev/null

audit: $(CARGO_DENY) $(NODE_TOOLS) ## Advisories, licences and sources of the crates, and advisories of the npm packages that reach production.
	@cargo-deny --locked check --hide-inclusion-graph
	@cargo-deny --locked --config deny.toml --manifest-path scripts/bindgen/Cargo.toml check --hide-inclusion-graph advisories bans sources
	@cargo-deny --locked --config deny.toml --manifest-path examples/axum/Cargo.toml check --hide-inclusion-graph advisories bans sources
	@npm audit --omit=dev --audit-level=moderate

# Two files: the crates in the Wasm, and the npm packages of the API pages and of the deployment.
sbom: $(CYCLONEDX) $(NODE_TOOLS) ## The software bill of materials, as CycloneDX, in dist/package.
	@cargo cyclonedx --quiet --format json --spec-version 1.5 --target wasm32-unknown-unknown --no-build-deps \
		--override-filename sbom-crates
	@mkdir -p dist/package && mv sbom-crates.json dist/package/
	@npm sbom --sbom-format=cyclonedx --omit=dev >dist/package/sbom-npm.json

package: $(BUNDLE) ## Everything that a deployment needs, as dist/package/release.tgz: no compiler, no source code.
	@node scripts/package.mjs dist/release
	@mkdir -p dist/package && tar -czf dist/package/release.tgz -C dist release

migrate-remote: $(NODE_TOOLS) ## Applies migrations to the database of a deployed environment. ENV=production.
	@CI=true wrangler d1 migrations apply DB --remote --env $(ENV)

# Not `wrangler rollback`: outside a terminal it confirms by itself that changed secrets go back too. This one refuses.
rollback: $(NODE_TOOLS) ## Deploys a version of before once more. VERSION=, from `npx wrangler deployments list`; ENV=production.
	@[ -n "$$VERSION" ] || { echo 'Say which: make rollback VERSION=<id>. The ids: npx wrangler deployments list --env $(ENV)' >&2; exit 1; }
	@CI=true wrangler versions deploy "$$VERSION@100%" --yes --message 'Rolled back by hand' --env $(ENV)

restore-notes: $(NODE_TOOLS) ## The SQL to run after D1 Time Travel went back to SINCE=, made before. REMOTE=production (docs/operate.md).
	@node scripts/restore-notes.mjs

smoke: $(NODE_TOOLS) ## A first check of a running service, which makes no account and no session. URL=https://...
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

# `npm ci` would begin by removing everything. `install --no-save` takes the same pinned versions, and checks them too.
$(NODE_TOOLS): package.json package-lock.json
	$(SAY) "Installing wrangler, workerd and other npm tools"
	@command -v npm >/dev/null || { echo 'npm is missing: install Node 20 or newer' >&2; exit 1; }
	@npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

# Tools run for seconds and are compiled for minutes: without optimisation both are short. The first of them leaves
# its compiled dependencies for the second.
TOOL_PROFILE := CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_DEBUG_ASSERTIONS=false CARGO_PROFILE_DEV_OVERFLOW_CHECKS=false \
	CARGO_INCREMENTAL=0

# Debian's package; elsewhere a Chromium or Chrome that is named in CHROMIUM_PATH.
$(CHROMIUM):
	@mkdir -p .tools
	@if [ -z "$$CHROMIUM_PATH" ] && ! command -v chromium >/dev/null; then \
		printf 'Installing Chromium\n'; \
		$$(command -v sudo) apt-get update -qq && $$(command -v sudo) apt-get install -y -qq chromium >/dev/null; \
	fi
	@touch $@

# The packages of a list, in an environment of their own: the folder of the target.
define PYTHON_ENVIRONMENT
@command -v python3 >/dev/null || { echo 'python3 is missing: install Python 3.11 or newer' >&2; exit 1; }
@rm -rf $(@D)
@python3 -m venv $(@D)
@$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
@touch $@
endef

$(PYTHON_TOOLS): tests/contract/requirements.txt
	$(SAY) "Installing Schemathesis and the generator of Python clients"
	$(PYTHON_ENVIRONMENT)

$(OTHER_SYSTEMS): tests/moving/requirements.txt
	$(SAY) "Installing passlib, SQLAlchemy and Django for the tests of make import"
	$(PYTHON_ENVIRONMENT)

$(FASTAPI_EXAMPLE): examples/fastapi/requirements.txt
	$(SAY) "Installing FastAPI and PyJWT for an example"
	$(PYTHON_ENVIRONMENT)

$(AXUM_EXAMPLE): $(wildcard examples/axum/Cargo.* examples/axum/src/*.rs) | $(RUST_TOOLS)
	$(SAY) "Compiling the example with axum (the first time 1 to 2 minutes)"
	@$(TOOL_PROFILE) cargo build --quiet --locked --manifest-path examples/axum/Cargo.toml --target-dir target/examples
	@touch $@

$(HONO_EXAMPLE): $(wildcard examples/hono/src/*.ts) examples/hono/wrangler.toml | $(NODE_TOOLS)
	$(SAY) "Bundling the example with Hono"
	@wrangler deploy --dry-run --env "" --config examples/hono/wrangler.toml --outdir "$(CURDIR)/target/examples/hono" >/dev/null

$(BINDGEN): $(wildcard scripts/bindgen/Cargo.* scripts/bindgen/src/*.rs) | $(RUST_TOOLS)
	$(SAY) "Compiling wasm-bindgen (once, about a minute)"
	@$(TOOL_PROFILE) cargo build --quiet --locked --manifest-path scripts/bindgen/Cargo.toml --target-dir .tools/target
	@touch $@

# Without --locked: the lock file that the crate ships names a version that was withdrawn.
$(WASM_TEST_RUNNER): | $(RUST_TOOLS)
	$(SAY) "Compiling the test runner of wasm-bindgen $(WASM_BINDGEN_VERSION) (once, 1 to 2 minutes)"
	@rm -f .tools/wasm-bindgen-test-runner-*.done
	@$(TOOL_PROFILE) cargo install --quiet --debug --root .tools --target-dir .tools/target \
		wasm-bindgen-cli --version $(WASM_BINDGEN_VERSION) --bin wasm-bindgen-test-runner
	@touch $@

$(CARGO_DENY): | $(RUST_TOOLS)
	$(SAY) "Compiling cargo-deny $(CARGO_DENY_VERSION) (once, some minutes)"
	@rm -f .tools/cargo-deny-*.done
	@$(TOOL_PROFILE) cargo install --quiet --locked --debug --root .tools --target-dir .tools/target cargo-deny --version $(CARGO_DENY_VERSION)
	@touch $@

$(CYCLONEDX): | $(RUST_TOOLS)
	$(SAY) "Compiling cargo-cyclonedx $(CYCLONEDX_VERSION) (once, a minute)"
	@rm -f .tools/cargo-cyclonedx-*.done
	@$(TOOL_PROFILE) cargo install --quiet --locked --debug --root .tools --target-dir .tools/target \
		cargo-cyclonedx --version $(CYCLONEDX_VERSION)
	@touch $@

# Of the library only the Wasm module is built, not the Rust library that the tests link: cargo leaves out link-time
# optimisation where both are built at once, which costs 7 % of the size. wasm-opt may use what workerd understands;
# panics say where they were without the names of functions. In the order of their names, functions of one kind are
# neighbours, which compresses better by 18 kB, and by 2 kB more if a function stays where it is though only one other
# calls it. The lowest kilobyte of memory is the end of the stack: no address is computed across it. The folder is
# replaced as a whole: wrangler may watch it.
$(WORKER): $(SOURCES) $(CAMPUS_CHOICE) | $(SETUP)
	$(SAY) "Building the Worker"
	@WASM_BINDGEN_USE_JS_SYS=1 cargo rustc --quiet --locked --release --lib --crate-type cdylib $(CAMPUS_FLAGS) \
		--target wasm32-unknown-unknown --target-dir target
	@rm -rf target/bindgen
	@$(BINDGEN) target/wasm32-unknown-unknown/release/edge_auth.wasm target/bindgen
	@wasm-opt -O $(foreach feature,$(WASM_FEATURES),--enable-$(feature)) --low-memory-unused \
		--one-caller-inline-max-function-size=0 --reorder-functions-by-name --strip-debug --strip-producers \
		target/bindgen/index_bg.wasm -o target/bindgen/index_bg.wasm
	@rm -rf build && mv target/bindgen build
	@touch $@

$(ASSETS): openapi.yaml scripts/build-assets.mjs scripts/without-campus.mjs $(shell find pages -type f) $(CAMPUS_CHOICE) | $(NODE_TOOLS)
	@CAMPUS=$(CAMPUS) node scripts/build-assets.mjs

# The Worker and its description are built again when the choice changes.
$(CAMPUS_CHOICE):
	@mkdir -p target && rm -f target/campus-*.choice && touch $@

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
	@node scripts/write-secret.mjs $@
