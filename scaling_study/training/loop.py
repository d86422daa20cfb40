"""The one training loop, to be read from top to bottom."""

import json
import math
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from scaling_study.config import RunConfig, Setting
from scaling_study.data import load
from scaling_study.models import network
from scaling_study.models.build import build
from scaling_study.recipe import TrainConfig
from scaling_study.results import replace_file
from scaling_study.training import stopping
from scaling_study.training.batches import Batches, seed_of
from scaling_study.training.checkpoint import Checkpoints
from scaling_study.training.ema import Ema
from scaling_study.training.evaluate import evaluate, training_sample
from scaling_study.training.schedule import ema_decay, learning_rate

# The first steps of a process allocate and choose kernels; they say nothing about speed.
WARMUP_STEPS = 3
# On a GPU steps are queued: only a window that ends in a synchronisation can be timed.
GPU_WINDOW = 20
# Steps that wait longer than this share of their time for images are bound by data.
DATA_BOUND_SHARE = 0.2


def train(run: RunConfig, run_dir: Path, setting: Setting) -> dict[str, Any]:
    """Train `run`, resuming from its checkpoint if there is one; returns the measured columns.

    The process's random state, thread count and files outside `run_dir` and the data cache are
    left as they were.
    """
    with torch.random.fork_rng():
        threads = torch.get_num_threads()
        torch.set_num_threads(setting.threads)
        try:
            return _train(run, run_dir, setting)
        finally:
            torch.set_num_threads(threads)


def _train(run: RunConfig, run_dir: Path, setting: Setting) -> dict[str, Any]:
    started = time.monotonic()
    recipe, device = run.train, run.device
    splits = load(run.data, Path(setting.cache_dir))
    batches = Batches(splits.train, run.data, recipe.batch_size, run.run_id)
    steps = recipe.epochs * batches.steps_per_epoch
    warmup_steps = recipe.warmup_epochs * batches.steps_per_epoch

    torch.manual_seed(seed_of(run.run_id, "init"))
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    module = build(network(run.model, splits.facts.n_classes)).to(device, memory_format=layout)  # type: ignore[call-overload]
    optimizer = sgd(module, recipe)
    ema = Ema(module)
    times = StepTimes(device)
    first, wall_before = 0, 0.0
    loss_sum, loss_steps = torch.zeros((), device=device), 0

    checkpoints = Checkpoints(run_dir, setting.checkpoint_every_s)
    if (state := checkpoints.load(run.run_id, module.state_dict())) is not None:
        module.load_state_dict(state["model"])
        ema.load_state_dict(state["ema"])
        if state["optimizer"] is not None:
            optimizer.load_state_dict(state["optimizer"])
        times.seconds, times.waits = state["step_times"], state["waits"]
        first, wall_before = state["step"], state["wall_s"]
        loss_sum, loss_steps = loss_sum + state["loss"][0], state["loss"][1]
        print(f"resuming at step {first} of {steps}", flush=True)
    metrics = Metrics(run_dir / "metrics.jsonl", first)

    def snapshot(step: int) -> dict[str, Any]:
        return {
            "run_id": run.run_id,
            "step": step,
            "model": module.state_dict(),
            "ema": ema.state_dict(),
            # Nothing is left to optimise after the last step.
            "optimizer": optimizer.state_dict() if step < steps else None,
            "step_times": times.seconds,
            "waits": times.waits,
            "loss": (float(loss_sum), loss_steps),
            "wall_s": wall_before + time.monotonic() - started,
        }

    def measured(status: str, **values: float | str) -> dict[str, Any]:
        return times.columns(recipe.batch_size) | {
            "status": status,
            "peak_memory_bytes": peak_memory_bytes(device),
            "wall_s": wall_before + time.monotonic() - started,
            **values,
        }

    module.train()
    times.start()
    for step in range(first, steps):
        images, labels = batches[step]
        images = images.to(device, non_blocking=True).contiguous(memory_format=layout)
        labels = labels.to(device, non_blocking=True)
        times.got_batch()

        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, warmup_steps, recipe.lr)
        # Dropout and stochastic depth draw from torch's own generator: seeded, step by step.
        torch.manual_seed(seed_of(run.run_id, "step", step))
        with torch.autocast(device, torch.bfloat16, enabled=run.precision == "bf16"):
            logits = module(images)
            loss = cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        ema.update(ema_decay(step, recipe.ema_decay))
        loss_sum += loss.detach()
        loss_steps += 1
        epoch_ends = (step + 1) % batches.steps_per_epoch == 0
        if not times.end_step(last=epoch_ends):
            continue

        if not torch.isfinite(loss_sum):
            return measured("diverged", error=f"loss is not finite at step {step + 1} of {steps}")
        if epoch_ends:
            epoch, lr = (step + 1) // batches.steps_per_epoch, optimizer.param_groups[0]["lr"]
            metrics.write(step=step + 1, epoch=epoch, loss=float(loss_sum) / loss_steps, lr=lr)
            loss_sum, loss_steps = torch.zeros((), device=device), 0
        if step + 1 < steps and (checkpoints.due() or stopping.requested()):
            checkpoints.save(snapshot(step + 1))
            if reason := stopping.requested():
                raise stopping.Stopped(reason)
        times.start()
    if first < steps:
        checkpoints.save(snapshot(steps))

    module.load_state_dict(ema.state_dict())
    norm = batches.mean, batches.std
    val_error, val_loss = evaluate(module, splits.val, *norm, layout, run)
    seen = training_sample(splits.train)
    train_error, _ = evaluate(module, seen, *norm, layout, run)
    if not math.isfinite(val_loss):
        return measured("diverged", error="the evaluation loss is not finite")
    metrics.write(step=steps, epoch=recipe.epochs, val_error=val_error, train_error=train_error)
    return measured("ok", val_error=val_error, val_loss=val_loss, train_error=train_error)


