"""Runs of a program of the user's own: the contract of docs/programs.md, kept from both sides."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.rules.preregistration import load_rules
from helpers import warm_python
from helpers.commands import environment
from scaling_study.common import stop_request
from scaling_study.common.errors import InputError
from scaling_study.common.source import files_of_script, program_digest
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.program import code_of, filled
from scaling_study.config.run import RunConfig, run_config
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.program_cost import program_costs
from scaling_study.grid.cell import Cell
from scaling_study.grid.declared import with_full_names
from scaling_study.launch.code_snapshot import freeze
from scaling_study.launch.job import Job
from scaling_study.launch.local.process import print_to_log
from scaling_study.launch.outcome import Outcome
from scaling_study.planning.code_changes import code_changes
from scaling_study.planning.plan import plan
from scaling_study.planning.plan_table import table
from scaling_study.planning.trunk_savings import saving_lines
from scaling_study.study.table import ANCHOR, TRUNK, read_grid
from scaling_study.tracking.payload import payload_of

PROGRAM = """
import json, os, sys
from pathlib import Path
import side
out = Path(sys.argv[3])
(out / "argv.json").write_text(json.dumps(sys.argv[1:]))
(out / "outcome.json").write_text(json.dumps({"outcome": 1 / float(sys.argv[1]), "tokens": 7,
    "params": 12, "step_time_s": 0.5}))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "side.py").write_text("X = 1\n")
    (tmp_path / "train.py").write_text(PROGRAM)
    yield tmp_path
    stop_request.clear()


def logged(run: RunConfig, execution: ExecutionConfig) -> Outcome:
    """The outcome of a run that prints into its log, as in a process of its own."""
    job, (out, err) = Job(run, execution), map(os.dup, (1, 2))
    try:
        print_to_log(job)
        return job()
    finally:
        for kept, number in ((out, 1), (err, 2)):
            os.dup2(kept, number)
            os.close(kept)


def program(top: dict[str, Any] | None = None, **task: Any) -> RunConfig:
    base = {"name": "command", "command": "python train.py {width} {steps} {run_dir} {seed}"}
    return run_config(
        {
            **(top or {}),
            "model": {"family": "resnet", "depth": 26, "width": 4, "stem": "small"},
            "data": {"name": "fractals", "resolution": 16},
            "train": {"epochs": 3, "recipe": "fixed"},
            "task": base | {"settings": {"steps": 5}} | task,
            "seed": 2,
            "device": "cpu",
            "precision": "fp32",
        }
    )


def written(run: RunConfig, execution: ExecutionConfig, name: str) -> Any:
    folder = Path(execution.results_dir) / "runs" / run.run_id
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_a_command_is_run_and_its_outcome_becomes_the_result(
    here: Path, execution: ExecutionConfig
) -> None:
    run = program(costs={"tokens": "steps * 3", "train_flops": "6 * width * tokens"})
    outcome = Job(run, execution)()
    assert outcome.status == "ok", outcome.error
    assert outcome.outcome == "outcome 0.25"
    folder = Path(execution.results_dir).resolve() / "runs" / run.run_id
    assert written(run, execution, "argv.json") == ["4", "5", str(folder), "2"]
    result = written(run, execution, "result.json")
    assert result["outcome"] == 0.25
    assert result["train_flops"] == 6 * 4 * 15
    assert result["measures"] == {"tokens": 7}  # what it measured counts, not the formula
    assert (result["params"], result["step_time_s"], result["flops"]) == (12, 0.5, None)
    assert result["val_error"] is None
    assert result["width"] == 4
    assert result["depth"] == 1  # it asks for none
    # Anybody who has the folder alone can read it: the code need not be there.
    os.chdir(Path(execution.results_dir))
    payload = payload_of(folder)
    assert payload.config["width"] == 4
    assert payload.summary["outcome"] == 0.25
    assert run_config(yaml.safe_load((folder / "config.yaml").read_text())).run_id == run.run_id


