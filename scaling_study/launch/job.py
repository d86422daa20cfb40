"""One run as a picklable call: claim it, train it, leave a result. Launchers differ in where."""

import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from scaling_study.config import RunConfig, Setting
from scaling_study.cost import describe
from scaling_study.device import device_name
from scaling_study.provenance import versions
from scaling_study.results import Result, replace_file, write_result
from scaling_study.store import Store
from scaling_study.training.stopping import Stopped
from scaling_study.world import World, world_of

FINISHED = ("ok", "diverged")
# The last one stays unless `checkpoint.keep=none`; the one before it goes when there is a result.
CHECKPOINTS = ("checkpoint.pt", "checkpoint.prev.pt")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its result's status and error, or `running` if another process has it."""

    run_id: str
    status: str
    error: str | None = None
    val_error: float | None = None
    wall_s: float | None = None


@dataclass(frozen=True)
class Job:
    """Trains one run in the process that calls it."""

    run: RunConfig
    setting: Setting

    @property
    def store(self) -> Store:
        return Store(Path(self.setting.results_dir))

    def __call__(self) -> Outcome:
        """Train and write the result; an exception becomes the run's failure, with its traceback.

        Nothing is trained if the run has a result already or another live process works on it.
        """
        if (world := world_of(os.environ)).rank > 0:
            return self._follow(world)
        run_id, store = self.run.run_id, self.store
        with store.claim(run_id) as mine, _joined(world, self.run.device) as tell:
            if not tell(mine and store.state(run_id) not in FINISHED):
                return self.outcome()
            run_dir = store.run_dir(run_id)
            replace_file(run_dir / "config.yaml", yaml.safe_dump(asdict(self.run), sort_keys=False))
            try:
                self._write(self._train(run_dir, world))
            except (KeyboardInterrupt, Stopped):  # no failure: the run continues later
                raise
            except BaseException as error:  # whatever it is, it is this run's failure alone
                traceback.print_exc()
                self.write_failure(f"{type(error).__name__}: {error}")
            if store.state(run_id) in FINISHED:
                spare = 0 if self.setting.checkpoint_keep == "none" else 1
                for name in CHECKPOINTS[spare:]:
                    (run_dir / name).unlink(missing_ok=True)
        return self.outcome()

    def _follow(self, world: World) -> Outcome:
        """Train with rank 0, which claims the run and writes everything."""
        with _joined(world, self.run.device) as tell:
            if tell(True):
                self._train(self.store.run_dir(self.run.run_id), world)
        return Outcome(self.run.run_id, "running")

    def outcome(self) -> Outcome:
        """What the store says of the run now."""
        run_id = self.run.run_id
        state = self.store.state(run_id)
        if state in ("planned", "running") or (result := self.store.result(run_id)) is None:
            return Outcome(run_id, state)
        return Outcome(run_id, result.status, result.error, result.val_error, result.wall_s)

    def write_failure(self, error: str) -> None:
        """Record that the run failed; the next call of the sweep tries it again."""
        self._write({"status": "failed", "error": error})

    def _train(self, run_dir: Path, world: World) -> dict[str, Any]:
        # Planning and submitting never import torch.
        from scaling_study.training.loop import train

        return train(self.run, run_dir, self.setting, world)

    def _write(self, measured: Mapping[str, Any]) -> None:
        known: dict[str, Any] = {
            "threads": self.setting.threads,
            "device": device_name(self.run.device),
            "git_commit": self.setting.git_commit,
            "git_dirty": self.setting.git_dirty,
            "versions": versions(),
        }
        result = Result(**describe(self.run), **known, **measured)
        run_dir = self.store.run_dir(self.run.run_id)
        run_dir.mkdir(parents=True, exist_ok=True)
        write_result(run_dir, result)


@contextmanager
def _joined(world: World, device: str) -> Iterator[Callable[[bool], bool]]:
    """The processes of `world` in touch, and a call that gives rank 0's answer to all of them."""
    if world.size == 1:
        yield lambda answer: answer
        return
    from scaling_study.training.distributed import everywhere, joined

    with joined(world, device):
        yield lambda answer: bool(everywhere(answer, world, device))
