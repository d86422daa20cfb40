"""The table of devices, and the prior of step times that it gives, against measurements."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helpers.tiny import printed, tiny
from scaling_study.common.errors import InputError
from scaling_study.config.hydra_app import composed
from scaling_study.config.run import run_config
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_prior import Published, fitted_without, published
from scaling_study.cost.device_times import BOTH, PRIOR_TIMES, Times, device_named
from scaling_study.cost.devices import devices, named
from scaling_study.cost.step_law import Prior, features, fitted
from scaling_study.cost.time_model import Forecast, Timing

A100 = devices()["a100"]
# ResNet-50 at 224 px: FLOPs and activations of an image.
RESNET_50 = (8_178_368_512, 11_113_984)


def prior(device: str = "a100", precision: str = "bf16", processes: int = 1) -> Prior:
    found = fitted_without().prior(devices()[device], precision, processes)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("driver", "device"),
    [
        ("cuda: NVIDIA A100-SXM4-80GB", "a100"),
        ("cuda: NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("cuda: NVIDIA H100 80GB HBM3", "h100"),
        ("cuda: NVIDIA H200", "h200"),
        ("cuda: NVIDIA L4", "l4"),
        ("cuda: NVIDIA L40S", "l40s"),
        ("cuda: NVIDIA GeForce RTX 3090", "rtx3090"),
        ("cuda: NVIDIA GeForce RTX 3090 Ti", None),
        ("cuda: Tesla V100-SXM2-32GB", "v100"),
        ("cpu: H100", None),
    ],
)
def test_a_driver_s_name_finds_its_data_sheet(driver: str, device: str | None) -> None:
    found = named(driver)
    assert (found.name if found else None) == device


def test_peaks_are_those_that_a_precision_uses() -> None:
    assert A100.flops_per_s == {"bf16": 312e12, "fp16": 312e12, "fp32": 156e12}
    assert devices()["v100"].flops_per_s == {"fp16": 125e12, "fp32": 15.7e12}
    assert all(device.source.startswith("https://") for device in devices().values())


@pytest.mark.slow
def test_published_networks_have_the_costs_of_ours() -> None:
    """Their FLOPs and activations are written down; the closed forms give the same."""
    rows = {(r.settings, r.resolution): r for r in published()}
    for row in [*rows.values()][::4]:
        family, *words = row.settings.split(" ")
        changes = [f"model.{word}" for word in words]
        run = [f"model={family}", *changes, "data=imagenet", f"data.resolution={row.resolution}"]
        columns = describe(run_config(composed("train", run) | {"precision": "fp32"}))
        assert (row.flops, row.activations) == (columns["flops"], columns["activations"]), row


@pytest.mark.parametrize("family", ["resnet_rs_family", "efficientnet_family"])
def test_the_paper_s_times_are_those_of_its_table(family: str) -> None:
    rows = {(r.device, r.network, r.resolution): r.images_per_s for r in published()}
    for row in printed(f"{family}.csv"):
        size = row["model"], int(row["image_res_px"])
        v100, tpu = float(row["v100_latency_s_fp32"]), float(row["tpuv3_latency_ms_bf16"]) / 1e3
        assert rows["v100", *size] == pytest.approx(128 / v100, rel=1e-4)
        assert rows["tpuv3-core", *size] == pytest.approx(128 / tpu, rel=1e-4)


def _inside(row: Published, fitted_on: Any) -> bool:
    step = Forecast([], fitted_on.prior(devices()[row.device], row.precision)).step_time(
        (row.flops, row.activations, 128)
    )
    assert step is not None
    return step.low <= 128 * math.exp(row.ln_time) <= step.high


def test_intervals_hold_on_devices_that_the_fit_has_not_seen() -> None:
    """Each device left out in turn: the 90 % intervals hold 85 % or more of all networks."""
    rows = [row for row in published() if row.gpus == 1]
    inside = [_inside(row, fitted_without(row.device)) for row in rows]
    assert np.mean(inside) > 0.85
    one = Forecast([], prior()).step_time((*RESNET_50, 256))
    assert one is not None
    assert one.high / one.value > 2  # nobody knows a device to the percent by its data sheet


def test_a_batch_of_twice_the_size_takes_twice_as_long() -> None:
    small, large = (Forecast([], prior()).step_time((*RESNET_50, n)) for n in (128, 4096))
    assert small is not None
    assert large is not None
    assert large.value == pytest.approx(32 * small.value)
    assert large.high == pytest.approx(32 * small.high, rel=0.1)


def test_eight_devices_take_an_eighth_and_a_little_more() -> None:
    one, eight = (Forecast([], prior(processes=n)).step_time((*RESNET_50, 4096)) for n in (1, 8))
    assert one is not None
    assert eight is not None
    assert 1 / 8 < eight.value / one.value < 1.3 / 8
    assert eight.high / eight.value > one.high / one.value


def test_prior_and_data_combine_by_their_precisions() -> None:
    """The posterior of a normal mean with a normal prior, by the textbook's formula."""
    base = replace(prior(), level_sd=0.4)
    x = np.array([features((*RESNET_50, 256))] * 5)
    y = base.ln_time(x[0]) + 0.5 + np.array([-0.1, 0.1, 0.0, -0.1, 0.1])
    law = fitted(x, y, base)
    precision = 1 / 0.4**2, len(y) / law.sd**2
    offset = 0.5 * precision[1] / sum(precision)
    assert law.ln_time(x[0]) - base.ln_time(x[0]) == pytest.approx(offset, rel=1e-6)
    assert law.sd_at(x[0]) ** 2 == pytest.approx(law.sd**2 + 1 / sum(precision), rel=1e-6)


