"""RUN/tensorboard: event files, for those who look at runs without W&B."""

from pathlib import Path


class EventFiles:
    """A sink that writes every number as a scalar over the training step.

    A run that goes on at `first_step`, or starts anew at 0, hides what was written after it.
    """

    def __init__(self, run_dir: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(run_dir / "tensorboard", purge_step=first_step + 1)

    def write(self, **values: float) -> None:
        for name, value in values.items():
            if name != "step":
                self._writer.add_scalar(name, value, int(values["step"]))
        self._writer.flush()
