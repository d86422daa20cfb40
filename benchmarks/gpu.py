"""What a GPU makes of our training, in under eight minutes: `bash benchmarks/gpu.sh`.

Parts, in this order; each is in the record with its numbers, or with why it is left out:

- ceilings: FLOP/s of large matrix products and bytes/s of large copies, both measured;
- networks: images/s in training of networks of the paper, with timm's in turns where it can be
  imported; shares of the ceilings; memory and time of a step beside what a plan foresees;
- augmentation: images/s that the GPU cuts and augments where the loader leaves it that;
- kernels: where the time of a ResNet-RS-50 step goes, and how much of it the GPU waits;
- sharing, resuming, filling, tests: whole runs (`gpu_runs`);
- compiled: images/s with torch.compile, as far as there is time: it takes minutes.

The record is written after each part, to benchmarks/results/DEVICE.json unless `-o` says where.
"""

import argparse
import json
import platform
import re
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(p for p in sys.path if p != str(HERE))]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from benchmarks import gpu_runs  # noqa: E402
from benchmarks.training import (  # noqa: E402
    CLASSES,
    batch_of,
    compared,
    composed,
    imported,
    now,
    timed_steps,
)
from scaling_study.common.device import best_precision, device_name  # noqa: E402
from scaling_study.config.run import RunConfig  # noqa: E402
from scaling_study.cost.closed_form import describe, run_cost  # noqa: E402
from scaling_study.cost.device_times import Times  # noqa: E402
from scaling_study.cost.devices import WIDTHS, named  # noqa: E402
from scaling_study.data.images.changes import Affine  # noqa: E402
from scaling_study.data.images.crops import random_box  # noqa: E402
from scaling_study.data.images.randaugment import SETS, randaugment  # noqa: E402
from scaling_study.models import network  # noqa: E402
from scaling_study.models.layers import Shape, total  # noqa: E402
from scaling_study.models.modules import build  # noqa: E402
from scaling_study.training.batched_images.pending import Pending  # noqa: E402
from scaling_study.training.ema import Ema  # noqa: E402
from scaling_study.training.numerics import AUTOCAST  # noqa: E402


def _resnet(depth: int, side: int) -> tuple[str, ...]:
    return "model=resnet_rs", f"model.depth={depth}", f"data.resolution={side}"


# The paper's networks: settings, batch on a GPU of 80 GB or more, timm's name.
NETWORKS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "ResNet-RS-50@160": (_resnet(50, 160), 512, "resnetrs50"),
    "ResNet-RS-152@224": (_resnet(152, 224), 256, "resnetrs152"),
    "ResNet-RS-350@256": (_resnet(350, 256), 128, "resnetrs350"),
    "EfficientNet-B1@240": (("+preset=efficientnet_b1",), 256, "efficientnet_b1"),
    "EfficientNet-B4@380": (("+preset=efficientnet_b4",), 96, "efficientnet_b4"),
    "EfficientNet-B6@528": (("+preset=efficientnet_b6",), 32, "efficientnet_b6"),
}
MATRIX, COPIED = 8192, 2**30
TURNS, STEPS = 10, 5
# Images that are augmented at a time, their stored side, and that of the crops, px.
AUGMENTED = (256, 256, 224)
# Forward, and backward by weights and by inputs; each reads and writes activations about once.
PASSES = 3
# Kernels below this share of a step are not told of.
LEAST_SHARE = 0.02
KINDS = {
    "convolution": r"conv|wgrad|dgrad|fprop|gemm|xmma|cutlass",
    "batch norm": r"batch_?norm|bn_",
}


@dataclass
class Bench:
    """What parts share: where they measure, until when, and what was found before them."""

    device: str
    precision: str
    timm: Any
    ends: float
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def left_s(self) -> float:
        return self.ends - time.monotonic()


