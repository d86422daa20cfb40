"""The one training loop, to be read from top to bottom."""

import math
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from scaling_study.config import RunConfig, Setting
from scaling_study.data import load
from scaling_study.errors import InputError
from scaling_study.models import network as layers_of
from scaling_study.models import timm
from scaling_study.models.build import build
from scaling_study.training import stopping
from scaling_study.training.batches import Batches, seed_of
from scaling_study.training.checkpoint import Checkpoints
from scaling_study.training.distributed import parallel, total
from scaling_study.training.ema import Ema
from scaling_study.training.evaluate import evaluate, training_sample
from scaling_study.training.feeding import on_device, shares
from scaling_study.training.metrics import Metrics, MetricsFile, Sink
from scaling_study.training.micro_batches import MicroBatches
from scaling_study.training.optimizers import optimizer_of
from scaling_study.training.schedule import learning_rate
from scaling_study.training.steps import StepTimes, peak_memory_bytes
from scaling_study.world import ALONE, World

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
# Within an epoch there is a record every so many steps; a multiple of a GPU's window.
RECORD_STEPS = 100


def train(
    run: RunConfig,
    run_dir: Path,
    setting: Setting,
    world: World = ALONE,
    sinks: Sequence[Sink] = (),
) -> dict[str, Any]:
    """Train `run`, resuming from its checkpoint if there is one; returns the measured columns.

    All processes of `world` call it; rank 0 alone scores, writes files and reports to `sinks`,
    and what the others return has no scores. The process's random state, thread count and files
    outside `run_dir` and the data cache are left as they were.

    Raises:
        Stopped: `stopping.request` was called; a checkpoint of the last step is on disk.
        InputError: the batch cannot be shared among so many processes.
    """
    with torch.random.fork_rng():
        threads = torch.get_num_threads()
        torch.set_num_threads(setting.threads)
        checkpoints = Checkpoints(run_dir, setting.checkpoint_every_s)
        try:
            return _train(run, run_dir, setting, world, sinks, checkpoints)
        finally:
            checkpoints.close()
            torch.set_num_threads(threads)


