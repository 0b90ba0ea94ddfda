#!/bin/bash
# Sends the smuggling vectors through the gateway to real servers, each started here on a port of its own. The
# last line is JSON; a server that saw anything but what was let through fails the run.
#
# usage: scripts/smuggling.sh quick|full|long [SEED]
set -euo pipefail
cd "$(dirname "$0")/.."

# A virtual environment of their own: the servers' dependencies are not ours.
origins=.cache/origins
if [ ! -f "$origins/done" ] || [ requirements/origins.txt -nt "$origins/done" ]; then
  echo "· origins (the first time takes half a minute)"
  "${PYTHON:-python3.11}" -m venv "$origins"
  "$origins/bin/pip" install --quiet --require-hashes --no-deps -r requirements/origins.txt
  touch "$origins/done"
fi
exec .venv/bin/python -m tests.smuggling.run "$@"
