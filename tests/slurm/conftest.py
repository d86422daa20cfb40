"""The SLURM of the tests."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import Cluster, missing
from study import Study


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A SLURM with two nodes, of each worker its own, wiped at the end."""
    if absent := missing():
        pytest.skip(f"no SLURM to start, not installed: {', '.join(absent)}")
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        cluster = Cluster(Path(folder) / "c")
        try:
            # One after the other: ports are free until the daemons have them.
            with (tmp_path_factory.getbasetemp().parent / "ports").open("wb") as ports:
                fcntl.flock(ports, fcntl.LOCK_EX)
                cluster.start()
                fcntl.flock(ports, fcntl.LOCK_UN)
            daemons = 4 + len(cluster.nodes)
            assert len(cluster.left_over()) >= daemons
            yield cluster
        finally:
            cluster.wipe()
            assert cluster.left_over() == []


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture
def study(cluster: Cluster, tmp_path: Path, images: Path) -> Iterator[Study]:
    """A study; what it leaves in the queue is cancelled."""
    study = Study(cluster, tmp_path, images)
    yield study
    for sweep in study.started:
        sweep.kill()
        sweep.communicate()
    cluster.run("scancel", "--me")
    study.until_queue_is_empty()
    for node in cluster.nodes:
        cluster.start_node(node)
        cluster.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