def ceilings(bench: Bench) -> dict[str, float]:
    """FLOP/s of square matrix products as convolutions have them, and bytes/s of copies."""
    torch.backends.cuda.matmul.allow_tf32 = True  # as convolutions in fp32 do by default
    dtype = AUTOCAST.get(bench.precision, torch.float32)
    a, b = (torch.randn(MATRIX, MATRIX, device=bench.device, dtype=dtype) for _ in range(2))
    source = torch.zeros(COPIED, dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    product = _seconds(bench, lambda: a @ b)
    copy = _seconds(bench, lambda: target.copy_(source))
    return {"matmul_flops_per_s": 2 * MATRIX**3 / product, "copied_bytes_per_s": 2 * COPIED / copy}


def _seconds(bench: Bench, call: Callable[[], object], repeats: int = 20) -> float:
    for _ in range(3):
        call()
    start = now(bench.device)
    for _ in range(repeats):
        call()
    return (now(bench.device) - start) / repeats


def networks(bench: Bench) -> dict[str, Any]:
    """Every network in turn, without torch.compile; one that does not fit says so."""
    return {name: _tried(_measured, bench, name, False) for name in NETWORKS}


def compiled(bench: Bench) -> dict[str, Any]:
    """The same with torch.compile, the quick ones to compile first."""
    return {
        name: _tried(_measured, bench, name, True) if bench.left_s > 60 else {"left_out": "no time"}
        for name in NETWORKS
    }


def _measured(bench: Bench, name: str, compile_it: bool) -> dict[str, Any]:
    settings, batch, timms_name = NETWORKS[name]
    more = (f"train.batch_size={batch}", f"device={bench.device}")
    run = composed(*settings, *more, precision=bench.precision)
    before = _allocated(bench, reset=True)
    module = build(network(run.model, CLASSES))
    averaged = Ema(module.to(bench.device), run.train.ema_decay)  # as in a run, for its memory
    images, labels = batch_of(batch, run.data.resolution, bench.device)
    called: nn.Module = torch.compile(module) if compile_it else module  # type: ignore[assignment]
    ours = timed_steps(called, run, images, labels)
    ours(STEPS)
    found: dict[str, Any] = {"batch": batch, "peak_memory_bytes": _allocated(bench) - before}
    del averaged
    if bench.timm is not None and not compile_it:
        theirs = timed_steps(bench.timm.create_model(timms_name), run, images, labels)
        turns = compared(lambda: ours(STEPS), lambda: theirs(STEPS), TURNS)
        found |= {"over_timm": turns["ratio"], "over_timm_turns": turns["ratios"]}
    seconds = median(ours(STEPS) for _ in range(TURNS))
    return found | _judged(bench, run, batch, seconds)


def _judged(bench: Bench, run: RunConfig, batch: int, seconds: float) -> dict[str, Any]:
    """A step time beside the ceilings, and beside what a plan foresees of time and memory."""
    cost = total(network(run.model, CLASSES).layers, Shape(3, run.data.resolution))[1]
    top = bench.found["ceilings"]
    work = PASSES * cost.flops * batch / top["matmul_flops_per_s"]
    bytes_moved = PASSES * 2 * cost.activations * batch * WIDTHS[bench.precision]
    traffic = bytes_moved / top["copied_bytes_per_s"]
    name = device_name(bench.device)
    times = Times([], 1, device=name, data_sheet=named(name))
    foreseen = times.step(run, describe(run))
    return {
        "images_per_s": batch / seconds,
        "matmul_share": work / seconds,
        "roofline_share": max(work, traffic) / seconds,
        "bound_by": "operations" if work > traffic else "memory traffic",
        "step_s": seconds,
        "foreseen_step_s": foreseen and [foreseen.low, foreseen.value, foreseen.high],
        "foreseen_memory_bytes": run_cost(run).memory_bytes,
    }


def _allocated(bench: Bench, reset: bool = False) -> int:
    """Most bytes that torch has allocated since the last reset; 0 on a CPU, where nobody counts."""
    if bench.device != "cuda":
        return 0
    if reset:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return torch.cuda.max_memory_allocated()


def augmentation(bench: Bench) -> dict[str, float]:
    """Random crops of stored squares, flips and RandAugment x 2, as `loader.augment_on=device`."""
    n, stored, side = AUGMENTED
    rng = np.random.default_rng(0)
    images = torch.randint(0, 256, (n, 3, stored, stored), dtype=torch.uint8, device=bench.device)
    boxes = [random_box(stored, stored, 0.08, rng) for _ in range(n)]
    flip = Affine((-1, 0, side, 0, 1, 0), (0, 0, 0))
    changes = [
        [*[flip] * (i % 2), *randaugment((side, side), 2, 10, rng, SETS["pil"])] for i in range(n)
    ]
    pending = Pending(side, boxes, changes, cut_out=True)
    return {"images_per_s": n / _seconds(bench, lambda: pending.done(images), repeats=5)}


def kernels(bench: Bench) -> dict[str, Any]:
    """Kernels of a step of the first network by share, and the share of its time without any."""
    settings, batch, _ = NETWORKS[next(iter(NETWORKS))]
    run = composed(*settings, f"device={bench.device}", precision=bench.precision)
    images, labels = batch_of(batch, run.data.resolution, bench.device)
    steps = timed_steps(build(network(run.model, CLASSES)), run, images, labels)
    steps(STEPS)
    alone = steps(STEPS)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] * (bench.device == "cuda"))]
    with profile(activities=activities) as seen:
        steps(STEPS)
    which = "self_device_time_total" if bench.device == "cuda" else "self_cpu_time_total"
    spent = {e.key: 1e-6 * getattr(e, which) / STEPS for e in seen.key_averages()}
    busy = sum(spent.values())
    largest = sorted(spent.items(), key=lambda item: -item[1])
    shares = {name: seconds / busy for name, seconds in largest if seconds > LEAST_SHARE * busy}
    return {
        "step_s": alone,
        "waits_share": max(0.0, 1 - busy / alone),
        "kernels": [{"name": n, "kind": _kind(n), "share": share} for n, share in shares.items()],
    }


