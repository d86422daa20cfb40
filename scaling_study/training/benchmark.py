"""Speed and memory of one network on this device: a short training, and forward passes alone."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.data import data_info
from scaling_study.models.modules import module_for
from scaling_study.tasks import task_of
from scaling_study.training.gpu_queue import synchronize
from scaling_study.training.loop import train
from scaling_study.training.numerics import autocast, tuned_convolutions

# Forward passes that choose kernels, and those that are timed.
WARMUP, TIMED = 3, 10
# What a short training measures.
TRAINED = ("step_time_s", "step_time_cv", "images_per_s", "peak_memory_bytes")


def measure(run: RunConfig, execution: ExecutionConfig) -> dict[str, Any]:
    """Columns of one cell: `TRAINED` as in a result, and the median time of a forward pass.

    `inference_time_s` is that of a batch of `train.batch_size` images in evaluation mode, in the
    run's precision and memory format, on images that are on the device already.
    """
    with tempfile.TemporaryDirectory(prefix="measure-") as folder:
        trained = train(run, Path(folder), execution)
    seconds = inference_time_s(run)
    return {name: trained.get(name) for name in TRAINED} | {
        "inference_time_s": seconds,
        "inference_images_per_s": run.train.batch_size / seconds,
    }


@torch.inference_mode()
def inference_time_s(run: RunConfig) -> float:
    """Median seconds of `TIMED` forward passes of one batch."""
    layout = torch.channels_last if run.train.channels_last else torch.contiguous_format
    outputs = task_of(run.task).outputs(data_info(run.data).n_classes)
    module = module_for(run.model, outputs, run.data.resolution).eval()
    module.to(run.device, memory_format=layout)  # type: ignore[call-overload]
    shape = (run.train.batch_size, 3, run.data.resolution, run.data.resolution)
    images = torch.rand(shape, device=run.device).contiguous(memory_format=layout)
    seconds = []
    with tuned_convolutions(run.device):
        for _ in range(WARMUP + TIMED):
            begin = time.perf_counter()
            with autocast(run):  # each pass casts the weights, as one alone would
                module(images)
            synchronize(run.device)
            seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[WARMUP:])
