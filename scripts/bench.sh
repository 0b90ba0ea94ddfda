#!/bin/bash
# Entry of the benchmarks.
#
# usage: scripts/bench.sh gate|quick|full
set -euo pipefail
cd "$(dirname "$0")/.."

what="${1:-full}"
if [ "$what" = gate ]; then
  if [ -x bench/gate.sh ]; then exec bench/gate.sh; fi
  echo "bench-gate: no baseline yet"
  exit 0
fi
if [ ! -f bench/run.py ]; then
  echo "bench: no scenarios yet" >&2
  exit 1
fi
VIRTUAL_ENV="$PWD/.venv" .venv/bin/maturin develop --release --quiet
exec .venv/bin/python bench/run.py "$what"
