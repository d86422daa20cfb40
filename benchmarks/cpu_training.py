"""Training on a CPU: `python benchmarks/cpu_training.py [--avx2] [--turns N]`.

`--avx2` computes as a CPU does that has AVX2 alone, in fp32. Five parts, or
those that `--only` names:

- profile: which share of a training step's CPU time convolutions, batch norm and the rest take;
- options: images/s of training with other batch sizes and memory layouts;
- compile: images/s of training with torch.compile, which takes a C++ compiler and a minute;
- evaluation: images/s of scoring, by batch size and memory layout, without gradients;
- threads: images/s of training on several cores, which needs a machine with nothing else at work.

Variants take turns, and each turn gives a ratio to what the project does: their median counts. Time
is that of the process on its core, which the load of others hardly changes; of `threads` it is the
wall's. Prints tables as Markdown; `-o` writes every number as JSON.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(p for p in sys.path if p != str(HERE))]
# Read when torch is imported: what its operators and oneDNN's may use.
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
if "--avx2" in sys.argv:
    os.environ.update(AVX2)

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from benchmarks.training import composed  # noqa: E402
from scaling_study.common.device import best_precision, device_name  # noqa: E402
from scaling_study.config.run import RunConfig  # noqa: E402
from scaling_study.models import network  # noqa: E402
from scaling_study.models.modules import build  # noqa: E402
from scaling_study.training.numerics import autocast  # noqa: E402
from scaling_study.training.optimizers import optimizer_of  # noqa: E402

# Cells of the embedded study: its base, and a larger one; and its batch size.
NETWORKS = {
    "depth 14, width 0.25, 16 px": ("model.depth=14", "model.width=0.25", "data.resolution=16"),
    "depth 26, width 0.5, 32 px": ("model.depth=26", "model.width=0.5", "data.resolution=32"),
}
BATCH, CLASSES = 32, 32
TURN_S = 0.1
BATCHES, EVALUATION_BATCHES = (8, 16, 32, 64, 128), (32, 250, 1000)
LAYOUTS = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}
# Operators of a training step, by what they are for; the first that a name contains.
KINDS = {
    "convolutions, backward": ("convolution_backward",),
    "convolutions, forward": ("convolution",),
    "batch norm, backward": ("batch_norm_backward",),
    "batch norm, forward": ("batch_norm",),
    "ReLU and its backward": ("relu", "threshold"),
    "optimizer": ("_fused_", "_foreach", "adam", "sgd"),
    "sums, products, copies": ("aten::add", "aten::mul", "aten::copy", "aten::sum", "aten::clone"),
}
Step = Callable[[], None]


def batch_of(run: RunConfig, n: int, layout: torch.memory_format) -> tuple[Tensor, Tensor]:
    side = run.data.resolution
    images = torch.randn(n, 3, side, side).contiguous(memory_format=layout)
    return images, torch.randint(CLASSES, (n,))


def step_of(run: RunConfig, n: int, layout: torch.memory_format, compiled: bool = False) -> Step:
    """A call that does a training step of `n` images."""
    module = build(network(run.model, CLASSES)).train()
    module.to(memory_format=layout)  # type: ignore[call-overload]
    optimizer, (images, labels) = optimizer_of(module, run.train), batch_of(run, n, layout)
    called: nn.Module = torch.compile(module) if compiled else module  # type: ignore[assignment]

    def step() -> None:
        with autocast(run):
            loss = cross_entropy(called(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


@torch.inference_mode()
def scoring_of(run: RunConfig, n: int, layout: torch.memory_format) -> Step:
    """A call that scores `n` images."""
    module = build(network(run.model, CLASSES)).eval()
    module.to(memory_format=layout)  # type: ignore[call-overload]
    images, _ = batch_of(run, n, layout)

    @torch.inference_mode()
    def score() -> None:
        with autocast(run):
            module(images)

    return score


def speeds(
    variants: Mapping[str, tuple[Step, int]],
    turns: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, list[float]]:
    """Images/s of each variant, a call and its images, in each turn."""
    repeats = {}
    for name, (call, _) in variants.items():
        call()
        start = time.process_time()
        call()
        # Clocks of CPU time may tick slowly: a turn is not much shorter than TURN_S.
        repeats[name] = max(1, round(TURN_S / max(time.process_time() - start, 1e-3)))
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(turns):
        for name, (call, images) in variants.items():
            start = clock()
            for _ in range(repeats[name]):
                call()
            found[name].append(repeats[name] * images / (clock() - start))
    return found


def profiled(run: RunConfig, seconds: float) -> dict[str, float]:
    """Share of a step's CPU time, by kind of operator."""
    step = step_of(run, BATCH, torch.channels_last)
    for _ in range(3):
        step()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        begin = time.process_time()
        step()
        while time.process_time() - begin < seconds:
            step()
    shares = dict.fromkeys((*KINDS, "other"), 0.0)
    for event in seen.key_averages():
        names = (kind for kind, parts in KINDS.items() if any(p in event.key for p in parts))
        shares[next(names, "other")] += event.self_cpu_time_total
    total = sum(shares.values())
    return {kind: share / total for kind, share in shares.items()}


