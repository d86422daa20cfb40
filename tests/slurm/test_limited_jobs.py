"""Jobs that cannot take more than they asked for, as at most sites: held by control groups."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study import Study

# One worker has them all: each would start a cluster of its own.
pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("limited")]
# A step or two that take a core seconds, and by the forecast so much memory for 1,000 images: 0.86
# GB of tensors, besides 0.6 of Python and torch.
LARGE = (
    *("grid.axes.seed=[0]", "data.resolution=64", "data.train_per_class=640"),
    *("train.epochs=1", "train.warmup_epochs=0", "data.val_per_class=4"),
)


def test_the_loader_decodes_with_the_cores_of_the_job(limited_study: Study) -> None:
    """Not with those of the machine; the log of a run that waits for images says what it has."""
    if os.cpu_count() == 1:
        pytest.skip("a machine of one core has no other")
    study = limited_study
    _photos(study.folder / "photos")
    data = ("data=imagefolder", f"data.root={study.folder}/photos", "data.resolution=16")
    run = ("train.epochs=2", "train.warmup_epochs=0", "train.batch_size=4", "grid.axes.seed=[0]")
    done = study.sweep(*data, *run, "loader.workers=auto", "launcher.cpus=1", small=False)
    assert done.returncode == 0, done.stderr
    assert " 1 CPUs, 0 GPUs" in done.stdout
    study.wait(ok=1)
    (folder,) = study.runs()
    log = (folder / "log.txt").read_text(encoding="utf-8")
    assert "bound by data: 1 loader workers, on 1 cores" in log


def _photos(folder: Path) -> None:
    """JPEG files of noise, which take much longer to decode than a step on 16 px does."""
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    for part, images in (("train", 16), ("val", 2)):
        for kind in ("a", "b"):
            (folder / part / kind).mkdir(parents=True)
            for i in range(images):
                Image.fromarray(noise).save(folder / part / kind / f"{i}.jpeg")


def test_a_job_of_the_forecast_memory_holds_its_run(limited_study: Study) -> None:
    done = limited_study.sweep(*LARGE, "train.batch_size=1500", "launcher.safety=1", small=False)
    assert done.returncode == 0, done.stderr
    assert " 3 GB, " in done.stdout  # two for the run, and half of one for the pool
    limited_study.wait(ok=1)


def test_a_run_that_memory_ends_says_so_and_goes_on_with_more(limited_study: Study) -> None:
    study, waits = limited_study, ("launcher.wait=true", "launcher.retry.host_memory=0")
    words = (*LARGE, "train.batch_size=2500", "launcher.memory_gb_per_run=1", *waits)
    failed = study.sweep(*words, small=False)
    assert failed.returncode == 1, failed.stderr
    assert " 2 GB, " in failed.stdout
    assert "failed (host_memory): the process was killed by SIGKILL because memory ran out" in (
        failed.stdout
    )
    assert "host_memory: the same command asks for twice the memory; " in failed.stdout
    again = study.sweep(*words, small=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert " 3 GB, " in again.stdout
    assert study.counts() == {"ok": 1}