def test_the_first_measurement_narrows_the_prior_and_many_replace_it() -> None:
    shapes = [(int(f * RESNET_50[0]), int(f * RESNET_50[1]), 256) for f in (0.5, 1, 1.5, 2, 3, 4)]
    truth = [math.exp(prior().ln_time(features(shape)) + 0.6) for shape in shapes]
    timings = [Timing((), shape, t) for shape, t in zip(shapes, truth, strict=True)]
    target, wanted = (2 * RESNET_50[0], 3 * RESNET_50[1], 256), None
    widths = []
    for n in (0, 1, 6):
        step = Forecast(timings[:n], prior()).step_time(target)
        assert step is not None
        widths.append(step.high / step.low)
        wanted = step.value
    assert widths[0] > 2 * widths[1] > 2 * widths[2]
    alone = Forecast(timings).step_time(target)
    assert alone is not None
    assert wanted == pytest.approx(alone.value, rel=0.05)


def test_a_plan_says_what_its_times_rest_on(cuda_run: Any) -> None:
    columns = describe(cuda_run)
    blank = Times([], 1)
    assert blank.basis(cuda_run) is None
    name, sheet = device_named("a100", [])
    assert (name, sheet) == ("cuda: a100", A100)
    for spelled in ("A100", "a100-80gb", "A100-80GB", "NVIDIA A100-SXM4-80GB"):
        assert device_named(spelled, []) == (name, sheet)
    by_prior = Times([], 1, device=name, data_sheet=sheet)
    assert by_prior.basis(cuda_run) == PRIOR_TIMES
    assert by_prior.whole(cuda_run, columns) is not None
    assert "prior" in by_prior.notes([cuda_run])[0]
    shape = (columns["flops"], columns["activations"], columns["batch_size"])
    measured = "cuda: NVIDIA A100-SXM4-80GB"
    timing = Timing((measured, cuda_run.precision, 1, 1), shape, 0.5)
    name, sheet = device_named("a100", [timing])
    assert name == measured
    both = Times([timing], 1, device=name, data_sheet=sheet)
    assert both.basis(cuda_run) == BOTH
    assert "with 1 measurements" in both.notes([cuda_run])[0]
    assert both.measured_only().basis(cuda_run) == "measurements"
    assert device_named(measured, [timing]) == (measured, None)  # by its own name: no prior


def test_a_precision_without_a_peak_leaves_the_forecast_blank(cuda_run: Any) -> None:
    name, sheet = device_named("v100", [])
    times = Times([], 1, device=name, data_sheet=sheet)
    assert times.whole(cuda_run, describe(cuda_run)) is None
    assert "no peak in bf16; precision=fp16 has" in times.notes([cuda_run])[0]
    with pytest.raises(InputError, match=r"did you mean a100\?"):
        device_named("A101", [])


@pytest.fixture
def cuda_run() -> Any:
    return tiny(device="cuda", precision="bf16")
