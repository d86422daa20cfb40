"""Measurements in turn: order, limit of time, what a row holds, networks that fail."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.tiny import tiny
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.local import measuring
from scaling_study.launch.local.measurement import measured_alone
from scaling_study.launch.local.measuring import Shape, combined, in_turn, measured_into, shapes_of
from scaling_study.launch.probe import shortened
from scaling_study.launch.slots import cpu_slots
from scaling_study.study.measured import read_measured

(SLOT,) = cpu_slots(1)


def some(*keys: str) -> list[Shape]:
    return [Shape(key, tiny(), (key,)) for key in keys]


class Clock:
    """Time that passes by measuring: as many seconds as each shape takes."""

    def __init__(self, seconds: Callable[[str], float]) -> None:
        self.now, self.seconds = 100.0, seconds

    def __call__(self) -> float:
        return self.now

    def measure(self, shape: Shape) -> dict[str, float] | str:
        self.now += self.seconds(shape.key)
        return "broken" if shape.key == "x" else {"step_time_s": self.now}


def order(keys: str, rounds: int, most_s: float = 1e9, seconds: float = 1.0) -> str:
    """The shapes in the order in which they are measured."""
    clock = Clock(lambda _: seconds)
    turns = in_turn(some(*keys), rounds, clock.measure, most_s, clock)
    return "".join(shape.key for shape, _ in turns)


def test_networks_take_turns_from_another_one_in_each_round() -> None:
    assert order("abc", 3) == "abc" + "bca" + "cab"
    assert order("a", 2) == "aa"


def test_what_the_first_round_does_not_reach_in_its_share_of_the_time_is_left_out() -> None:
    # 12 s for 3 rounds of measurements of 1 s: four networks in each.
    assert order("abcdefgh", 3, 12) == "abcd" + "bcda" + "cdab"
    assert order("abc", 3, 12) == "abc" + "bca" + "cab"
    assert order("abc", 2, 0.1) == "a"


def test_nothing_begins_after_the_limit_when_later_rounds_are_slower() -> None:
    clock = Clock(lambda _: 1.0 if clock.now < 104 else 3.0)
    keys = [shape.key for shape, _ in in_turn(some(*"abcd"), 3, clock.measure, 12, clock)]
    assert "".join(keys) == "abcd" + "bcd"
    assert clock.now < 100 + 12 + 3


def test_a_network_that_fails_is_not_tried_again() -> None:
    assert order("axb", 2) == "axb" + "ba"
    assert order("x", 3) == "x"


def test_seeds_and_lengths_of_training_share_a_measurement() -> None:
    runs = [
        tiny(**{"model.depth": depth, "train.epochs": epochs}, seed=seed)
        for depth in (14, 26)
        for epochs in (4, 20)
        for seed in (0, 1)
    ]
    shapes = shapes_of(runs)
    assert [shape.run.model.depth for shape in shapes] == [14, 26]
    assert [shape.run.seed for shape in shapes] == [0, 0]
    cells = [run.config_id for run in runs]
    assert [set(shape.config_ids) for shape in shapes] == [set(cells[:4]), set(cells[4:])]
    assert all(len(shape.config_ids) == 2 for shape in shapes)
    # What changes the speed of a step is a shape of its own, as are other batches.
    changed = ({"train.ema_decay": 0.0}, {"train.batch_size": 8}, {"precision": "bf16"})
    assert len(shapes_of([tiny(), *(tiny(**change) for change in changed)])) == 4


def test_measurements_are_combined_as_logarithms() -> None:
    times = [0.1, 0.2, 0.4]
    each = [
        {"depth": 14, "step_time_s": t, "images_per_s": 8 / t, "inference_time_s": t / 3,
         "inference_images_per_s": 24 / t, "peak_memory_bytes": int(1e8 * t)}
        for t in times
    ]  # fmt: skip
    row = combined(each)
    assert row["step_time_s"] == pytest.approx(0.2)
    assert row["images_per_s"] == pytest.approx(40)
    assert (row["depth"], row["measurements"], row["peak_memory_bytes"]) == (14, 3, 40_000_000)
    assert row["step_time_log_sd"] == pytest.approx(np.std(np.log(times), ddof=1))
    assert combined(each[:1])["step_time_log_sd"] == 0


def test_what_was_measured_twice_is_in_the_file_at_once(
    execution: ExecutionConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: Iterator[float] = iter([0.1, 0.3, 0.4, 0.2])

    def alone(*_: object) -> dict[str, float]:
        known = ("images_per_s", "inference_time_s", "inference_images_per_s", "peak_memory_bytes")
        return {"step_time_s": next(times), **dict.fromkeys(known, 1)}

    monkeypatch.setattr(measuring, "measured_alone", alone)
    shapes = shapes_of([tiny(), tiny(**{"model.depth": 26})])
    turns = measured_into(tmp_path, shapes, 3, execution, SLOT)
    for count, rows in ((1, 0), (2, 0), (3, 1), (4, 2)):
        next(turns)
        assert (count, len(read_measured(tmp_path))) == (count, rows)
    rows = {row["depth"]: row for row in read_measured(tmp_path)}
    assert [rows[d]["measurements"] for d in ("14", "26")] == ["2", "2"]
    assert float(rows["26"]["step_time_s"]) == pytest.approx((0.3 * 0.2) ** 0.5)
    assert float(rows["14"]["step_time_s"]) == pytest.approx((0.1 * 0.4) ** 0.5)
    assert rows["14"]["config_ids"] == tiny().config_id


def test_a_network_that_cannot_be_measured_says_why(execution: ExecutionConfig) -> None:
    found = measured_alone(shortened(tiny()), replace(execution, cache_dir="/dev/null"), SLOT)
    assert isinstance(found, str)
    assert "FileExistsError" in found  # images cannot be kept there