def options(run: RunConfig, turns: int) -> dict[str, list[float]]:
    """Images/s of training by batch size and layout."""
    variants = {f"batch {n}": (step_of(run, n, torch.channels_last), n) for n in BATCHES}
    variants["contiguous"] = step_of(run, BATCH, torch.contiguous_format), BATCH
    return speeds(variants, turns)


def compiled(run: RunConfig, turns: int) -> dict[str, list[float]]:
    """Images/s of training without and with torch.compile; without alone where it fails."""
    plain, fast = (step_of(run, BATCH, torch.channels_last, compiled=c) for c in (False, True))
    variants = {"as it is": (plain, BATCH)}
    try:
        fast()
        variants["torch.compile"] = fast, BATCH
    except Exception as error:  # without a C++ compiler it fails in many ways
        print(f"torch.compile: left out ({type(error).__name__})")
    return speeds(variants, turns)


def evaluation(run: RunConfig, turns: int) -> dict[str, list[float]]:
    """Images/s of scoring by batch size and layout."""
    variants = {
        f"{name}, batch {n}": (scoring_of(run, n, layout), n)
        for n in EVALUATION_BATCHES
        for name, layout in LAYOUTS.items()
    }
    return speeds(variants, turns)


def threads(run: RunConfig, turns: int) -> dict[str, list[float]]:
    """Images/s of training on one core and on several, by the wall's clock."""

    def on(cores: int) -> Step:
        step = step_of(run, BATCH, torch.channels_last)

        def call() -> None:
            torch.set_num_threads(cores)
            step()

        return call

    cores = [n for n in (1, 2, 4, 8) if n <= (os.cpu_count() or 1)]
    found = speeds({f"threads {n}": (on(n), BATCH) for n in cores}, turns, time.perf_counter)
    torch.set_num_threads(1)
    return found


def table(title: str, found: Mapping[str, Mapping[str, Any]], ours: str) -> None:
    """A Markdown table, a row per variant: relative to `ours`, or shares where that is empty."""
    print(f"\n| {title} | " + " | ".join(found) + " |\n|" + "---|" * (len(found) + 1))
    for row in next(iter(found.values())):
        cells = []
        for values in found.values():
            if row not in values:
                cells.append("–")
            elif ours:
                ratio = median(a / b for a, b in zip(values[row], values[ours], strict=True))
                cells.append(f"{ratio:.2f} ({median(values[row]):.0f} images/s)")
            else:
                cells.append(f"{100 * values[row]:.0f} %")
        print(f"| {row} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("profile", "options", "compile", "evaluation", "threads")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--precision", choices=("fp32", "bf16"), help="default: the device's")
    parser.add_argument("--avx2", action="store_true", help="as a CPU that has no more, in fp32")
    parser.add_argument("--turns", type=int, default=21)
    parser.add_argument("--seconds", type=float, default=10.0, help="of CPU, per profiled network")
    parser.add_argument("-o", "--output", type=Path, help="write every number as JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    precision = args.precision or ("fp32" if args.avx2 else best_precision("cpu"))
    capped = " as if it had AVX2 alone" if args.avx2 else ""
    runs = {name: composed(*more, precision=precision) for name, more in NETWORKS.items()}
    made: dict[str, Callable[[RunConfig], Mapping[str, Any]]] = {
        "profile": lambda run: profiled(run, args.seconds),
        "options": lambda run: options(run, args.turns),
        "compile": lambda run: compiled(run, args.turns),
        "evaluation": lambda run: evaluation(run, args.turns),
        "threads": lambda run: threads(run, args.turns),
    }
    ours = {"profile": "", "options": f"batch {BATCH}", "compile": "as it is"}
    ours |= {"evaluation": "channels last, batch 250", "threads": "threads 1"}
    how = f"{precision}, torch {torch.__version__}, medians of {args.turns} turns"
    print(f"{device_name('cpu')}{capped}, {how}, load {os.getloadavg()[0]:.0f}")
    record: dict[str, Any] = {
        "device": device_name("cpu"),
        "load": os.getloadavg(),
        "avx2": args.avx2,
        "precision": precision,
        "turns": args.turns,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    for part in args.only:
        record[part] = {name: made[part](run) for name, run in runs.items()}
        table(part, record[part], ours[part])
    if args.output:
        args.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
