"""The SLURM of the tests."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import control_groups
from cluster import Cluster, missing
from study import Study


@contextmanager
def running(tmp_path_factory: pytest.TempPathFactory, **settings: Any) -> Iterator[Cluster]:
    """A SLURM with these settings of `Cluster`, wiped at the end."""
    if absent := missing():
        pytest.skip(f"no SLURM to start, not installed: {', '.join(absent)}")
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        cluster = Cluster(Path(folder) / "c", **settings)
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
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A SLURM with two nodes, of each worker its own."""
    with running(tmp_path_factory) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def limited_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A SLURM with this machine as its one node, whose jobs cannot take more than they asked for:
    cores and memory are limited by control groups."""
    if (reason := control_groups.why_not()) is not None:
        pytest.skip(f"no SLURM with limits to start: {reason}")
    settings = {"nodes": (f"g{os.getpid()}",), "cpus": os.cpu_count(), "cgroups": True}
    with running(tmp_path_factory, **settings) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture
def study(cluster: Cluster, tmp_path: Path, images: Path) -> Iterator[Study]:
    """A study; what it leaves in the queue is cancelled."""
    yield from _study(Study(cluster, tmp_path, images))


@pytest.fixture
def limited_study(limited_cluster: Cluster, tmp_path: Path, images: Path) -> Iterator[Study]:
    """The same where jobs cannot take more than they asked for."""
    yield from _study(Study(limited_cluster, tmp_path, images))


def _study(study: Study) -> Iterator[Study]:
    yield study
    for sweep in study.started:
        sweep.kill()
        sweep.communicate()
    cluster = study.cluster
    cluster.run("scancel", "--me")
    study.until_queue_is_empty()
    for node in cluster.nodes:
        cluster.start_node(node)
        cluster.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
