"""RUN/tensorboard: event files, for those who look at runs without W&B."""

from collections.abc import Callable, Mapping
from pathlib import Path

Sink = Callable[[Mapping[str, float]], None]


def event_files(run_dir: Path, first_step: int) -> Sink:
    """A sink that writes every metric as a scalar over the training step.

    A run that resumes at `first_step` hides what was written after it.
    """
    from torch.utils.tensorboard import SummaryWriter

    purge = first_step + 1 if first_step else None
    writer = SummaryWriter(run_dir / "tensorboard", purge_step=purge)

    def write(record: Mapping[str, float]) -> None:
        for name, value in record.items():
            if name != "step":
                writer.add_scalar(name, value, int(record["step"]))
        writer.flush()

    return write
