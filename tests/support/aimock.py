"""npm's `@copilotkit/aimock`: an upstream that others wrote, with the replies that a test wants."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

NODE = Path(__file__).parents[1] / "sdk" / "node"
STOP_S = 10.0


@contextmanager
def aimock(
    folder: Path,
    fixtures: Sequence[dict[str, object]],
    rankings: Sequence[dict[str, object]] = (),
) -> Iterator[str]:
    """Run it on a free port and yield its address, `http://host:port`.

    Args:
        folder: Where its file of fixtures goes.
        fixtures: What is answered to what, the first that matches: its own form.
        rankings: The same for rerank, which has no fixtures: a `query` and its `results`.

    Raises:
        AssertionError: It is not installed, did not start, or did not end when told to.
    """
    node = shutil.which("node")
    assert node, "no `node`: `make behaviour` installs it"
    assert (NODE / "node_modules").is_dir(), f"run `npm ci` in {NODE}: `make behaviour` does"
    path = folder / "fixtures.json"
    path.write_bytes(msgspec.json.encode({"fixtures": list(fixtures), "rankings": list(rankings)}))
    process = subprocess.Popen(
        [node, "aimock.mjs", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=NODE,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address, process.communicate()[1]
        yield address
    finally:
        try:
            process.communicate("", timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
    assert process.returncode == 0
