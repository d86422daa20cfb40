"""Two processes that train one run, against one process that trains it."""

import json
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.commands import Command, environment
from helpers.joint_runs import PLAIN, places, trained
from helpers.tiny import plain_execution, tiny
from scaling_study.common.errors import InputError
from scaling_study.common.ranks import ALONE, World, world_of
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.teaching import file_of
from scaling_study.data.storage.array_cache import one_at_a_time
from scaling_study.launch.job import Job
from scaling_study.study.result import Result, read_result

TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]


def losses(records: list[dict[str, float]]) -> list[float]:
    return [record["loss"] for record in records if "loss" in record]


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path: Path, cache_dir: Path) -> None:
    alone, one, _ = trained(1, tmp_path / "one", cache_dir, {})
    records, two, said = trained(2, tmp_path / "two", cache_dir, {})
    assert len(losses(alone)) == 16
    assert losses(records) == pytest.approx(losses(alone), rel=1e-9)
    assert (one.world_size, two.world_size) == (1, 2)
    assert (one.micro_batch_size, two.micro_batch_size) == (16, 8)
    assert (two.status, two.val_error) == ("ok", one.val_error)
    assert two.val_loss == pytest.approx(one.val_loss, rel=1e-6)
    assert sorted(said.split()) == ["ok", "running"]  # rank 0 alone reports