def _train(
    run: RunConfig,
    run_dir: Path,
    setting: Setting,
    world: World,
    sinks: Sequence[Sink],
    checkpoints: Checkpoints,
) -> dict[str, Any]:
    started = time.monotonic()
    recipe, device, first_rank = run.train, run.device, world.rank == 0
    share = _share(run, world)
    splits = load(run.data, Path(setting.cache_dir))
    batches = Batches(splits.train, run.data, recipe.batch_size, run.run_id)
    steps_per_epoch = batches.steps_per_epoch
    steps = recipe.epochs * steps_per_epoch

    torch.manual_seed(seed_of(run.run_id, "init"))
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    module = build(layers_of(run.model, splits.facts.n_classes)).to(device, memory_format=layout)  # type: ignore[call-overload]
    if run.init is not None:
        timm.load(module, run.model, run.init)
    optimizer = optimizer_of(module, recipe)
    scaler = torch.amp.GradScaler(device, enabled=run.precision == "fp16")
    ema = Ema(module, recipe.ema_decay)

    def loss_of(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(device, AUTOCAST.get(run.precision), run.precision in AUTOCAST):
            logits = network(images)
            return cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)

    micro_batches = MicroBatches(module, loss_of, share, recipe.accumulation)
    times = StepTimes(device)
    first, wall_before, loss_sum, loss_steps = 0, 0.0, 0.0, 0

    if (state := checkpoints.load(run.run_id, module.state_dict())) is not None:
        module.load_state_dict(state["model"])
        ema.load_state_dict(state["ema"])
        scaler.load_state_dict(state["scaler"])
        if state["optimizer"] is not None:
            optimizer.load_state_dict(state["optimizer"])
        micro_batches.halvings = state["halvings"]
        times.seconds, times.waits = state["step_times"], state["waits"]
        first, wall_before = state["step"], state["wall_s"]
        loss_sum, loss_steps = state["loss"]
        print(f"resuming at step {first} of {steps}", flush=True)
    metrics = Metrics((MetricsFile(run_dir / "metrics.jsonl", first), *sinks) if first_rank else ())

    def save(step: int) -> None:
        if not first_rank:
            return
        checkpoints.save(
            {
                "run_id": run.run_id,
                "step": step,
                "model": module.state_dict(),
                "ema": ema.state_dict(),
                # Nothing is left to optimise after the last step.
                "optimizer": optimizer.state_dict() if step < steps else None,
                "scaler": scaler.state_dict(),
                "halvings": micro_batches.halvings,
                "step_times": times.seconds,
                "waits": times.waits,
                "loss": (loss_sum, loss_steps),
                "wall_s": wall_before + time.monotonic() - started,
            }
        )

    def measured(status: str, **values: float | str) -> dict[str, Any]:
        checkpoints.finish()
        return times.columns(recipe.batch_size) | {
            "status": status,
            "world_size": world.size,
            "micro_batch_size": micro_batches.size,
            "memory_halvings": micro_batches.halvings,
            "peak_memory_bytes": peak_memory_bytes(device),
            "wall_s": wall_before + time.monotonic() - started,
            **values,
        }

    module.train()
    feed = on_device(shares(batches, first, steps, world), device, layout)
    if world.size > 1 and first < steps:
        images, labels = next(feed)
        micro_batches.find_size(images, labels, world, optimizer)
        feed = chain([(images, labels)], feed)
    network = parallel(module, world, device, recipe.sync_batch_norm)
    if recipe.compile:
        network = torch.compile(network)  # type: ignore[assignment]
    # Dropout and stochastic depth draw from torch's own generator: seeded, step by step.
    draws = "step" if first_rank else f"step of rank {world.rank}"
    losses: list[Tensor] = []

    times.start()
    for step, (images, labels) in enumerate(feed, start=first):
        times.got_batch()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps_per_epoch, recipe)
        seed = seed_of(run.run_id, draws, step)
        losses.append(micro_batches.backward(network, images, labels, seed, scaler.scale))
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        ema.update(step)
        epoch_ends = (step + 1) % steps_per_epoch == 0
        stop = stopping.requested()
        look = epoch_ends or (world.size == 1 and stop is not None)
        if not times.end_step(step, last=look, disturbed=checkpoints.busy):
            continue

        window_loss, stop = _agreed(torch.stack(losses).sum(), stop, world)
        if not math.isfinite(window_loss):
            return measured("diverged", error=f"loss is not finite at step {step + 1} of {steps}")
        loss_sum, loss_steps = loss_sum + window_loss, loss_steps + len(losses)
        losses.clear()
        if epoch_ends or (step + 1) % RECORD_STEPS == 0:
            metrics.write(
                step=step + 1,
                epoch=(step + 1) / steps_per_epoch,
                loss=loss_sum / loss_steps,
                lr=optimizer.param_groups[0]["lr"],
                images_per_s=recipe.batch_size / times.latest_s,
            )
        if epoch_ends:
            loss_sum, loss_steps = 0.0, 0
        if stop is not None and step + 1 < steps:
            save(step + 1)
            checkpoints.finish()
            raise stopping.Stopped(stop)
        if step + 1 < steps and checkpoints.due():
            save(step + 1)
        times.start()
    if first < steps:
        save(steps)
    if not first_rank:
        return measured("ok")

    module.load_state_dict(ema.state_dict())
    norm = batches.mean, batches.std
    val_error, val_loss = evaluate(module, splits.val, *norm, layout, run)
    seen = training_sample(splits.train)
    train_error, _ = evaluate(module, seen, *norm, layout, run)
    if not math.isfinite(val_loss):
        return measured("diverged", error="the evaluation loss is not finite")
    metrics.write(step=steps, epoch=recipe.epochs, val_error=val_error, train_error=train_error)
    return measured("ok", val_error=val_error, val_loss=val_loss, train_error=train_error)


def _share(run: RunConfig, world: World) -> int:
    """Images of a batch that each process takes."""
    batch, passes = run.train.batch_size, run.train.accumulation
    share = batch // world.size
    if batch % world.size or share % passes or share // passes < 2:
        raise InputError(
            f"train.batch_size={batch}: must be the same 2 images or more for each of "
            f"{world.size} processes and train.accumulation={passes} passes"
        )
    return share


def _agreed(loss: Tensor, stop: str | None, world: World) -> tuple[float, str | None]:
    """The mean loss of all ranks, and the reason to stop if one of them has one."""
    if world.size == 1:
        return float(loss), stop
    stops = torch.tensor(float(stop is not None), dtype=torch.float64, device=loss.device)
    shared = total(torch.stack([loss.double(), stops]), world)
    if shared[1] and stop is None:
        stop = "another process of the run was asked to stop"
    return float(shared[0]) / world.size, stop
