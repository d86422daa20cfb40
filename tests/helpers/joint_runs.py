"""The tiny run trained by several processes, as launchers start them."""

import json
import socket
from pathlib import Path
from typing import Any

from helpers import warm_python
from helpers.commands import environment
from helpers.tiny import tiny
from scaling_study.study.result import Result, read_result

# Masks of dropped images differ between ranks, so these two are off.
PLAIN = {"model.dropout": 0.0, "model.stochastic_depth": 0.0, "train.sync_batch_norm": True}


def trained(
    processes: int,
    results: Path,
    cache_dir: Path,
    changes: dict[str, Any],
    failing: int = 0,
    **more: Any,
) -> tuple[list[dict[str, float]], Result, str]:
    """Records, result and output of the tiny run in so many processes, of which some fail."""
    arguments = [str(results), str(cache_dir), json.dumps(PLAIN | changes), json.dumps(more)]
    started = [
        warm_python.start(
            "helpers.together", *arguments, cwd=results.parent, env=environment() | place
        )
        for place in places(processes)
    ]
    said = [process.communicate(timeout=120) for process in started]
    codes = [process.returncode for process in started]
    assert codes == [0] * (processes - failing) + [1] * failing, said
    run_dir = results / "runs" / tiny(**PLAIN | changes).run_id
    metrics = run_dir / "metrics.jsonl"
    text = metrics.read_text(encoding="utf-8") if metrics.exists() else ""
    records = [json.loads(line) for line in text.splitlines()]
    result = run_dir / "result.json"
    output = "".join(out for out, _ in said)
    return records, read_result(result) if result.exists() else None, output  # type: ignore[return-value]


def places(processes: int) -> list[dict[str, str]]:
    """The environment that torchrun would give each process, without its own start."""
    if processes == 1:
        return [{}]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [common | {"RANK": str(n), "LOCAL_RANK": str(n)} for n in range(processes)]
