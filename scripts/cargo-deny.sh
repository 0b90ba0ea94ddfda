#!/bin/bash
# `cargo deny check bans licenses sources`, with a cargo-deny built once into .cache/tools (under a minute:
# unoptimised and without the advisory database, which these checks do not use).
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools="$PWD/.cache/tools"
if ! "$tools/bin/cargo-deny" --version 2>/dev/null | grep -qF "$version"; then
  echo "· cargo-deny $version (once)"
  cargo install cargo-deny --version "$version" --locked --no-default-features --profile dev --quiet \
    --root "$tools" --target-dir "$tools/target"
  rm -rf "$tools/target"
fi
"$tools/bin/cargo-deny" --log-level warn check bans licenses sources
