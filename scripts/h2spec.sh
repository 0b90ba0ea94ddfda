#!/bin/bash
# Runs h2spec, the conformance suite of HTTP/2 (RFC 9113) and HPACK (RFC 7541), strict cases too, against both
# listeners. The last line is JSON; a case that began to fail, or to pass, fails.
#
# The tool and all it is built from are pinned in scripts/h2spec/go.mod, their sums in go.sum.
#
# usage: scripts/h2spec.sh
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v go >/dev/null; then
  echo "go is missing: install Go 1.24 or newer (Debian: golang-go), then run this again" >&2
  exit 1
fi
folder="$PWD/.cache/h2spec"
tool="$folder/bin/h2spec"
if [ ! -x "$tool" ] || [ scripts/h2spec/go.sum -nt "$tool" ]; then
  echo "· h2spec"
  mkdir -p "$folder"
  (cd scripts/h2spec && GOPATH="$folder/go" GOFLAGS='-modcacherw -mod=readonly' \
    go build -o "$tool" github.com/summerwind/h2spec/cmd/h2spec)
fi
exec .venv/bin/python -m scripts.h2spec "$tool"
