"""CPU cores that a process may use: affinity, quotas of containers, SLURM jobs, slots."""

import math
from pathlib import Path

import pytest

from scaling_study.common import device
from scaling_study.common.device import CORES_OF_SLOT, container_cores, cores_of_run, cpu_cores


@pytest.fixture
def big_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.setattr(device, "container_cores", lambda: math.inf)
    for name in ("SLURM_JOB_ID", "SLURM_CPUS_PER_TASK", CORES_OF_SLOT):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("group", "files", "cores"),
    [
        ("0::/user/run", {"user/run/cpu.max": "400000 100000"}, 4),
        ("0::/user/run", {"user/cpu.max": "150000 100000", "user/run/cpu.max": "max 100000"}, 1.5),
        ("0::/on/the/host", {"cpu.max": "200000 100000"}, 2),
        (
            "4:cpu,cpuacct:/job\n0::/",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        (
            "4:cpu:/\n3:memory:/x",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "1"},
            math.inf,
        ),
        ("0::/", {"cpu.max": "damaged"}, math.inf),
        ("", {}, math.inf),
    ],
)
def test_quotas_of_containers(
    group: str, files: dict[str, str], cores: float, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.write_text(group, encoding="utf-8")
    for name, text in files.items():
        path = tmp_path / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="ascii")
    assert container_cores(tmp_path / "mount", own) == cores
    assert container_cores(tmp_path / "mount", tmp_path / "none") == math.inf


@pytest.mark.usefixtures("big_machine")
def test_a_job_has_its_own_cores_and_a_slot_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (cpu_cores(), cores_of_run()) == (64, 64)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "12")
    assert cpu_cores() == 64  # left over from somewhere: this is no job
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert cpu_cores() == 12
    monkeypatch.setenv(CORES_OF_SLOT, "3")
    assert (cpu_cores(), cores_of_run()) == (12, 3)
    monkeypatch.setattr(device, "container_cores", lambda: 2.5)
    assert (cpu_cores(), cores_of_run()) == (2, 2)