def sgd(module: nn.Module, recipe: TrainConfig) -> torch.optim.SGD:
    """SGD with Nesterov momentum; batch-norm scales and shifts are not decayed."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    undecayed = [p for norm in norms for p in norm.parameters()]
    ids = {id(p) for p in undecayed}
    decayed = [p for p in module.parameters() if id(p) not in ids]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": undecayed, "weight_decay": 0.0}]
    return torch.optim.SGD(
        groups,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


class StepTimes:
    """Times of steps, or on a GPU of windows of steps: from asking for a batch to the update."""

    def __init__(self, device: str) -> None:
        self.seconds: list[float] = []
        self.waits: list[float] = []
        self._cuda = device == "cuda"
        self._window = GPU_WINDOW if self._cuda else 1
        self._ended, self._wait, self._mark = 0, 0.0, 0.0
        self._skip = WARMUP_STEPS if not self._cuda else 1

    def start(self) -> None:
        """A window begins now."""
        self._ended, self._wait = 0, 0.0
        self._begin = self._mark = time.perf_counter()

    def got_batch(self) -> None:
        self._wait += time.perf_counter() - self._mark

    def end_step(self, last: bool) -> bool:
        """Whether a window ends with this step: a good moment to look at things; `last` ends it."""
        self._ended += 1
        if self._ended < self._window and not last:
            self._mark = time.perf_counter()
            return False
        if self._cuda:
            torch.cuda.synchronize()
        if self._skip:
            self._skip -= 1
        else:
            self.seconds.append((time.perf_counter() - self._begin) / self._ended)
            self.waits.append(self._wait / self._ended)
        return True

    def columns(self, batch_size: int) -> dict[str, Any]:
        """The result columns about speed; None where fewer than two windows were timed."""
        if len(self.seconds) < 2:
            return {}
        median, mean = statistics.median(self.seconds), statistics.mean(self.seconds)
        waited = statistics.median(self.waits)
        return {
            "step_time_s": median,
            "step_time_cv": statistics.stdev(self.seconds) / mean,
            "images_per_s": batch_size / median,
            "bound": "data" if waited > DATA_BOUND_SHARE * median else "compute",
        }


class Metrics:
    """metrics.jsonl: one line an epoch. Lines after the step that a run resumes at are dropped."""

    def __init__(self, path: Path, first_step: int) -> None:
        self._path = path
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            replace_file(path, "".join(line for line in lines if _at_most(line, first_step)))

    def write(self, **values: float) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def _at_most(line: str, step: int) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False  # the torn last line of a killed process
    return bool(record["step"] <= step) and "val_error" not in record


def peak_memory_bytes(device: str) -> int:
    """Most memory held so far: by torch's allocator on a GPU, else by this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
