"""Step times of runs on different numbers of devices."""

from analysis.study.device_seconds import AS_PLANNED, with_device_seconds

ROWS = [
    {"run_id": "a", "world_size": 1, "step_time_s": 0.5},
    {"run_id": "b", "world_size": 4, "step_time_s": 0.2},
    {"run_id": "c", "world_size": None, "step_time_s": None},
]


def test_numbers_that_a_plan_chose_become_device_seconds() -> None:
    plan = {"a": {"processes": "1"}, "b": {"processes": "4"}, "c": {"processes": "1"}}
    found = with_device_seconds(ROWS, plan)
    assert [row["step_time_s"] for row in found] == [0.5, 0.8, None]
    assert {row["world_size"] for row in found} == {AS_PLANNED}


def test_other_mixtures_stay_as_they_are_to_be_refused() -> None:
    by_chance = {"a": {"processes": "1"}, "b": {"processes": "1"}, "c": {"processes": "1"}}
    assert with_device_seconds(ROWS, by_chance) == ROWS
    assert with_device_seconds(ROWS, {}) == ROWS  # a plan of an earlier version
    alike = [{**row, "world_size": 4} for row in ROWS]
    assert with_device_seconds(alike, {k: {"processes": "4"} for k in "abc"}) == alike
