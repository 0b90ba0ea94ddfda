#!/bin/bash
# Entry of the benchmarks: builds what is measured, installs it beside the load generators, runs.
#
# usage: scripts/bench.sh gate|quick|full [SCENARIO…]
#        scripts/bench.sh overload|soak|readers|lifecycle [ARGUMENT…]
#        scripts/bench.sh wheels              what the wheel's profile is worth
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
# install DIST VENV
install() {
  scripts/wheel.sh "$1"
  [ -x "$2/bin/python" ] || python3.11 -m venv "$2"
  "$2/bin/pip" install --quiet -r bench/requirements.txt "$1"/*.whl
  "$2/bin/pip" install --quiet --no-deps --force-reinstall "$1"/*.whl
}
venv=bench/.work/venv
install bench/.work/dist "$venv"
if [ "$what" = wheels ]; then
  PROFILE=none install bench/.work/dist-plain bench/.work/venv-plain
fi
case "$what" in
  overload | soak | readers | lifecycle | wheels) exec "$python" -m "bench.$what" "${@:2}" ;;
  # The savings are reckoned with the catalog of the wheel.
  *) exec "$venv/bin/python" -m bench "$@" ;;
esac
