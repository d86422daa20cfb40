"""docs/families.md does what it says: its files are written, its commands run, its counts hold."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from helpers import warm_python
from helpers.commands import environment
from helpers.pages import DOCS, blocks, commands
from helpers.tiny import TINY, composed, printed
from scaling_study.common.errors import InputError
from scaling_study.config.run import run_config
from scaling_study.models import network
from scaling_study.models.layers import Shape, total
from scaling_study.models.modules import build
from scaling_study.study.result import read_result

PAGE = "families.md"
TITLE = re.compile(r"# (my_\w+/\S+)\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the page shows, from which Python can import."""
    for _, text in blocks(PAGE):
        if title := TITLE.match(text):
            file = tmp_path / title[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_commands_plan_and_train_the_worked_example(folder: Path, cache_dir: Path) -> None:
    outputs = []
    for command in commands(PAGE):
        assert command[:2] == ["python", "-m"]
        words = (*command[2:], f"cache_dir={cache_dir}")
        done = warm_python.run(*words, cwd=folder, env=environment())
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    assert ["4 runs: 4 planned" in output for output in outputs] == [True, False] * 2
    results = [read_result(path) for path in folder.glob("results/runs/*/result.json")]
    assert {(r.family, r.depth, r.status) for r in results} == {
        *(("my_models.mobilenet", depth, "ok") for depth in (18, 20)),
        *(("my_models.mixer", depth, "ok") for depth in (1, 2)),
    }
    assert {r.activations is None for r in results if r.family == "my_models.mixer"} == {True}


@pytest.mark.usefixtures("folder")
def test_the_worked_example_is_the_published_network() -> None:
    model = {"family": "my_models.mobilenet", "depth": 28, "width": 1, "dropout": 0}
    net = network(run_config(TINY | {"model": model}).model, 1000)
    with torch.device("meta"):
        module, images = build(net).eval(), torch.empty(1, 3, 224, 224)
    with FlopCounterMode(display=False) as flops, torch.no_grad():
        module(images)
    cost = total(net.layers, Shape(3, 224))[1]
    assert cost.params == sum(p.numel() for p in module.parameters())
    assert cost.flops == flops.get_total_flops()
    # Howard et al. 2017, table 8: 569 million multiply-adds and 4.2 million parameters.
    assert (round(cost.flops / 2e6), round(cost.params / 1e6, 1)) == (569, 4.2)
    with pytest.raises(InputError, match=r"model.depth=27: must be 18, 20, 22"):
        network(run_config(TINY | {"model": model | {"depth": 27}}).model, 10)


def test_the_snippet_prints_tied_points() -> None:
    (snippet,) = (text for kind, text in blocks(PAGE) if kind == "python" and not TITLE.match(text))
    done = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1] == "- {depth: 1.2, width: 1.1, resolution: 258}"


@pytest.mark.slow
def test_the_table_of_efficientnets_is_what_is_counted_and_printed() -> None:
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    for number, row in enumerate(printed("efficientnet_family.csv")):
        run = composed(f"+preset=efficientnet_b{number}")
        cost = total(network(run.model, 1000).layers, Shape(3, run.data.resolution))[1]
        params, flops = float(row["params_M"]), float(row["flops_B_paper"])
        cells = (
            f"B{number}",
            f"{cost.params:,}",
            f"{row['params_M']} M",
            f"{100 * (cost.params / 1e6 / params - 1):+.2f} %",
            f"{cost.flops / 1e9:.2f} B",
            f"{row['flops_B_paper']} B",
            f"{100 * (cost.flops / 1e9 / flops - 1):+.2f} %",
        )
        assert f"| {' | '.join(cells)} |\n" in page
        # As the page says: rounding alone separates all but one, whose difference is below 1 %.
        digits = len(row["params_M"].partition(".")[2])
        assert number == 2 or round(cost.params / 1e6, digits) == params
        assert number in (3, 4, 5) or abs(cost.params / 1e6 / params - 1) < 0.01