def _kind(kernel: str) -> str:
    return next((kind for kind, words in KINDS.items() if re.search(words, kernel, re.I)), "other")


# With the least seconds that each takes on a fast GPU.
PARTS: dict[str, tuple[Callable[[Bench], Any], float]] = {
    "ceilings": (ceilings, 5),
    "networks": (networks, 60),
    "augmentation": (augmentation, 5),
    "kernels": (kernels, 10),
    "sharing": (gpu_runs.sharing, 60),
    "resuming": (gpu_runs.resuming, 20),
    "filling": (gpu_runs.filling, 20),
    "tests": (gpu_runs.tests, 60),
    "compiled": (compiled, 60),
}


def _tried(part: Callable[..., Any], *arguments: Any) -> Any:
    """What a part finds, or how it failed: the others go on."""
    try:
        return part(*arguments)
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}


def measure(bench: Bench, output: Path) -> dict[str, Any]:
    """All parts for which there is time; the record, which is on disk after each of them."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    if bench.timm is not None:
        versions["timm"] = bench.timm.__version__
    record = {"device": device_name(bench.device), "precision": bench.precision}
    whole = record | {"versions": versions, "parts": bench.found}
    for name, (part, least_s) in PARTS.items():
        start = time.monotonic()
        enough = bench.left_s >= least_s
        found = _tried(part, bench) if enough else {"left_out": f"{bench.left_s:.0f} s were left"}
        bench.found[name] = found
        print(f"{name} ({time.monotonic() - start:.0f} s): {json.dumps(found)[:400]}", flush=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--timm", type=Path, help="folder with timm and torchvision")
    parser.add_argument("--seconds", type=float, default=420, help="no part begins later")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(arguments)
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device is visible; --device cpu tries the script, and takes hours")
    try:
        timm = imported(args.timm)
    except (ImportError, RuntimeError) as error:
        print(f"timm: left out, because it cannot be imported ({error}); see --timm")
        timm = None
    name = re.sub(r"\W+", "_", device_name(args.device).partition(": ")[2] or args.device).strip(
        "_"
    )
    output = args.output or HERE / "results" / f"{name}.json"
    ends = time.monotonic() + args.seconds
    measure(Bench(args.device, best_precision(args.device), timm, ends), output)
    print(output)


if __name__ == "__main__":
    main()
