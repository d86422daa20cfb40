"""The one training loop, to be read from top to bottom."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scaling_study.common import stop_request
from scaling_study.common.device import cpu_cores
from scaling_study.common.ranks import ALONE, World
from scaling_study.common.sink import Sink
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.config.trunks import constant_steps
from scaling_study.models import family
from scaling_study.models import network as layers_of
from scaling_study.models.modules import module_for
from scaling_study.study.image_outcomes import write_image_outcomes
from scaling_study.study.parents import TRUNK_FILE
from scaling_study.tasks import task_of
from scaling_study.training import first_weights, transfer
from scaling_study.training.checkpoint import Checkpoints
from scaling_study.training.common_weights import draw_by_shape
from scaling_study.training.distributed import agree, average, copy_from_rank_0, parallel
from scaling_study.training.ema import Ema
from scaling_study.training.evaluate import evaluate
from scaling_study.training.ghost_batch_norm import running_statistics, use_ghost_batches
from scaling_study.training.gradient_accumulation import MicroBatches
from scaling_study.training.input_pipeline.batches import TrainingData
from scaling_study.training.input_pipeline.prefetch import on_device
from scaling_study.training.learning_curve import LearningCurve
from scaling_study.training.metrics import Metrics, MetricsFile
from scaling_study.training.numerics import gradient_scaler, tuned_convolutions
from scaling_study.training.objective import Objective
from scaling_study.training.optimizers import optimizer_of, set_rate, update
from scaling_study.training.out_of_memory import HalvingsFile
from scaling_study.training.pseudo_labels import pool_of
from scaling_study.training.schedule import learning_rate
from scaling_study.training.seeds import seed_of
from scaling_study.training.step_timer import StepTimes, peak_memory_bytes
from scaling_study.training.trunk_state import shared_state, to_share

# Opens a sink for a run that begins at this step: 0, or that of the checkpoint it resumes from.
OpenSink = Callable[[int], Sink]


def train(
    run: RunConfig,
    run_dir: Path,
    execution: ExecutionConfig,
    world: World = ALONE,
    sinks: Sequence[OpenSink] = (),
    fence: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Train `run`, resuming from its checkpoint if there is one; returns the measured columns.

    All processes of `world` call it; rank 0 alone writes files and reports to `sinks`, and
    calls `fence` before, which raises if this process may not any more. The random
    state, thread count and choice of kernels of the process, and files outside `run_dir` and the
    data cache, are left as they were.

    Stopped if `stop_request.request` was called; a checkpoint of the last step is on disk then.
    InputError if the batch cannot be split evenly over the processes of `world`, or the run was
    begun by another number of processes.
    """
    # Only the generators that are drawn from: torch warns where there are several GPUs.
    gpus = [torch.cuda.current_device()] if run.device == "cuda" else []
    with torch.random.fork_rng(gpus), tuned_convolutions(run.device):
        threads = torch.get_num_threads()
        torch.set_num_threads(execution.threads)
        checkpoints = Checkpoints(run_dir, execution.checkpoint_every_s, fence)
        try:
            return _train(run, run_dir, execution, world, sinks, fence, checkpoints)
        finally:
            checkpoints.close()
            torch.set_num_threads(threads)


