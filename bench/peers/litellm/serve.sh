#!/bin/bash
# Starts LiteLLM's proxy on $PORT with the oracle as its upstream: what `llm-edge-chaos --other` asks of a program.
set -euo pipefail
cd "$(dirname "$0")"
config="$(mktemp --suffix=.yaml)"
trap 'rm -f "$config"' EXIT
sed -e "s|ORACLE_PLAIN|$ORACLE_PLAIN|; s|ORACLE_REFUSED|$ORACLE_REFUSED|; s|ORACLE_RESET|$ORACLE_RESET|" config.yaml >"$config"
# Without a key it does not start; callers show this one.
export LITELLM_MASTER_KEY="$OTHER_KEY" LITELLM_LOCAL_MODEL_COST_MAP=True
bin="$(cd ../../.. && pwd)/bench/.work/peers/litellm/bin"
# No exec: the file is removed when the proxy has ended.
"$bin/litellm" --config "$config" --host 127.0.0.1 --port "$PORT" --num_workers 1 &
child=$!
trap 'kill -TERM "$child" 2>/dev/null; wait "$child"; rm -f "$config"' TERM INT
wait "$child"
