"""The examples of programs run as a user runs them, from their own folders, but shorter."""

import json
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import environment
from scaling_study.common.paths import data_dir

EXAMPLES = data_dir("conf").parent / "examples"


def swept(tmp_path: Path, example: str, *overrides: str) -> list[dict[str, object]]:
    folder = EXAMPLES / example
    words = [f"+grid={example}", f"hydra.searchpath=[file://{folder}]", "launcher.slots=1"]
    words += [f"results_dir={tmp_path / 'results'}", f"cache_dir={tmp_path / 'cache'}", *overrides]
    done = warm_python.run("scaling_study.sweep", *words, cwd=folder, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    files = sorted((tmp_path / "results/runs").glob("*/result.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


@pytest.mark.slow
def test_a_transformer_of_ones_own_is_swept_and_learns(tmp_path: Path) -> None:
    points = "grid.points=[{depth: 1, width: 16}, {depth: 2, width: 16}]"
    results = swept(
        tmp_path, "char_transformer", "grid.axes.seed=[0]", "grid.axes.steps=[100]", points
    )
    assert len(results) == 2
    for result in results:
        assert result["status"] == "ok"
        assert result["epochs"] == 100  # its length of training, which it counts in steps
        assert 1.5 < float(str(result["outcome"])) < 3.6  # a guess among 48 letters has 3.9 nats
    by_depth = {result["depth"]: result for result in results}
    assert by_depth[2]["train_flops"] == 2 * int(str(by_depth[1]["train_flops"]))


@pytest.mark.slow
def test_a_perceptron_of_scikit_learn_is_swept_and_learns(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed here")
    points = "grid.points=[{depth: 1, width: 16}]"
    (result,) = swept(tmp_path, "digits_mlp", "grid.axes.seed=[0]", points)
    assert 0.01 < float(str(result["outcome"])) < 0.5
    assert result["params"] == 64 * 16 + 16 + 16 * 10 + 10
