#!/bin/bash
# The oracle's faults against this gateway and others; writes bench/results/compare and the page.
#
# usage: scripts/compare.sh [SEED]
set -euo pipefail
cd "$(dirname "$0")/.."

echo "· the oracle (release profile)"
cargo build --release --quiet -p llm-edge-mock --bin llm-edge-chaos
venv=bench/.work/peers/litellm
if [ ! -x "$venv/bin/litellm" ]; then
  echo "· LiteLLM, into $venv"
  mkdir -p "$(dirname "$venv")"
  python3.11 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r bench/peers/litellm/requirements.txt
fi
.venv/bin/python -m bench.peers.compare "${1:-20261126}"
exec .venv/bin/python -m bench.peers.page