def test_an_id_has_the_code_and_what_the_program_asks_for_and_nothing_else(here: Path) -> None:
    before = program()
    assert before.run_id.startswith("w4-s2-")
    assert program(costs={"params": "width"}).run_id == before.run_id
    assert program(settings={"steps": 6}).run_id != before.run_id
    assert program().config_id == before.config_id != before.run_id
    (here / "other.py").write_text("unused = 1\n")
    assert program().run_id == before.run_id
    (here / "side.py").write_text("X = 2\n")
    assert program().run_id != before.run_id
    assert files_of_script(here / "train.py") == {here / "side.py", here / "train.py"}
    assert len(program_digest([here / "train.py"])) == 16


PACKAGE_FILES = {
    "own_net/train.py": "from own_net.blocks import X\ndef run(depth): return {'outcome': X}\n",
    "own_net/blocks.py": "from . import deep\nX = deep.X\n",
    "own_net/deep.py": "X = 1\n",
    "own_net/__init__.py": "",
}
OF_A_PACKAGE: tuple[dict[str, Any], ...] = (
    {"command": "python -m own_net.train {width} {run_dir}", "settings": {}},
    {"name": "python", "command": None, "function": "own_net.train.run", "settings": {}},
)


@pytest.mark.parametrize("task", OF_A_PACKAGE)
def test_the_code_of_a_package_is_what_its_module_imports(here: Path, task: dict[str, Any]) -> None:
    for name, text in PACKAGE_FILES.items():
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text(text)
    before = program(**task)
    assert before.program is not None
    assert {path.name for path in code_of(before.program)} == {"train.py", "blocks.py", "deep.py"}
    (here / "own_net" / "deep.py").write_text("X = 2\n")
    assert program(**task).run_id != before.run_id


RUNS_OTHER_CODE = {"command": "python sub/train.py {width} {run_dir}", "settings": {}}
PRINTS = "import json, sys\nimport side\nout = sys.argv[2] + '/outcome.json'\n"
PRINTS += "json.dump({'outcome': side.X}, open(out, 'w'))\n"


@pytest.mark.parametrize("task", [RUNS_OTHER_CODE, OF_A_PACKAGE[0]])
def test_a_queued_program_that_was_edited_runs_as_it_was_submitted(
    here: Path, execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, task: dict[str, Any]
) -> None:
    (here / "sub").mkdir()
    (here / "own_net").mkdir()
    (here / "own_net" / "__init__.py").touch()
    (here / "sub" / "train.py").write_text(PRINTS)
    (here / "own_net" / "train.py").write_text(PRINTS.replace("import side", "from . import side"))
    for folder in ("sub", "own_net"):
        (here / folder / "side.py").write_text("X = 1\n")
    run = program(**task)
    snapshot = freeze(execution, here / "snapshots", [run]).folder
    for folder in ("sub", "own_net"):
        (here / folder / "side.py").write_text("X = 2\n")
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # as in a job
    monkeypatch.setattr("scaling_study.config.program.PACKAGE", snapshot / "scaling_study")
    assert Job(run, execution)().status == "ok"
    assert written(run, execution, "result.json")["outcome"] == 1


def test_the_plan_says_that_a_program_was_edited(here: Path, execution: ExecutionConfig) -> None:
    (here / "train.py").write_text("raise SystemExit(3)\n")
    job = Job(program(), execution)
    job()
    results = job.store.read()
    (here / "train.py").write_text("raise SystemExit(4)\n")
    for run, said in (
        (program(), ["1 run is new, because the code of train.py changed; the results of"]),
        (program(settings={"steps": 6}), []),  # another run, whatever its code
        (job.run, []),
    ):
        rows = plan([Cell(run, {})], job.store, results, Times([], 1))
        lines = code_changes(rows, job.store, results)
        assert [line.removesuffix(" before stay") for line in lines] == said


