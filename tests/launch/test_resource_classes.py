"""Classes of resources that runs ask SLURM for."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from helpers.slurm_site import CLUSTER
from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.config.execution import AUTO_WORKERS, ExecutionConfig
from scaling_study.config.hydra_app import composed
from scaling_study.config.run import run_config
from scaling_study.launch.job import Job, Request
from scaling_study.launch.slots import AUTO
from scaling_study.launch.slurm.host import cpus_of, memory_of
from scaling_study.launch.slurm.resource_classes import classes


def request(
    execution: ExecutionConfig,
    seed: int,
    forecast_s: float | None = None,
    memory_bytes: int | None = None,
    failures: Mapping[str, int] | None = None,
) -> Request:
    return Request(Job(tiny(seed=seed), execution), forecast_s, memory_bytes, failures or {})


def test_few_classes_hold_runs_of_all_sizes(execution: ExecutionConfig) -> None:
    some = [request(execution, i, 60 * 1.02**i, int(5e8 * 1.01**i)) for i in range(400)]
    found = classes(some, CLUSTER)
    assert sum(len(bundles) for bundles in found.values()) == 400
    assert len(found) < 32
    limits = {j.run.run_id: r for r, bundles in found.items() for (j,) in bundles}
    for one in some:
        resources = limits[one.job.run.run_id]
        assert one.forecast_s is not None
        assert one.memory_bytes is not None
        assert 1.5 * one.forecast_s / 60 + 2 <= resources.time_min
        assert 1.5 * one.memory_bytes / 1e9 + 0.5 <= resources.memory_gb


def test_runs_of_a_class_keep_the_order_of_the_plan(execution: ExecutionConfig) -> None:
    seeds = [3, 0, 2, 1, 5, 4]
    some = [request(execution, seed, 60.0 * (1 + seed % 2 * 9), int(5e8)) for seed in seeds]
    found = classes(some, CLUSTER)
    ordered = [[job.run.seed for bundle in bundles for job in bundle] for bundles in found.values()]
    assert sorted(ordered) == [[0, 2, 4], [3, 1, 5]]


def test_without_a_forecast_the_fallback_counts_and_failures_double_it(
    execution: ExecutionConfig,
) -> None:
    plain, failed = request(execution, 0), request(execution, 1, failures={"host_memory": 1})
    late = request(execution, 2, failures={"timeout": 2})
    (one,), (more,), (longer,) = (classes([r], CLUSTER) for r in (plain, failed, late))
    assert (one.time_min, one.memory_gb) == (90, 6)
    assert (more.time_min, more.memory_gb) == (90, 12)
    assert (longer.time_min, longer.memory_gb) == (360, 6)


def test_packed_jobs_have_room_for_what_runs_at_once(execution: ExecutionConfig) -> None:
    cluster = replace(CLUSTER, runs_per_job=8, gpus_per_run=1, slots=4, slots_per_gpu=2, threads=3)
    some = [request(execution, i, 600.0, int(1e9)) for i in range(16)]
    ((resources, bundles),) = classes(some, cluster).items()
    assert [len(bundle) for bundle in bundles] == [8, 8]
    assert (resources.gpus, resources.cpus) == (2, 12)  # four at once, two to a GPU
    assert resources.time_min == 45  # 8 x 10 min over 4, x 1.5, and the start
    assert resources.memory_gb == 12


def on_gpu(execution: ExecutionConfig, data: str, workers: int, **train: int) -> Request:
    """A run of 224 px on a GPU."""
    settings = ["model=resnet_rs", f"data={data}", "data.resolution=224", "device=cuda"]
    values = composed("train", [*settings, *(f"train.{k}={v}" for k, v in train.items())])
    run = run_config(values | {"precision": "bf16"})
    return Request(Job(run, replace(execution, loader_workers=workers)))


def test_a_gpu_run_asks_for_the_cores_and_the_memory_of_its_loader(
    execution: ExecutionConfig,
) -> None:
    asked = {w: on_gpu(execution, "imagenet", w, batch_size=4096) for w in (0, 4, 12, AUTO_WORKERS)}
    cores = {w: cpus_of(r.job.run, r.job.execution, CLUSTER) for w, r in asked.items()}
    assert cores == {0: 1, 4: 5, 12: 13, AUTO_WORKERS: 8}
    with_12 = memory_of(asked[12], CLUSTER)
    without = memory_of(asked[0], CLUSTER)
    assert with_12 is not None
    assert without is not None
    assert without > 3e9 + 6 * 4096 * 224**2 * 3
    assert with_12 - without == 12 * 250_000_000
    (resources,) = classes([replace(asked[12], memory_bytes=with_12)], CLUSTER)
    assert (resources.cpus, resources.gpus) == (13, 1)
    assert resources.memory_gb >= with_12 / 1e9
    run, execution = asked[12].job.run, asked[12].job.execution
    stored = replace(run, data=replace(run.data, stored_side=256))
    for place, side in (("cpu", 224), ("device", 256)):  # whole squares are on their way to it
        needed = memory_of(Request(Job(stored, replace(execution, augment_on=place))), CLUSTER)
        assert needed is not None
        assert needed - with_12 == 6 * 4096 * (side**2 - 224**2) * 3
    eight = replace(CLUSTER, gpus_per_run=8)
    shared = memory_of(asked[12], eight)
    assert shared is not None
    assert shared < with_12  # each process has an eighth of the batch
    (several,) = classes([replace(asked[12], memory_bytes=shared)], eight)
    assert (several.cpus, several.tasks) == (13, 8)


def test_the_cores_of_a_process_may_be_set_and_images_in_memory_need_few(
    execution: ExecutionConfig,
) -> None:
    photos = on_gpu(execution, "imagenet", AUTO_WORKERS, batch_size=256)
    assert cpus_of(photos.job.run, photos.job.execution, replace(CLUSTER, cpus=24)) == 24
    arrays = on_gpu(execution, "cifar10", AUTO_WORKERS, batch_size=256)
    assert cpus_of(arrays.job.run, arrays.job.execution, CLUSTER) == 2
    memory = memory_of(arrays, CLUSTER)
    assert memory is not None
    assert memory > 3e9 + 60_000 * 224**2 * 3  # all images are kept
    on_cpu = request(execution, 0, memory_bytes=10**9)
    assert cpus_of(on_cpu.job.run, execution, CLUSTER) == 1
    assert memory_of(on_cpu, CLUSTER) == 1_600_000_000
    with pytest.raises(InputError, match=r"launcher\.cpus=1: must be launcher\.threads=2 or more"):
        replace(CLUSTER, cpus=1, threads=2)


def test_runs_of_one_grid_land_in_classes_of_their_own_numbers_of_gpus(
    execution: ExecutionConfig,
) -> None:
    auto = replace(CLUSTER, gpus_per_run=AUTO, gpus_per_node=8)
    base = on_gpu(execution, "imagenet", 4, batch_size=4096)
    some = [replace(base, processes=n, memory_bytes=10**9) for n in (1, 2, 8, 32)]
    found = {(r.gpus, r.tasks, r.nodes) for r in classes(some, auto)}
    assert found == {(1, 1, 1), (2, 2, 1), (8, 8, 1), (8, 8, 4)}
    with pytest.raises(InputError, match=r"launcher\.runs_per_job=2: must be 1"):
        replace(auto, runs_per_job=2)


@pytest.mark.parametrize("gpus_per_node", [1, 3, 6, 8, 10])
def test_no_process_is_lost_to_nodes_of_odd_sizes(
    execution: ExecutionConfig, gpus_per_node: int
) -> None:
    auto = replace(CLUSTER, gpus_per_run=AUTO, gpus_per_node=gpus_per_node)
    base = on_gpu(execution, "imagenet", 4, batch_size=4096)
    for processes in (1, 2, 8, 16):
        (found,) = classes([replace(base, processes=processes, memory_bytes=10**9)], auto)
        assert found.tasks * found.nodes == processes
        assert found.gpus <= gpus_per_node
