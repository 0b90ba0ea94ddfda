#!/bin/bash
# Entry of the benchmarks: builds what is measured, installs it beside the load generators, runs.
#
# usage: scripts/bench.sh gate|quick|full [SCENARIO…]
#        scripts/bench.sh overload|soak|readers|lifecycle [ARGUMENT…]
set -euo pipefail
cd "$(dirname "$0")/.."

what="${1:-full}"
python=.venv/bin/python
locked=()
if [ -n "${CI:-}" ]; then locked=(--locked); fi

echo "· benchmark programs (release profile)"
cargo build --release --quiet "${locked[@]}" -p llm-edge-bench
if [ "$what" = gate ]; then
  exec python3.11 -m bench.callgrind
fi

# The installed release wheel is measured, not the tree: in an environment of its own.
venv=bench/.work/venv
if [ ! -x "$venv/bin/python" ]; then
  python3.11 -m venv "$venv"
fi
scripts/wheel.sh bench/.work/dist
"$venv/bin/pip" install --quiet -r bench/requirements.txt bench/.work/dist/*.whl
"$venv/bin/pip" install --quiet --no-deps --force-reinstall bench/.work/dist/*.whl
case "$what" in
  overload | soak | readers | lifecycle) exec "$python" -m "bench.$what" "${@:2}" ;;
  # The savings are reckoned with the catalog of the wheel.
  *) exec "$venv/bin/python" -m bench "$@" ;;
esac
