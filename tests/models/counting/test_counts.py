"""Counts are asked of a process with torch once, kept by content, and explained where refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import environment
from helpers.own_modules import MODEL, NETS, write_mlp
from helpers.tiny import tiny
from scaling_study.common import source
from scaling_study.common.errors import InputError
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import forward, run_cost
from scaling_study.models.counting import counts, process
from scaling_study.models.counting.counts import FILE, keep_counts_in


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the family; nothing is known of it from other tests."""
    write_mlp(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    forget()
    return tmp_path


def forget() -> None:
    """As in a new process, but for what is on disk and the process that counts."""
    for name in [name for name in sys.modules if name.startswith("own_mlp")]:
        del sys.modules[name]
    counts._kept.clear()
    for known in (counts.counts, source.sources_of, source.source_files):
        known.cache_clear()
    from scaling_study.cost import closed_form, step_memory
    from scaling_study.models import forward_cost

    for known in (closed_form._run_cost, forward_cost.forward_cost, step_memory.network_memory):
        known.cache_clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the process was asked."""
    questions: list[dict[str, Any]] = []
    count = process.count

    def noted(question: dict[str, Any]) -> dict[str, Any]:
        questions.append(question)
        return count(question)

    monkeypatch.setattr(process, "count", noted)
    return questions


def mlp(**changes: Any) -> RunConfig:
    return tiny(**{"model": MODEL | changes})


@pytest.mark.slow
def test_costs_of_an_own_module() -> None:
    cost = run_cost(mlp())
    # 3 x 16 x 16 pixels to 64, to 64, to 4 outputs; layer norms have two numbers a channel.
    weights = 768 * 64 + 64 * 64 + 64 * 4
    assert cost.params == weights + 64 + 64 + 4 + 2 * 2 * 64
    assert (cost.flops, cost.activations) == (2 * weights, None)
    assert cost.train_flops == 3 * 2 * weights * 2 * 128
    assert cost.memory_bytes
    assert cost.memory_bytes > 4 * 4 * cost.params  # weights, average, momentum, gradients


@pytest.mark.slow
def test_a_module_is_found_that_the_import_path_has_since_the_process_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"model": MODEL, "outputs": 4, "resolution": 16, "precision": "fp32"}
    with monkeypatch.context() as without:
        without.setattr(sys, "path", [entry for entry in sys.path if entry != str(folder)])
        assert "unknown family" in process.count(asked)["refused"]
    assert process.count(asked)["params"] == run_cost(mlp()).params


@pytest.mark.slow
def test_what_was_counted_once_is_read_from_disk(folder: Path, asked: list[Any]) -> None:
    keep_counts_in(folder / "cache")
    first = run_cost(mlp())
    forget()
    assert run_cost(mlp()) == first
    assert len(asked) == 1
    run_cost(mlp(depth=3))
    assert [question["model"]["depth"] for question in asked] == [2, 3]


@pytest.mark.slow
def test_an_edit_of_a_module_beside_the_family_is_counted_anew(
    folder: Path, asked: list[Any]
) -> None:
    keep_counts_in(folder / "cache")
    before = run_cost(mlp())
    nets = folder / "own_mlp" / "nets.py"
    nets.write_text(NETS.replace("nn.LayerNorm(after)", "nn.Identity()"), encoding="utf-8")
    forget()
    process.end()  # it has the modules of before
    assert before.params - run_cost(mlp()).params == 2 * 2 * 64
    assert len(asked) == 2


@pytest.mark.slow
def test_damaged_lines_count_for_nothing(folder: Path, asked: list[Any]) -> None:
    keep_counts_in(folder / "cache")
    first = run_cost(mlp())
    kept = folder / "cache" / FILE
    line = kept.read_text(encoding="utf-8")
    kept.write_text(line[: len(line) // 2] + "\n[1]\n{}\n" + line.replace('"params"', '"x"'))
    forget()
    assert run_cost(mlp()) == first
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 9}, r"model.depth=9: must be 1, 2, 3, 4, 5, 6, 7, 8$"),
        ({"width": 0.3}, r"model.width=0.3: must be a multiple of 0.125, at least 0.125"),
        ({"width": 0.0625}, r"model.width=0.0625: must be a multiple of 0.125"),
    ],
)
def test_a_size_that_the_family_does_not_declare(
    changes: dict[str, Any], message: str, asked: list[Any]
) -> None:
    with pytest.raises(InputError, match=message):
        forward(mlp(**changes))
    assert not asked


def test_the_side_of_images_that_patches_do_not_fill() -> None:
    vit = {"family": "vit", "depth": 1, "width": 1, "patch": 5, "head_dim": 8}
    vit |= {"dropout": 0.0, "stochastic_depth": 0.0}
    with pytest.raises(InputError, match=r"data.resolution=16: must be a multiple of 5 px"):
        forward(tiny(model=vit))


@pytest.mark.slow
def test_a_family_that_fails_says_how(folder: Path) -> None:
    nets = folder / "own_mlp" / "nets.py"
    nets.write_text("raise ValueError('no such net')", encoding="utf-8")
    process.end()
    with pytest.raises(InputError, match=r"no network can be built of .*ValueError: no such net"):
        forward(mlp())


@pytest.mark.slow
def test_a_process_that_was_killed_is_started_again(asked: list[Any]) -> None:
    run_cost(mlp())
    (server,) = process._servers
    server.kill()
    server.wait()
    assert run_cost(mlp(depth=4)).params
    assert len(asked) == 2


@pytest.mark.slow
def test_one_process_counts_all_networks_and_the_plan_does_not_load_torch(folder: Path) -> None:
    conf = folder / "conf" / "model"
    conf.mkdir(parents=True)
    (conf / "mlp.yaml").write_text(f"family: {MODEL['family']}\ndepth: 2\nwidth: 1.0\n")
    script = (
        "import sys\n"
        "from scaling_study.models.counting import process\n"
        "started, start = [], process._start\n"
        "process._start = lambda: (started.append(1), start())[1]\n"
        "from scaling_study.sweep.__main__ import command\n"
        "try: command()\n"
        "except SystemExit as end: print('code', end.code, len(started), 'torch' in sys.modules)\n"
    )
    overrides = ("+grid=smoke", "model=mlp", "grid.axes.depth=[1,2,3]", "dry_run=true")
    done = subprocess.run(
        [sys.executable, "-c", script, "--config-dir", str(folder / "conf"), *overrides],
        cwd=folder,
        env=environment() | {"PYTHONPATH": ":".join([str(folder), *sys.path[1:]])},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert "code 0 1 False" in done.stdout, done.stdout + done.stderr
