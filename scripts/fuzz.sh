#!/bin/bash
# Runs every fuzz target for a number of seconds, on the stable toolchain.
#
# The flags are the ones that cargo-fuzz gives for coverage; without the address sanitizer they need no
# nightly compiler, and safe Rust has little for it to find.
#
# Inputs are in two folders for each target: rust/fuzz/seeds/TARGET is committed (a few that reach far, and every
# input that ever failed, named for what it found, for good); target/fuzz/corpus/TARGET is what runs here have
# found, and grows from run to run.
#
# RESULT names a ledger to which the run is added, if every target passes.
#
# usage: scripts/fuzz.sh SECONDS [TARGET …]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:?seconds per target}"
shift
if [ ! -f rust/fuzz/Cargo.toml ]; then
  echo "fuzz: no targets"
  exit 0
fi

triple="$(rustc -vV | sed -n 's/^host: //p')"
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
coverage+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
# --target keeps the flags away from build scripts, which could not link with them.
RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions $coverage" \
  cargo build --quiet --release --manifest-path rust/fuzz/Cargo.toml --target "$triple" --target-dir target/fuzz --bins

targets=("$@")
if ((${#targets[@]} == 0)); then
  mapfile -t targets < <(cd rust/fuzz/fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
fi

passed=0 failed=0 counts=""
for target in "${targets[@]}"; do
  corpus="target/fuzz/corpus/$target" seeds="rust/fuzz/seeds/$target" log="target/fuzz/$target.log"
  mkdir -p "$corpus" target/fuzz/artifacts
  dirs=("$corpus")
  [ -d "$seeds" ] && dirs+=("$seeds")
  [ "$target" = snapshot ] && dirs+=(tests/golden/snapshots)
  if "target/fuzz/$triple/release/$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="target/fuzz/artifacts/$target-" "${dirs[@]}" >"$log" 2>&1; then
    passed=$((passed + 1))
    inputs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    counts+="$target $inputs"$'\n'
    echo "fuzz $target: $inputs inputs"
  else
    failed=$((failed + 1))
    tail -n 40 "$log"
    echo "fuzz $target: FAILED, input under target/fuzz/artifacts: keep it in $seeds with the fix"
  fi
done
echo "fuzz: $passed passed, $failed failed"
((failed == 0))
if [ -n "${RESULT:-}" ]; then
  printf '%s' "$counts" | .venv/bin/python -m scripts.fuzz_ledger "$RESULT" "$seconds"
fi
