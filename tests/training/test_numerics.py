"""Kernels of a GPU for the time of a run."""

import pytest
import torch

from scaling_study.training.numerics import tuned_convolutions


@pytest.mark.parametrize("before", [False, True])
def test_a_gpu_takes_the_fastest_kernels_for_the_time_of_a_run(
    monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", before)
    with tuned_convolutions("cuda"):
        assert torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.benchmark == before
    with tuned_convolutions("cpu"):
        assert torch.backends.cudnn.benchmark == before
