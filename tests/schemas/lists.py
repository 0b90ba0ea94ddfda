"""The lists of models that a gateway gives to the clients of each API, as they came."""

from pathlib import Path
from typing import Any

import httpx2

from tests.support.gateway import start

KEY = "sk-edge-schemas"
CONFIG = f"""
version: 1
mock: true
keys: [{{name: app, key: {KEY}}}]
routes:
  ours: {{models: [ours], targets: [{{provider: mock, model: echo}}]}}
"""
LISTS: dict[str, tuple[str, dict[str, str]]] = {
    "openai_models": ("/v1/models", {}),
    "anthropic_models": ("/v1/models", {"anthropic-version": "2023-06-01"}),
    "gemini_models": ("/v1beta/models", {}),
}
"""Where each is asked for, and with what in the head."""


def lists(folder: Path) -> dict[str, Any]:
    """Each list by its name, and by the same with `_one` a model of it alone."""
    config = folder / "llm-edge.yaml"
    config.write_text(CONFIG)
    running = start(["serve", "--config", str(config), "--workers", "1"], folder)
    found = {}
    try:
        for name, (path, head) in LISTS.items():
            for whole, at in ((name, path), (f"{name}_one", f"{path}/ours")):
                fields = head | {"authorization": f"Bearer {KEY}"}
                reply = httpx2.get(running.anthropic + at, headers=fields, timeout=20)
                assert reply.status_code == 200, reply.text
                found[whole] = reply.json()
    finally:
        running.stop()
    return found
