#!/bin/bash
# Starts this gateway on $PORT as the oracle's own runs do: what `llm-edge-chaos --other` asks of a program.
set -euo pipefail
root="$(cd "$(dirname "$0")/../../.." && pwd)"
exec "$root/.venv/bin/llm-edge-agent" serve --config "$root/tests/chaos/gateways/base.yaml" \
  --port "$PORT" --admin-port 0 --metrics-port 0
