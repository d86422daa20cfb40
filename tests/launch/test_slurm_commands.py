"""Sets of tasks, as SLURM writes them."""

from scaling_study.launch.slurm.commands import condensed


def test_sets_of_tasks_are_written_briefly() -> None:
    assert condensed(["7_0", "7_1", "7_2", "7_5", "8", "9_3"]) == ["8", "7_[0-2,5]", "9_[3]"]
