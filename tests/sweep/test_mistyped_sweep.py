"""What is mistyped on a sweep's command line is one message and exit code 2."""

from pathlib import Path

import pytest

from helpers.commands import Command


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["+grid=depth_vs_widht"], "depth_vs_width"),
        (["grid=smoke"], "+grid=NAME"),
        ([], "no grid: add +grid=NAME; grids: additive_study, cifar10_published, "),
        (["+grid=smoke", "++grid.axes.dpeth=[14]"], "grid.axes.dpeth: no such axis (did you mean"),
        (["+grid=smoke", "grid.axes.widht=[1]"], "'++grid.axes.seed=[0,1]'"),
        (["+grid=smoke", "grid.axes.dept=[14]"], "grid.axes.dept: not in the grid's file (did you"),
        (["+grid=depth_vs_width", "grid.axes.dept=[14]"], "(did you mean depth?)"),
        (["+grid=smoke", "grid.axes.epochs=[1]"], "not in the grid's file; what that does not hav"),
        (["+grid=smoke", "grid.axes.depth=14,26"], "takes a list, as in 'grid.axes.seed=[0,1]'"),
        (["+grid=smoke", "grid.axes.seed=range(2)"], "'grid.axes.seed=\"range(3)\"'"),
        (["+grid=smoke", "grid.axes={seed:range(2)}"], "'grid.axes={seed: \"range(3)\"}'"),
        (["+grid=smoke", "model.depth=50"], "set it by grid.axes.depth=[50]"),
        (
            ["+grid=smoke", "seed=3"],
            "seed=3: seed is an axis of the grid smoke; set it by grid.axes",
        ),
        (["+grid=smoke", "model.width=1"], "'grid.points=[{width: 1, …}, …]'"),
        (["+grid=smoke", "depth=50"], "depth: the setting of one run is model.depth"),
        (["+grid=smoke", "recipe=paper"], "recipe: a run's recipe is chosen by its group train"),
        (["+grid=smoke", "model.dept=50"], "model.dept: no such setting (did you mean model.depth"),
        (["+grid=smoke", "+model.dept=50"], "model.dept: no such setting (did you mean depth"),
        (["+grid=smoke", "grid.axes.depth=[15]"], "model.depth=15: no ResNet layout; known depths"),
        (["+grid=smoke", "grid.points=[{width: 0}]"], "model.width=0: must be above 0"),
        (["+grid=smoke", "grid.points=[{width: 0.01}]"], "model.width=0.01: no channel is left"),
        (["+grid=smoke", "data.resolution=8"], "data.resolution=8: too small for a network"),
        (["+grid=smoke", "model.stem=rs"], "the smallest side is 32 px"),
        (["+grid=smoke", "train.batch_size=1000"], "more than the 128 training images"),
        (["+grid=smoke", "launcher.threads=0"], "launcher.threads=0: must be 1 or more"),
        (["+grid=smoke", "launcher.slots=0"], "launcher.slots=0: must be 1 or more, or auto"),
        (
            ["+grid=smoke", "launcher.name=mars"],
            "launcher.name=mars: unknown; known: inline, local",
        ),
        (["+grid=smoke", "launcher=mars"], "launcher=mars: no such file; known: inline, local"),
        (["+grid=smoke", "launcher=null"], "must be a string"),
        (["+grid=smoke", "checkpoint.keep=all"], "checkpoint.keep=all: must be final or none"),
        (
            ["+grid=smoke", "launcher.name=null"],
            "launcher.name=None: no launcher is named; a file of",
        ),
        (["+grid=smoke", "results_dir=5"], "results_dir=5: must be a name"),
        (["+grid=smoke", "results_dir="], "results_dir='': no name of a file or folder; . is the "),
        (["+grid=smoke", "plan.out=' '"], "plan.out=' ': no name of a file or folder"),
        (["+grid=smoke", "dry_run=maybe"], "dry_run='maybe': must be true or false"),
        (["+grid=smoke", "grid.name=../evil"], "grid.name='../evil': must be letters"),
        (["+grid=smoke", "grid.name=runs"], "and not 'runs'"),
        (["+grid=smoke", "grid.points=5"], "grid.points=5: must be a list of mappings"),
        (["+grid=smoke", "grid.axes=5"], "grid.axes"),
        (["+grid=smoke", "grid.axes.depth=[nan]"], "model.depth=nan: must be a whole number"),
        (["+grid=smoke", "train.weight_decay=inf"], "train.weight_decay=inf: must be a finite num"),
        (["+grid=smoke", "data.seed=-1"], "data.seed=-1: must be 0 or more"),
        (["+grid=smoke", "+modle.depth=50"], "modle: no such setting here (did you mean model?)"),
        (["+grid=smoke", "+grid.rules={base: {depth: x}}"], "rules.base: {'depth': 'x'}"),
        (["+grid=smoke", "+grid.planning={2: 1}"], "grid.planning={2: 1}: must be"),
        (["+grid=smoke", "+grid.allocation=5"], "grid.allocation=5: must be {kind: fixed"),
        (
            ["+grid=smoke", "+grid.allocation={kind: fixed, runs: 9}"],
            "no rule that it is for can be tested by a contrast",
        ),
        (["+grid=smoke", "cache_dir=/dev/null"], "cache_dir=/dev/null: cannot write"),
        (["+grid=smoke", "device=cuda"], "device=cuda: no GPU is visible here"),
        (
            ["+grid=smoke", "plan.out=/dev/null/plan.csv", "dry_run=true"],
            "/dev/null/plan.csv: cann",
        ),
        (["+grid=smoke", "results_dir=/dev/null"], "results_dir=/dev/null: cannot write"),
        (["+grid=smoke", "train.epochs=many"], "train.epochs='many': must be a whole number"),
        (["+grid=smoke", "train=fast"], "fixed"),
        (["+grid=smoke", "seed=[1"], "seed=[1"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    sweep_here: Command, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = sweep_here(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
