"""How a run ends: one line of JSON, and the same in a file where it is to be kept."""

import json
import os
from collections.abc import Mapping
from pathlib import Path


def say(result: Mapping[str, object]) -> None:
    """Print a result as one line; write it, for people to read, to the file that RESULT names."""
    if path := os.environ.get("RESULT"):
        Path(path).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(result, ensure_ascii=False), flush=True)
