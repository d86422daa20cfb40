"""How fast training is: `python benchmarks/training.py [--timm DIR] [--device cuda] [-o FILE]`.

Our whole loop beside a bare loop of forward, backward and optimizer step on the same network and
images; our ResNet-RS-50 beside timm's on the same batch. The two sides take turns, and the median
of the turns' ratios is shown with their range. Ratios above 1 mean that ours is faster. On a CPU
the time is that of the process on its cores, checkpoint writer included, which the load of others
hardly changes; on a GPU it is the wall's. Nothing is asserted. `gpu.py` says more of a GPU.

timm is not a dependency. `pip install --no-deps --target DIR timm torchvision` puts it, and the
torchvision that it imports, where `--timm DIR` finds them; any torch of ours will do.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(p for p in sys.path if p != str(HERE))]

import hydra  # noqa: E402
import torch  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

from benchmarks.untracked import execution_in  # noqa: E402
from scaling_study.common.device import best_precision, device_name  # noqa: E402
from scaling_study.common.paths import data_dir  # noqa: E402
from scaling_study.config.execution import ExecutionConfig  # noqa: E402
from scaling_study.config.run import RunConfig, run_config  # noqa: E402
from scaling_study.models import network  # noqa: E402
from scaling_study.models.modules import build  # noqa: E402
from scaling_study.training.input_pipeline.batches import TrainingData  # noqa: E402
from scaling_study.training.loop import train  # noqa: E402
from scaling_study.training.numerics import autocast  # noqa: E402
from scaling_study.training.optimizers import optimizer_of  # noqa: E402
from scaling_study.training.seeds import seed_of  # noqa: E402

TARGET_LOOP, TARGET_TIMM = 0.95, 1.0
# What the loop is measured on: a cell of the embedded study, where each step is short and the
# loop's own work weighs most, and a larger network.
LOOPS = {
    "depth 14, width 0.25, 16 px, batch 32": {
        "cpu": ("model.depth=14", "model.width=0.25", "data.resolution=16", "train.batch_size=32")
    },
    "depth 26, width 0.5, 32 px, batch 64": {
        "cpu": ("model.depth=26", "model.width=0.5", "data.resolution=32", "train.batch_size=64"),
    },
    "depth 50, width 1, 160 px, batch 256": {
        "cuda": ("model.depth=50", "data.resolution=160", "train.batch_size=256"),
    },
}
EPOCHS = 4
CLASSES = 1000


def composed(*overrides: str, precision: str) -> RunConfig:
    """The run that these overrides describe."""
    OmegaConf.register_new_resolver("data_dir", lambda name: str(data_dir(name)), replace=True)
    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        values: Any = OmegaConf.to_container(hydra.compose("run", list(overrides)))
    return run_config(values | {"precision": precision})


class Clock:
    """A sink that notes when each epoch ended."""

    def __init__(self, device: str) -> None:
        self._device = device
        self.times: list[float] = []

    def write(self, number: int, row: Mapping[str, Any]) -> None:
        if float(row["epoch"]).is_integer() and "loss" in row:
            self.times.append(now(self._device))

    def finish(self, summary: Mapping[str, Any]) -> None:
        pass

    def seconds(self) -> float:
        """From the end of the first epoch, which warms up, to that of the last."""
        return self.times[-1] - self.times[0]


def ours(run: RunConfig, execution: ExecutionConfig) -> float:
    """Seconds of all epochs but the first in our loop, with its checkpoints and records."""
    clock = Clock(run.device)
    with tempfile.TemporaryDirectory() as folder:
        train(run, Path(folder), execution, sinks=[lambda first: clock])
    return clock.seconds()


def bare(run: RunConfig, execution: ExecutionConfig) -> float:
    """Seconds of the same epochs of what no training loop can do without."""
    with tempfile.TemporaryDirectory() as folder:
        data = TrainingData.of(run, execution, Path(folder))
        torch.manual_seed(seed_of(run.run_id, "init"))
        module = build(network(run.model, data.info.n_classes))
        module.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = optimizer_of(module, run.train)
        clock, steps = Clock(run.device), run.train.epochs * data.steps_per_epoch
        for step, (pixels, targets) in enumerate(data.batches(0, steps)):
            pixels = pixels.to(run.device, non_blocking=True)
            labels = targets.to(run.device, non_blocking=True)
            images = ((pixels.float() - data.mean) / data.std).expand(-1, 3, -1, -1)
            images = images.contiguous(memory_format=torch.channels_last)
            step_of(module, optimizer, images, labels, run)
            if (step + 1) % data.steps_per_epoch == 0:
                clock.write(step + 1, {"epoch": 1, "loss": 0})
    return clock.seconds()


def step_of(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    run: RunConfig,
) -> None:
    """Forward, backward, optimizer step."""
    with autocast(run):
        loss = cross_entropy(module(images), labels, label_smoothing=run.train.label_smoothing)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def now(device: str) -> float:
    """Seconds: of the wall behind all queued work of a GPU, or of this process on CPU cores."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def compared(one: Callable[[], float], other: Callable[[], float], repeats: int) -> dict[str, Any]:
    """Seconds of both, which take turns at going first; other / one of each turn, and the median.

    Each turn's two sides see the same load of the machine, so the ratio is that of the turns.
    """
    one(), other()
    turns = []
    for turn in range(repeats):
        if turn % 2:
            second = other()
            first = one()
        else:
            first, second = one(), other()
        turns.append((first, second))
    ratios = sorted(second / first for first, second in turns)
    return {
        "seconds": median(first for first, _ in turns),
        "seconds_other": median(second for _, second in turns),
        "ratio": median(ratios),
        "ratios": ratios,
    }


