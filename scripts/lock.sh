#!/bin/bash
# Pins what is installed from pyproject.toml, with hashes and for every platform: requirements/dev.txt for the
# desk and CI, runtime.txt, cloud.txt and build.txt for the container image, origins.txt for the smuggling tests,
# vocabularies.txt for token counts.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.cache/tools/uv
[ -x "$tools/bin/uv" ] || { "${PYTHON:-python3.11}" -m venv "$tools" && "$tools/bin/pip" install --quiet uv==0.13.9; }

pin() {
  # Addresses of the index stay out of the files: whoever installs from them uses their own.
  "$tools/bin/uv" pip compile --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
    --no-header --no-annotate --quiet --upgrade "${@:2}" --output-file "requirements/$1.txt"
}
pin dev pyproject.toml --group all
pin runtime pyproject.toml
pin cloud pyproject.toml --extra aws --extra azure --extra google
pin build --group build
pin origins --group origins
pin vocabularies --group vocabularies --no-deps