def test_a_program_that_was_edited_after_the_plan_does_not_run(
    here: Path, execution: ExecutionConfig
) -> None:
    run = program()
    (here / "train.py").write_text(PROGRAM + "# edited\n")
    outcome = Job(run, execution)()
    assert outcome.status == "failed"
    assert "was edited after" in str(outcome.error)


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("raise SystemExit(3)", "failed", "exit code 3"),
        ("raise RuntimeError('mice')", "failed", "exit code 1: RuntimeError: mice"),
        ("pass", "failed", "left no outcome.json"),
        ("write('{\"outcome\": NaN}')", "diverged", None),
        ("write('{\"outcome\": null}')", "diverged", None),
        ("write('{')", "failed", "outcome.json: no JSON"),
        ("write('{\"val_loss\": 1}')", "failed", "must be an object with a number `outcome`"),
        ('write(\'{"outcome": 1, "depth": 3}\')', "failed", "depth is known before the run"),
        ('write(\'{"outcome": 1, "val_error": 3}\')', "failed", "must be a fraction"),
        ('write(\'{"outcome": 1, "flops": 0}\')', "failed", "flops=0: must be above 0, or left"),
        ("raise SystemExit(75)", "failed", "nothing written before"),
        ("import os; os.kill(os.getpid(), 11)", "failed", "killed by SIGSEGV"),
    ],
)
def test_how_a_program_ends_is_how_its_run_ends(
    here: Path, execution: ExecutionConfig, code: str, status: str, said: str | None
) -> None:
    write = "write = (Path(sys.argv[3]) / 'outcome.json').write_text"
    (here / "train.py").write_text(f"import sys\nfrom pathlib import Path\n{write}\n{code}")
    outcome = logged(program(), execution)
    assert outcome.status == status
    assert said is None or said in str(outcome.error)


def test_exit_code_75_is_continued_until_it_is_done(here: Path, execution: ExecutionConfig) -> None:
    (here / "train.py").write_text(
        "import sys\nfrom pathlib import Path\nout = Path(sys.argv[3])\n"
        "n = len(list(out.glob('part*')))\n(out / f'part{n}').touch()\n"
        "if n < 3: raise SystemExit(75)\n(out / 'outcome.json').write_text('{\"outcome\": 2.5}')\n"
    )
    assert Job(program(), execution)().status == "ok"
    assert len(list((Path(execution.results_dir) / "runs").glob("*/part*"))) == 4


CHECKPOINTS = """
import signal, sys, time
from pathlib import Path
out = Path(sys.argv[3])
if (out / "checkpoint").exists():
    (out / "outcome.json").write_text('{"outcome": 1.5}')
    raise SystemExit(0)
def stop(*_):
    (out / "checkpoint").touch()
    raise SystemExit(75)
signal.signal(signal.SIGUSR1, stop)
(out / "ready").touch()
time.sleep(60)
"""


def asked_to_stop(execution: ExecutionConfig, run: RunConfig, reason: str) -> None:
    ready = Path(execution.results_dir) / "runs" / run.run_id / "ready"
    end = time.monotonic() + 30
    while not ready.exists() and time.monotonic() < end:
        time.sleep(0.02)
    stop_request.request(reason)


@pytest.mark.parametrize(
    ("reason", "status"),
    [("interrupted", "stopped"), ("preempted", "stopped"), ("timeout", "failed")],
)
def test_a_request_to_stop_reaches_the_program_which_continues_from_its_checkpoint(
    here: Path, execution: ExecutionConfig, reason: str, status: str
) -> None:
    (here / "train.py").write_text(CHECKPOINTS)
    run = program()
    asking = threading.Thread(target=asked_to_stop, args=(execution, run, reason))
    asking.start()
    outcome = Job(run, execution)()
    asking.join()
    assert outcome.status == status
    assert outcome.cause == reason
    stop_request.clear()
    assert Job(run, execution)().status == "ok"


