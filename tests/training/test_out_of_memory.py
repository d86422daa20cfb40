"""What counts as too little memory, in steps, in evaluation and on a GPU."""

from pathlib import Path

import pytest
import torch
from torch import nn

from helpers.micro_batches import batch, limit, linear, micro_of
from helpers.tiny import tiny
from scaling_study.common.ranks import ALONE
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.failure_causes import cause_of
from scaling_study.training.loop import train
from scaling_study.training.out_of_memory import gpu_memory_ran_out


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("…"), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when …")],
)
def test_what_counts_as_gpu_memory_halves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: RuntimeError
) -> None:
    assert gpu_memory_ran_out(error)
    assert cause_of(error) == "gpu_memory"
    limit(monkeypatch, 4, nn.Linear, error)
    module, (images, labels) = linear(), batch(8)
    micro = micro_of(module, 8, 1, tmp_path)
    micro.backward(module, images, labels, 0, lambda loss: loss)
    assert micro.halvings == 1


def test_another_error_of_a_step_is_not_taken_for_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = limit(monkeypatch, 4, nn.Linear, RuntimeError("shapes do not match"))
    module, (images, labels) = linear(), batch(8)
    micro = micro_of(module, 8, 1, tmp_path)
    with pytest.raises(RuntimeError, match="shapes"):
        micro.backward(module, images, labels, 0, lambda loss: loss)
    with pytest.raises(RuntimeError, match="shapes"):
        micro.find_size(images, labels, ALONE, kept=0)
    assert seen == [8, 8]


@pytest.mark.slow
@pytest.mark.parametrize("fits", [1, 7, 16])
def test_an_evaluation_that_does_not_fit_is_scored_in_parts(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    plain, other = (Path(execution.results_dir) / name for name in ("plain", "other"))
    for run_dir in (plain, other):
        run_dir.mkdir(parents=True)
    whole = train(tiny(), plain, execution)
    seen = limit(monkeypatch, fits, nn.Linear, training=False)
    again = train(tiny(), other, execution)
    for name in ("val_error", "train_error"):
        assert again[name] == whole[name]
    assert again["val_loss"] == pytest.approx(whole["val_loss"], rel=1e-6)
    assert again["memory_halvings"] == 0  # what trained saw whole batches
    assert max(seen[-3:]) <= fits


def test_an_image_that_does_not_fit_fails_the_evaluation(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limit(monkeypatch, 0, nn.Linear, training=False)
    with pytest.raises(torch.OutOfMemoryError):
        train(tiny(), tmp_path, execution)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is visible")
def test_a_gpu_that_is_full_halves_the_micro_batch(execution: ExecutionConfig) -> None:
    _, total = torch.cuda.mem_get_info()
    run = tiny(
        device="cuda", **{"train.batch_size": 128, "model.width": 1.0, "data.resolution": 64}
    )
    run_dir = Path(execution.results_dir) / "one"
    run_dir.mkdir(parents=True)
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1e9 / total))
    try:
        measured = train(run, run_dir, execution)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert measured["status"] == "ok"
    assert measured["memory_halvings"] >= 1
    assert measured["peak_memory_bytes"] < 1e9


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is visible")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_gpu_trains_what_the_cpu_trains(execution: ExecutionConfig, precision: str) -> None:
    errors = []
    for device in ("cpu", "cuda"):
        run_dir = Path(execution.results_dir) / device
        run_dir.mkdir(parents=True)
        run = tiny(device=device, precision=precision, **{"train.epochs": 8})
        errors.append(train(run, run_dir, execution)["val_error"])
    assert all(error < 0.5 for error in errors)
