"""A pilot's noise is used for what it was measured on, and for nothing else."""

from pathlib import Path

import pytest

from analysis.rules.check_grid import check
from helpers.commands import Command
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.hydra_app import composed
from scaling_study.planning.draft import Draft, draft

DEFAULT = "+grid=depth_vs_width_large"


def drafted(execution: ExecutionConfig, *overrides: str) -> Draft:
    words = [DEFAULT, *overrides]
    return draft(composed("sweep", words), words, execution, None, check)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "kept"),
    [
        ((), [4, 20]),
        (("launcher.slots=1", "grid.axes.seed=[0,1]"), [4, 20]),
        (("grid.axes.epochs=[4,40]",), [4]),
        (("grid.axes.epochs=[20]",), [20]),
        # Other images of the same kind, as the pilot's own, and other sizes.
        (("data.seed=1", "grid.name=pilot"), [4, 20]),
        (("grid.points=[{depth: 26, width: 0.25}]",), [4, 20]),
        # The same value, written otherwise.
        (("train.rms_eps=0.001", "data.resolution=16"), [4, 20]),
        (("data=digits",), []),
        (("data.classes=16",), []),
        (("data.resolution=32",), []),
        (("++grid.axes.resolution=[16,32]",), []),
        (("train.weight_decay=1e-3",), []),
        (("train=baseline", "train.batch_size=32", "train.warmup_epochs=1"), []),
        (("++grid.axes={train.batch_size: [32,64], epochs: [4,20], seed: [0]}",), []),
        (("model.shortcut=projection",), []),
    ],
)
def test_an_entry_stays_where_it_holds(
    execution: ExecutionConfig, overrides: tuple[str, ...], kept: list[int]
) -> None:
    found = drafted(execution, *overrides)
    assert [*found.grid["planning"]] == kept
    assert bool(found.pilot_notes) == (kept != [4, 20])


@pytest.mark.slow
def test_the_notes_say_what_is_left_out_and_why(execution: ExecutionConfig) -> None:
    found = drafted(execution, "grid.axes.epochs=[4,40]")
    assert found.pilot_notes == ["grid.planning.20: ignored, no run has 20 epochs"]
    (note,) = drafted(execution, "train.batch_size=64", "data.classes=16").pilot_notes
    assert "its pilot had data.classes=32, train.batch_size=32; " in note
    assert "a prior is" in note
    # Another data set has other settings: naming it is enough.
    (note,) = drafted(execution, "data=digits").pilot_notes
    assert "its pilot had data.name=fractals; " in note


def test_what_a_command_line_says_of_planning_is_about_its_own_study(
    execution: ExecutionConfig,
) -> None:
    own = "grid.planning={20: {error: 0.1, seed_sd: 0.02}}"
    found = drafted(execution, "data=digits", own)
    assert found.grid["planning"] == {20: {"error": 0.1, "seed_sd": 0.02}}
    with pytest.raises(InputError, match="no run of 30 epochs; it has 4, 20"):
        drafted(execution, "+grid.planning={30: {error: 0.1, seed_sd: 0.02}}")


@pytest.fixture
def own_grid(tmp_path: Path) -> Path:
    folder = tmp_path / "conf" / "grid"
    folder.mkdir(parents=True)
    text = (
        "# @package _global_\ngrid:\n  name: mine\n  axes: {{depth: [14, 26], epochs: [2, {}]}}\n"
    )
    text += "  planning: {{2: {{error: 0.5, seed_sd: 0.05}}}}\n"
    (folder / "mine.yaml").write_text(text.format(3))
    return folder.parent


@pytest.mark.slow
def test_a_grid_of_ones_own_is_found_again_where_it_lies(
    own_grid: Path, sweep_here: Command
) -> None:
    for place in (["--config-dir", str(own_grid)], [f"hydra.searchpath=[file://{own_grid}]"]):
        done = sweep_here(*place, "+grid=mine", "grid.axes.epochs=[1,3]", "dry_run=true")
        assert done.returncode == 0, done.stderr
        assert "grid.planning.2: ignored, no run has 2 epochs" in done.stdout
