#!/bin/bash
# Installs the Debian packages that a group of targets needs, as far as they are missing; without root or
# apt it says which ones to install.
#
# usage: scripts/system-packages.sh build|test|bench|origins|image
set -euo pipefail

# Each line: how its presence is seen, then the package that brings it.
case "${1:?build, test, bench, origins or image}" in
  build) wanted=$'cc gcc\nmake make\npython3.11 python3.11\nvenv python3.11-venv' ;;
  test)
    wanted=$'c++ g++\nnode nodejs\nnpm npm\ncurl curl\nvalgrind valgrind\nslowhttptest slowhttptest'
    wanted+=$'\npromtool prometheus'
    ;;
  bench) wanted=$'nginx nginx-light\nwrk wrk\nh2load nghttp2-client\nvalgrind valgrind\nstrace strace\nss iproute2' ;;
  origins)
    wanted=$'nginx nginx-light\nhaproxy haproxy\napache2 apache2-bin\nlighttpd lighttpd\nvarnishd varnish'
    wanted+=$'\nnode nodejs'
    ;;
  image) wanted=$'buildah buildah\ndebootstrap debootstrap\nsetpriv util-linux\nmount mount' ;;
  *)
    echo "unknown group \`$1\`: build, test, bench, origins or image" >&2
    exit 2
    ;;
esac

present() {
  case "$1" in
    venv) "${PYTHON:-python3.11}" -c 'import ensurepip' 2>/dev/null ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

missing=()
while read -r sign package; do
  present "$sign" || missing+=("$package")
done <<<"$wanted"

# Said first, and with it what the packages are: one run tells everything that is to be installed by hand.
code=0
if ! command -v cargo >/dev/null; then
  code=1
  echo "cargo is missing: install Rust 1.95 or newer (with rustfmt and clippy), then run this again" >&2
fi
((${#missing[@]})) || exit "$code"

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "these packages are missing and cannot be installed from here (no apt, or not root):" >&2
  echo "  sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "· system packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# nginx and Prometheus would start as services at once; the benchmarks start their own, the tests need none.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
exit "$code"
