#!/bin/bash
# Builds the release wheel, laid out by a profile of itself at work: built once to be counted in, set to work
# (scripts/training.py), and built again with what was counted.
#
# usage: scripts/wheel.sh FOLDER [MATURIN_OPTION…]
#        PROFILE=none scripts/wheel.sh …    without a profile: half the time, a slower wheel
#        MATURIN=path                       where `make` has not made an environment
set -euo pipefail
cd "$(dirname "$0")/.."

out="$(realpath -m "${1:?where the wheel shall go}")"
maturin="${MATURIN:-.venv/bin/maturin}"
python="$(dirname "$maturin")/python"
build=("$maturin" build --release --interpreter "$python" "${@:2}")
if [ -n "${CI:-}" ]; then build+=(--locked); fi
flags="${RUSTFLAGS:-}"

if [ "${PROFILE:-}" = none ]; then
  echo "· release wheel, without a profile"
  exec "${build[@]}" --quiet --out "$out"
fi

# Programs of their own folder: other flags would have everything else built anew.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/trained"
work="$CARGO_TARGET_DIR/profile"
mkdir -p "$work"

llvm_profdata() {
  local found=("$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-profdata)
  [ -x "${found[0]}" ] && echo "${found[0]}"
}
if ! llvm_profdata >/dev/null && command -v rustup >/dev/null; then
  rustup component add llvm-tools
fi
profdata="$(llvm_profdata)" || {
  echo "llvm-profdata is missing: \`rustup component add llvm-tools\`, or build with PROFILE=none" >&2
  exit 1
}

# A profile counts for the sources it was made of.
made_of="$({
  rustc --version
  echo "$flags"
  find rust/*/src rust/*/Cargo.toml Cargo.toml Cargo.lock scripts/training.py -type f -print0 | sort -z | xargs -0 sha256sum
} | sha256sum | cut -c -16)"
profile="$work/$made_of.profdata"

if [ ! -e "$profile" ]; then
  rm -rf "$work" && mkdir -p "$work/counted"
  echo "· release wheel that counts (a few minutes)"
  # The compiler's own helpers are built with the flags too, and would count wherever they run.
  LLVM_PROFILE_FILE="$work/helpers/%m.profraw" RUSTFLAGS="$flags -Cprofile-generate=$work/counted" \
    "${build[@]}" --quiet --out "$work/dist"
  "$python" -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --no-deps --require-hashes -r requirements/runtime.txt
  "$work/venv/bin/pip" install --quiet --no-deps --no-index "$work"/dist/*.whl
  echo "· at work"
  LLVM_PROFILE_FILE="$work/counted/%p-%m.profraw" "$work/venv/bin/python" scripts/training.py
  "$profdata" merge --output "$work/merged" "$work/counted"
  mv "$work/merged" "$profile"
  rm -rf "$work/counted" "$work/helpers" "$work/venv" "$work/dist"
fi
echo "· release wheel, laid out by its profile (a few minutes)"
RUSTFLAGS="$flags -Cprofile-use=$profile" "${build[@]}" --quiet --out "$out"
