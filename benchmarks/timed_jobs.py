"""Jobs that note their own time. A forked process imports this module, so it is a short one."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling_study.common.ranks import World
from scaling_study.launch.job import Job


@dataclass(frozen=True)
class Empty(Job):
    """A run without training, which notes in its log where and when it was at work."""

    def __call__(self) -> Any:
        began = time.time()
        outcome = super().__call__()
        print(os.environ["BENCHMARK_SLOT"], began, time.time(), flush=True)
        return outcome

    def _train(self, run_dir: Path, world: World) -> dict[str, Any]:
        return {"status": "ok", "wall_s": 0.0}


@dataclass(frozen=True)
class Trained(Job):
    """A run whose log ends with the CPU seconds of its process."""

    def __call__(self) -> Any:
        outcome = super().__call__()
        print(time.process_time(), flush=True)
        return outcome