def loops(device: str, precision: str, repeats: int) -> list[dict[str, Any]]:
    """Our loop beside the bare one, on each network of this device."""
    found = []
    with tempfile.TemporaryDirectory() as cache:
        execution = execution_in(cache, keep="final", every_s=2, threads=torch.get_num_threads())
        for name, by_device in LOOPS.items():
            if device not in by_device:
                continue
            more = (f"train.epochs={EPOCHS}", "data.val_per_class=8", f"device={device}")
            run = composed(*by_device[device], *more, precision=precision)
            turns = compared(
                lambda r=run: ours(r, execution), lambda r=run: bare(r, execution), repeats
            )
            found.append({"network": name, "target": TARGET_LOOP} | turns)
            show(f"our loop / bare loop, {name}", found[-1])
    return found


def batch_of(n: int, side: int, device: str) -> tuple[Tensor, Tensor]:
    images = torch.randn(n, 3, side, side, device=device)
    labels = torch.randint(CLASSES, (n,), device=device)
    return images.contiguous(memory_format=torch.channels_last), labels


def timed_steps(module: nn.Module, run: RunConfig, images: Tensor, labels: Tensor) -> Any:
    """A call that returns the mean seconds of so many training steps."""
    module.to(run.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = optimizer_of(module, run.train)

    def timed(steps: int) -> float:
        start = now(run.device)
        for _ in range(steps):
            step_of(module, optimizer, images, labels, run)
        return (now(run.device) - start) / steps

    return timed


def beside_timm(folder: Path | None, device: str, precision: str, repeats: int) -> Any:
    """Our ResNet-RS-50 beside timm's resnetrs50 on one batch, or why not."""
    try:
        timm = imported(folder)
    except (ImportError, RuntimeError) as error:
        print(f"timm: left out, because it cannot be imported ({error}); see --timm")
        return None
    run = composed("model=resnet_rs", "model.depth=50", f"device={device}", precision=precision)
    images, labels = batch_of(*((256, 160) if device == "cuda" else (4, 160)), device)
    one = timed_steps(build(network(run.model, CLASSES)), run, images, labels)
    other = timed_steps(timm.create_model("resnetrs50"), run, images, labels)
    steps = 20 if device == "cuda" else 2
    turns = compared(lambda: one(steps), lambda: other(steps), repeats)
    found = {"timm": timm.__version__, "batch": len(labels), "target": TARGET_TIMM} | turns
    show("our ResNet-RS-50 / timm's resnetrs50, 160 px", found)
    return found


def imported(folder: Path | None) -> Any:
    """timm, with the two operators declared that torchvision needs beside a torch for CPUs."""
    if folder is not None:
        sys.path.append(str(folder))
    library = torch.library.Library("torchvision", "DEF")
    if not torch.cuda.is_available():
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    globals()["_declared"] = library  # it goes with its last reference
    import timm

    return timm


def show(what: str, found: dict[str, Any]) -> None:
    low, high = found["ratios"][0], found["ratios"][-1]
    print(
        f"{what}: {found['ratio']:.3f} [{low:.3f} to {high:.3f}] (target {found['target']:g}); "
        f"{found['seconds']:.3g} s beside {found['seconds_other']:.3g} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    text = "default: bf16 where the device multiplies it in hardware"
    parser.add_argument("--precision", choices=("fp32", "bf16"), help=text)
    parser.add_argument("--timm", type=Path, help="folder with timm and torchvision")
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--threads", type=int, default=1, help="of a CPU")
    parser.add_argument("-o", "--output", type=Path, help="write every number as JSON")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    precision = args.precision or best_precision(args.device)
    record: dict[str, Any] = {
        "device": device_name(args.device),
        "load": os.getloadavg(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "precision": precision,
        "threads": args.threads,
        "loops": loops(args.device, precision, args.repeats),
        "timm": beside_timm(args.timm, args.device, precision, args.repeats),
    }
    if args.output:
        args.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