def _floating(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the counts of batches, which also count the search for a size that fits."""
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}


@pytest.mark.slow
@pytest.mark.parametrize("ghosts", [4, 8])
def test_groups_of_batch_norm_are_the_recipes_in_any_number_of_processes(
    tmp_path: Path, cache_dir: Path, ghosts: int
) -> None:
    """Two groups in each process, or one: gradients and running statistics are those of one
    process with all groups, to the bits that float64 leaves."""
    changes = {"train.sync_batch_norm": False, "train.ghost_batch": ghosts, "train.ema_decay": 0.9}
    found, states = [], []
    for processes in (1, 2):
        results = tmp_path / str(processes)
        records, result, _ = trained(processes, results, cache_dir, changes)
        found.append((losses(records), result.val_loss))
        (path,) = results.glob("runs/*/checkpoint.pt")
        states.append(torch.load(path, weights_only=True))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-9)
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-6)
    for part in ("model", "ema"):
        one, two = (_floating(state[part]) for state in states)
        torch.testing.assert_close(two, one, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_two_processes_learn_from_a_pool_as_one_does(tmp_path: Path, cache_dir: Path) -> None:
    """Rank 0 labels the pool once nobody else does, and the other one waits for it."""
    teacher = tiny(**{"train.epochs": 1, "train.warmup_epochs": 0})
    pool = {"data.pool_images": 40, "train.pseudo_share": 0.25}
    found = []
    for processes in (1, 2):
        place = tmp_path / str(processes)
        assert Job(teacher, plain_execution(place, cache_dir))().status == "ok"
        taught = {"teacher": f"run:{teacher.run_id}", **pool}
        labels = file_of(tiny(**PLAIN | taught), teacher, place)
        with ExitStack() as other_run:
            other_run.enter_context(one_at_a_time(labels))
            threading.Timer(3.0 * (processes - 1), other_run.close).start()
            records, _, said = trained(processes, place, cache_dir, taught, looks_s=0.3)
        assert said.count("labels 40 images of the pool") == 1
        found.append(losses(records))
    assert found[1] == pytest.approx(found[0], rel=1e-9)


@pytest.mark.slow
def test_two_processes_share_the_labelling_of_a_large_pool(tmp_path: Path, cache_dir: Path) -> None:
    """Each makes its pieces, and the labels are those of one process, bit for bit."""
    teacher = tiny(**{"train.epochs": 1, "train.warmup_epochs": 0})
    pool = {"data.pool_images": 600, "train.pseudo_share": 0.25}
    found = []
    for processes in (1, 2):
        place = tmp_path / str(processes)
        assert Job(teacher, plain_execution(place, cache_dir))().status == "ok"
        taught = {"teacher": f"run:{teacher.run_id}", **pool}
        more = {"piece": 250} if processes == 2 else {}
        _, result, _ = trained(processes, place, cache_dir, taught, **more)
        assert result.status == "ok"
        (file,) = place.glob("runs/*/pseudo_labels-*.npz")  # no piece is left
        with np.load(file) as arrays:
            found.append([arrays["labels"].tobytes(), arrays["confidence"].tobytes()])
    assert found[0] == found[1]


@pytest.mark.slow
def test_two_processes_see_the_new_images_of_one(tmp_path: Path, cache_dir: Path) -> None:
    found = []
    for processes in (1, 2):
        place = tmp_path / str(processes)
        place.mkdir()
        records, _, _ = trained(processes, place, cache_dir, {"data.fresh": True})
        found.append(losses(records))
    assert found[1] == pytest.approx(found[0], rel=1e-9)


@pytest.mark.slow
def test_two_processes_have_the_learning_curve_of_one(tmp_path: Path, cache_dir: Path) -> None:
    """Each scores its share, with the statistics of rank 0, and says which images are right."""
    found, images = [], []
    for processes in (1, 2):
        place = tmp_path / str(processes)
        records, _, _ = trained(processes, place, cache_dir, {"train.evaluate_every": 1})
        points = [record for record in records if "curve_val_error" in record]
        found.append([{k: v for k, v in p.items() if k.startswith("curve_")} for p in points])
        (file,) = place.glob("runs/*/images.json")
        images.append(file.read_text(encoding="utf-8"))
    assert len(found[0]) == 2
    for one, two in zip(*found, strict=True):
        assert two == pytest.approx(one, rel=1e-6)
    assert images[0] == images[1]


Attempt = tuple[list[dict[str, float]], Result, str]


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> list[Attempt]:
    """Of one run: two processes that are stopped, one that goes on, and again two."""
    results, changes = tmp_path_factory.mktemp("two"), {"train.accumulation": 2}
    stopped = trained(2, results, cache_dir, changes, stop_at=5, fits=2)
    (note,) = results.glob("runs/*/job.json")
    # Rank 1 alone was asked; both stop, for its reason.
    assert json.loads(note.read_text(encoding="utf-8"))["cause"] == "interrupted"
    return [stopped, *(trained(n, results, cache_dir, changes) for n in (1, 2))]


@pytest.mark.slow
def test_two_processes_stop_halve_and_continue_as_one(
    attempts: list[Attempt], execution: ExecutionConfig
) -> None:
    job = Job(tiny(**PLAIN | {"train.accumulation": 4}), execution)
    assert job().status == "ok"
    one = read_result(job.store.run_dir(job.run.run_id) / "result.json")
    (records, nothing, said), _, _ = attempts
    assert nothing is None
    assert said.splitlines().count("stopped") == 2
    assert len(losses(records)) == 6
    records, two, said = attempts[2]
    assert "resuming at step 6 of 16" in said
    assert len(losses(records)) == 16
    assert (two.status, two.memory_halvings, two.micro_batch_size) == ("ok", 1, 2)
    assert one.micro_batch_size == 4


@pytest.mark.slow
def test_memory_that_runs_out_in_a_joint_step_halves_the_next_attempt(
    tmp_path: Path, cache_dir: Path
) -> None:
    results = tmp_path / "two"
    _, failed, _ = trained(2, results, cache_dir, {}, failing=1, fits_later=4)
    assert (failed.status, failed.cause) == ("failed", "gpu_memory")
    assert failed.error == "OutOfMemoryError: no memory left"
    (note,) = results.glob("runs/*/error.json")
    _, two, _ = trained(2, results, cache_dir, {}, fits_later=4)
    assert (two.status, two.memory_halvings, two.micro_batch_size) == ("ok", 1, 4)
    assert not note.exists()


@pytest.mark.slow
def test_an_error_of_another_process_is_the_runs_error(tmp_path: Path, cache_dir: Path) -> None:
    _, failed, _ = trained(2, tmp_path / "two", cache_dir, {}, failing=1, fails_at=3)
    assert (failed.status, failed.cause) == ("failed", "error")
    assert failed.error == "ValueError: this one cannot go on"


@pytest.mark.slow
def test_a_rank_that_the_kernel_kills_for_memory_is_no_unknown_error(
    tmp_path: Path, cache_dir: Path
) -> None:
    """Rank 0 sees a closed connection, and that a process of this machine was killed meanwhile."""
    _, failed, _ = trained(2, tmp_path / "two", cache_dir, {}, failing=1, killed_at=3)
    assert (failed.status, failed.cause) == ("failed", "host_memory")


@pytest.mark.slow
def test_another_number_of_processes_does_not_go_on_with_a_run(attempts: list[Attempt]) -> None:
    _, refused, _ = attempts[1]
    assert refused.status == "failed"
    assert str(refused.error).startswith("InputError: ")
    assert "of a run in 2 process(es)" in str(refused.error)
    assert "torchrun --nproc-per-node 2" in str(refused.error)
    _, two, said = attempts[2]
    assert "resuming at step 6 of 16" in said
    assert (two.status, two.world_size) == ("ok", 2)


@pytest.mark.slow
def test_one_command_under_torchrun(tmp_path: Path, cache_dir: Path) -> None:
    arguments = ("data.classes=4", "data.train_per_class=32", "data.val_per_class=8")
    model = ("model.depth=14", "model.width=0.125", "train.epochs=2", "train.batch_size=16")
    norm = "train.sync_batch_norm=true"
    cache = f"cache_dir={cache_dir}"
    done = subprocess.run(
        [sys.executable, *TORCHRUN, "-m", "scaling_study.train", *arguments, *model, norm, cache],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    (path,) = tmp_path.glob("results/runs/*/result.json")
    assert read_result(path).world_size == 2


def test_processes_that_would_decide_about_batch_norm_are_refused_before_they_meet(
    command_here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place, _) = places(2)
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    small = ("model.depth=14", "train.batch_size=16")
    done = command_here("scaling_study.train", *small)
    assert done.returncode == 2
    assert "WORLD_SIZE=2: d14-" in done.stderr
    assert "batch norm would see 8 images, by the accident of that number" in done.stderr
    assert "train.ghost_batch=8 has groups of so many" in done.stderr


def test_the_environment_of_torchrun_and_of_srun() -> None:
    rendezvous = {"MASTER_ADDR": "node1", "MASTER_PORT": "29500"}
    torchrun = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"} | rendezvous
    assert world_of(torchrun) == World(5, 8, 1, "node1", 29500)
    srun = {"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1"}
    srun |= {"SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "8"}
    found = world_of(srun | {"SLURM_STEP_NODELIST": "gpu[003-010,017],cpu1"})
    assert (found.rank, found.size, found.local_rank, found.address) == (5, 8, 1, "gpu003")
    assert 15_000 <= found.port < 25_000
    other = world_of(srun | {"SLURM_STEP_NODELIST": "a", "SLURM_STEP_ID": "1"})
    assert other.port != found.port
    assert world_of(srun | {"SLURM_STEP_NODELIST": "node-a,node-b"}).address == "node-a"
    # A batch script has SLURM_NTASKS too, and is one process.
    assert world_of({"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_JOB_ID": "77"}) == ALONE
    assert world_of({}) == ALONE
    for one in ({"RANK": "0"}, {}, {"LOCAL_RANK": ""}):
        assert world_of({"WORLD_SIZE": "1"} | one) == ALONE
        assert world_of({"WORLD_SIZE": "", "SLURM_STEP_NUM_TASKS": ""} | one) == ALONE
    for broken in ({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}, {"WORLD_SIZE": "two"}):
        with pytest.raises(InputError, match="torchrun"):
            world_of(broken)


def test_a_batch_that_processes_cannot_share_is_refused() -> None:
    with pytest.raises(InputError, match=r"train.batch_size=16: .* 3 processes"):
        tiny().train.share(3)
    assert tiny(**{"train.accumulation": 4}).train.share(2) == 8
    with pytest.raises(InputError, match=r"train.accumulation=8 passes"):
        tiny(**{"train.accumulation": 8}).train.share(2)
