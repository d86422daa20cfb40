"""The SLURM of the tests."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import Cluster, missing


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