def _train(
    run: RunConfig,
    run_dir: Path,
    execution: ExecutionConfig,
    world: World,
    sinks: Sequence[OpenSink],
    fence: Callable[[], None],
    checkpoints: Checkpoints,
) -> dict[str, Any]:
    recipe, device, first_rank = run.train, run.device, world.rank == 0
    task, run_id, share = task_of(run.task), run.run_id, recipe.share(world.size)
    pool = pool_of(run, execution, world, fence)
    data = TrainingData.of(run, execution, run_dir, pool.images if pool else None)
    steps_per_epoch = data.steps_per_epoch
    steps = recipe.epochs * steps_per_epoch
    trunk_ends = constant_steps(recipe, recipe.epochs, steps_per_epoch) if recipe.one_trunk else 0

    torch.manual_seed(seed_of(run.random_key, "init"))
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    outputs = task.outputs(data.info.n_classes)
    module = module_for(run.model, outputs, run.data.resolution, recipe.drop_path)
    if recipe.common_random_numbers:
        draw_by_shape(module, layers_of(run.model, outputs), run.random_key)
    use_ghost_batches(module, recipe.ghost_batch)
    module.to(device, memory_format=layout)  # type: ignore[call-overload]
    state = checkpoints.load(run_id, world.size, module.state_dict())
    pool_labels = pool.digest if pool else None
    if state is not None and state.get("pool_labels") != pool_labels:
        print("the labels of the pool are not those that the run began with: starting again")
        state = None
    results_dir, begins = Path(execution.results_dir), run.shared_steps(data.info.n_train)
    if state is None and begins:
        stored = module.state_dict()
        state = shared_state(run, results_dir, world.size, stored, begins, pool_labels)
    elif state is None and run.init is not None:
        first_weights.load(module, run, results_dir)
    transfer.freeze(module, run)
    undecayed = (*family(run.model.family).undecayed, *task.undecayed)
    optimizer = optimizer_of(module, recipe, undecayed)
    transfer.scale_learning_rates(optimizer, module, run)
    scaler = gradient_scaler(run)
    ema = Ema(module, recipe.ema_decay)
    curve = LearningCurve(run, module, ema, data, layout, world)

    objective = Objective(run, outputs)
    halvings = HalvingsFile(run_dir, world.size)
    micro_batches = MicroBatches(module, objective.loss_of, share, recipe.accumulation, halvings)
    times = StepTimes(device)
    first, wall_before, loss_sum, loss_steps = 0, 0.0, 0.0, 0

    if state is not None:
        module.load_state_dict(state["model"])
        ema.load_state_dict(state["ema"])
        scaler.load_state_dict(state["scaler"])
        if state["optimizer"] is not None:
            optimizer.load_state_dict(state["optimizer"])
        micro_batches.halvings = max(micro_batches.halvings, state["halvings"])
        times.seconds, times.waits = state["step_times"], state["waits"]
        first, wall_before = state["step"], state["wall_s"]
        loss_sum, loss_steps = state["loss"]
        curve.outcomes = state.get("curve", [])  # of an earlier version
        print(f"resuming at step {first} of {steps}", flush=True)
    sinks = (partial(MetricsFile, run_dir / "metrics.jsonl"), *sinks) if first_rank else ()
    metrics = Metrics([opener(first) for opener in sinks], execution.metrics_every_s, fence)

    def state_behind(step: int) -> dict[str, Any]:
        return {
            "run_id": run_id,
            "world_size": world.size,
            "step": step,
            "model": module.state_dict(),
            "ema": ema.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scaler": scaler.state_dict(),
            "halvings": micro_batches.halvings,
            "step_times": times.seconds,
            "waits": times.waits,
            "loss": (loss_sum, loss_steps),
            "curve": curve.outcomes,
            "pool_labels": pool_labels,
            "wall_s": wall_before + time.monotonic() - started,
        }

    def save(step: int) -> None:
        # Nothing is left to optimise after the last step.
        rest = {"optimizer": None} if step == steps or curve.stopped else {}
        if first_rank:
            checkpoints.save(state_behind(step) | rest)

    def measured(status: str, **values: float | str) -> dict[str, Any]:
        checkpoints.finish()
        speed = times.columns(recipe.batch_size, data.workers)
        if first_rank and (needed := speed.get("workers_needed")):
            have = f"bound by data: {data.workers} loader workers, on {cpu_cores()} cores"
            print(f"{have}; steps would not wait with loader.workers={needed}", flush=True)
        columns = speed | {
            "status": status,
            "world_size": world.size,
            "micro_batch_size": micro_batches.size,
            "memory_halvings": micro_batches.halvings,
            "corrupt_images": data.corrupt_images,
            "core_images_per_s": data.core_images_per_s,
            "peak_memory_bytes": peak_memory_bytes(device),
            "wall_s": wall_before + time.monotonic() - started,
            **values,
        }
        return metrics.finish(columns)

    # What is loaded once a process (imports, images, weights) would spoil forecasts of other runs.
    started = time.monotonic()
    module.train()
    transfer.keep_frozen(module)
    end = first if curve.stopped else steps
    shares = data.loaded(first, end, world.rank, world.size)
    feed = on_device(shares, data, device, layout)
    if world.size > 1 and first < end:
        batch = next(feed)
        kept = 0 if optimizer.state else recipe.optimizer_tensors[0]
        micro_batches.find_size(*objective.largest(*batch, first), world, kept)
        feed = chain([batch], feed)
    network = parallel(module, world, device, recipe.sync_batch_norm)
    if recipe.compile:
        network = torch.compile(network)  # type: ignore[assignment]
    # Dropout and stochastic depth draw from torch's own generator: seeded, step by step.
    draws = "step" if first_rank else f"step of rank {world.rank}"
    # Kept on the device until a window ends: reading one would make a GPU wait for every step.
    losses: list[Tensor] = []
    # The groups of all ranks count, as they do where one process has all of them.
    statistics = running_statistics(module)

    times.start()
    for step, (images, labels) in enumerate(feed, start=first):
        times.got_batch()
        rate = learning_rate(step, steps_per_epoch, recipe)
        set_rate(optimizer, rate)
        seed = seed_of(run.random_key, draws, step)
        images, targets = objective.targets(images, labels, step)
        losses.append(micro_batches.backward(network, images, targets, seed, scaler.scale))
        update(module, optimizer, scaler, recipe.clip_norm)
        average(statistics, world)
        ema.update(step)
        epoch_ends = (step + 1) % steps_per_epoch == 0
        stop = stop_request.requested()
        # Several ranks agree on a stop only where all of them end a window.
        branches = step + 1 == trunk_ends
        look = epoch_ends or branches or (world.size == 1 and stop is not None)
        smaller = images.shape[-1] < run.data.resolution  # step times are those of the last stage
        if not times.end_step(step, last=look, disturbed=checkpoints.busy or smaller):
            continue

        window_loss, stop = agree(torch.stack(losses).sum(), stop, world)
        if not math.isfinite(window_loss):
            return measured("diverged", error=f"loss is not finite at step {step + 1} of {steps}")
        loss_sum, loss_steps = loss_sum + window_loss, loss_steps + len(losses)
        losses.clear()
        scores = curve.at((step + 1) // steps_per_epoch) if epoch_ends else {}
        if epoch_ends or metrics.due():
            metrics.write(
                step=step + 1,
                epoch=(step + 1) / steps_per_epoch,
                loss=loss_sum / loss_steps,
                lr=rate,
                images_per_s=recipe.batch_size / times.latest_s,
                **scores,
            )
        if epoch_ends:
            loss_sum, loss_steps = 0.0, 0
        if branches and first_rank:
            checkpoints.keep(to_share(state_behind(step + 1)), run_dir / TRUNK_FILE)
        if curve.stopped:
            end = step + 1
            break
        if stop is not None and step + 1 < steps:
            save(step + 1)
            checkpoints.finish()
            raise stop_request.Stopped(stop)
        if step + 1 < steps and checkpoints.due():
            save(step + 1)
        times.start()
    if first < end:
        save(end)
    # Without sync batch norm every rank has its own running statistics; rank 0 has those it saved.
    copy_from_rank_0(ema.state_dict().values(), world)
    module.load_state_dict(ema.state_dict())
    val_scores, right = evaluate(module, "val", data, layout, run, world)
    train_scores, _ = evaluate(module, "train", data, layout, run, world)
    if not all(map(math.isfinite, val_scores.values())):
        return measured("diverged", error="the evaluation loss is not finite")
    found = task.report({"val": val_scores, "train": train_scores})
    outcomes = {column: found[column] for column in task.outcome_columns}
    epoch = end // steps_per_epoch
    metrics.write(step=end, epoch=epoch, **outcomes)
    if first_rank and right is not None:
        fence()
        write_image_outcomes(run_dir, right, data.labels("val"))
    return measured("ok", **found, **({"stopped_epoch": epoch} if end < steps else {}))
