#!/bin/sh
# Runs when the "Deploy to Cloudflare" button is used. Cloudflare has made the clone and the database; its machine has
# Node, but no Rust. The tables are created before the service that queries them is deployed.
set -eu
if ! command -v rustup >/dev/null; then
    curl --proto '=https' --tlsv1.2 --silent --show-error --fail https://sh.rustup.rs | sh -s -- -y --profile minimal
    PATH="$HOME/.cargo/bin:$PATH"
    export PATH
fi
CI=true wrangler d1 migrations apply DB --remote
# Builds the Worker first, by the command in wrangler.toml.
wrangler deploy