def test_a_program_that_does_not_listen_is_ended(
    here: Path, execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaling_study.launch.program.GRACE_S", 0.3)
    monkeypatch.setattr("scaling_study.launch.program.LAST_S", 0.3)
    deaf = CHECKPOINTS.replace("SIGUSR1, stop)", "SIGUSR1, signal.SIG_IGN)")
    deaf = deaf.replace(
        '(out / "ready")', 'signal.signal(signal.SIGTERM, signal.SIG_IGN)\n(out / "ready")'
    )
    (here / "train.py").write_text(deaf)
    run = program()
    asking = threading.Thread(target=asked_to_stop, args=(execution, run, "interrupted"))
    asking.start()
    began = time.monotonic()
    assert Job(run, execution)().status == "stopped"
    asking.join()
    assert time.monotonic() - began < 20


def test_a_function_gets_the_settings_that_it_names(here: Path, execution: ExecutionConfig) -> None:
    (here / "own_mlp.py").write_text(
        "def train(depth, steps, seed, stop):\n"
        "    assert not stop()\n"
        "    return {'outcome': depth + steps / 10 + seed / 100}\n"
    )
    run = program(name="python", command=None, function="own_mlp.train")
    assert "own_mlp" not in sys.modules  # planning imports no code of the user's
    assert run.run_id.startswith("d26-s2-")
    assert Job(run, execution)().status == "ok"
    assert written(run, execution, "result.json")["outcome"] == pytest.approx(26.52)


def test_a_program_describes_its_own_costs_once(here: Path) -> None:
    (here / "describe.py").write_text(
        "import sys\nfrom pathlib import Path\n"
        "file = Path('calls'); n = int(file.read_text()) if file.exists() else 0\n"
        "file.write_text(str(n + 1))\nprint('{\"params\": %s00}' % sys.argv[1])\n"
    )
    run = program(describe="python describe.py {width}", costs={"train_flops": "6 * params"})
    assert program_costs(run) == {"params": 400, "train_flops": 2400}
    assert describe(run)["params"] == 400
    assert program_costs(replace(run, seed=3))["params"] == 400
    assert (here / "calls").read_text() == "1"


def test_a_plan_of_programs_has_no_trunks(here: Path, execution: ExecutionConfig) -> None:
    job = Job(program(), execution)
    rows = plan([Cell(job.run, {})], job.store, {}, Times([], 1))
    assert not job.run.on_trunk
    assert saving_lines(rows) == []
    (record,) = table(rows, {"name": "own"})
    assert not {TRUNK, ANCHOR} & {*record}


@pytest.mark.parametrize("key", ["init", "teacher"])
def test_a_program_starts_from_no_other_run(here: Path, key: str) -> None:
    """What it would start from is no part of it: such runs would be the same as others."""
    assert program({key: "none"}).run_id == program().run_id
    with pytest.raises(InputError, match=f"{key}=run:d14-a: is for runs of our own training"):
        program({key: "run:d14-a"})


def test_the_length_of_training_has_the_name_that_the_program_gives_it(here: Path) -> None:
    run = program(length="steps", settings={}, costs={"tokens": "2 * steps"})
    assert run.train.epochs == 3
    assert run.values["steps"] == 3
    assert program_costs(run) == {"tokens": 6}
    assert describe(run)["epochs"] == 3
    own = {"name": "x", "axes": {"steps": [1, 2], "lr": [1]}, "question": "steps?"}
    task = {"name": "command", "length": "steps", "settings": {"lr": 2}}
    axes = {"epochs": [1, 2], "task.settings.lr": [1]}
    assert with_full_names(own, {"task": task}) == own | {"axes": axes}
    with pytest.raises(InputError, match=r"task\.length is train\.epochs, no setting"):
        program(length="steps")


def test_no_shell_reads_a_command() -> None:
    words = filled("python -c 'print(1)' --x={a} {b}", {"a": "; rm -rf /", "b": 2.0})
    assert words == [sys.executable, "-c", "print(1)", "--x=; rm -rf /", "2"]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            {"command": "python train.py {widht} {steps}"},
            r"widht: no such setting \(did you mean wi",
        ),
        ({"command": "python nowhere.py {steps}"}, "nowhere.py is not in"),
        ({"command": "python train.py {steps"}, "a brace itself is written twice"),
        ({"command": None}, r"task\.command=None: must be given, as in 'python train"),
        (
            {"settings": {"steps": 5, "lr": 1}},
            r"task\.settings\.lr=1: the command does not ask for",
        ),
        ({"commend": "x"}, r"task\.commend: no such setting \(did you mean command"),
        ({"name": "shell"}, r"task\.name=shell: must be command or python"),
        ({"outcome": {"direction": "higher"}}, r"needs task\.outcome\.best"),
        ({"outcome": {"direction": "up"}}, r"task\.outcome\.direction=up: must be lower or higher"),
    ],
)
def test_a_bad_declaration_is_named(here: Path, task: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        program(**task)


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ({"params": "wdth"}, r"task\.costs\.params: 'wdth': wdth: no such"),
        ({"params": "1 / 0"}, r"task\.costs\.params: '1 / 0': cannot be computed"),
        ({"params": "width - 4"}, r"task\.costs\.params=0: must be above 0"),
    ],
)
def test_a_bad_formula_is_named(here: Path, costs: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        program_costs(program(costs=costs))


def test_a_program_ends_with_the_process_that_started_it(here: Path) -> None:
    (here / "train.py").write_text(
        CHECKPOINTS.replace(
            '"ready").touch()', '"ready").write_text(str(__import__("os").getpid()))'
        )
    )
    run_dir = here / "run"
    run_dir.mkdir()
    child = os.fork()
    if not child:
        from scaling_study.launch.program import run_program

        try:
            run_program(program(), run_dir, lambda: None)
        finally:
            os._exit(0)
    while not (run_dir / "ready").exists() or not (run_dir / "ready").read_text():
        time.sleep(0.02)
    pid = int((run_dir / "ready").read_text())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        if "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2:3]:
            break
        time.sleep(0.02)
    assert time.monotonic() < end


GRID = """# @package _global_
task: {name: command, command: 'python train.py {run_dir} {width} {seed}', outcome: loss}
grid: {name: g, axes: {width: [1, 2], seed: [0]}}
"""


@pytest.mark.slow
def test_a_sweep_of_programs_without_costs_is_interrupted_and_continued(here: Path) -> None:
    (here / "train.py").write_text(CHECKPOINTS.replace("sys.argv[3]", "sys.argv[1]"))
    (here / "grid").mkdir()
    (here / "grid" / "g.yaml").write_text(GRID)
    words = ["scaling_study.sweep", "+grid=g", "launcher.slots=2"]
    words += [f"hydra.searchpath=[file://{here}]"]
    with warm_python.start(*words, cwd=here, env=environment()) as sweep:
        end = time.monotonic() + 100
        while len(list(here.glob("results/runs/*/ready"))) < 2 and time.monotonic() < end:
            assert sweep.poll() is None
            time.sleep(0.1)
        sweep.send_signal(signal.SIGINT)
        sweep.communicate()
    assert sweep.returncode == 130
    assert len(list(here.glob("results/runs/*/checkpoint"))) == 2
    done = warm_python.run(*words, cwd=here, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 ok" in done.stdout
    assert "loss 1.5" in done.stdout
    # Its rules are frozen in words of its outcome, as the analysis reads them.
    rules = load_rules(here / "results/g", read_grid(here / "results/g"))
    assert not rules.exploratory
    assert all("error" not in rule.claim for rule in rules.rules)
