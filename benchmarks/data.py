"""Images per second that are decoded and augmented, and what new images in every epoch cost.

python benchmarks/data.py [IMAGES]: JPEG files of ImageNet's usual size, 500 x 375 px, made here,
by one core and by the loader's workers, and beside torchvision and timm where `--timm DIR` has them
(`pip install --no-deps --target DIR timm torchvision`). python benchmarks/data.py fresh [EPOCHS]:
wall time of the smallest network of depth_vs_width on new fractals, over that on the same ones.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import numpy as np
from loader_peers import Batches, beside_peers, rates
from omegaconf import OmegaConf
from PIL import Image

from scaling_study.common.device import cpu_cores, device_name
from scaling_study.common.paths import data_dir
from scaling_study.config.execution import execution_config_of
from scaling_study.config.run import run_config
from scaling_study.data import load
from scaling_study.data.splits import Encoded
from scaling_study.data.storage.stored_images import stored_images
from scaling_study.training.input_pipeline.batches import TrainingData
from scaling_study.training.input_pipeline.corrupt_images import CorruptImages
from scaling_study.training.loop import train

SIZE, BATCH = (500, 375), 32


def photo(number: int) -> bytes:
    """Blobs and edges with some noise: about 60 kB, as ImageNet's files have on average 110."""
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC)).astype(int)
    noisy = (pixels + rng.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def write(root: Path, n: int) -> None:
    for number in range(n):
        for part in ("train", "val"):
            folder = root / part / f"class{number % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.jpg").write_bytes(photo(number))


def values_of(*overrides: str) -> dict[str, Any]:
    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        composed = hydra.compose("train", [*overrides, "precision=fp32"])
    values = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def images_of(
    root: Path, cache: Path, workers: int, *overrides: str, on_device: bool = False
) -> TrainingData:
    wanted = ("data=imagefolder", f"data.root={root}", f"train.batch_size={BATCH}", *overrides)
    run = run_config(values_of(*wanted))
    splits, corrupt, store = load(run.data, cache), CorruptImages(cache, fail=True), None
    if side := getattr(run.data, "stored_side", 0):
        assert isinstance(splits.train, Encoded)
        assert splits.train.listed is not None
        store = stored_images(cache, splits.train.listed, side)
    return TrainingData(run, splits, corrupt, workers, on_device=on_device, store=store)


def rate(batches: Callable[[], Any]) -> float:
    """Images per second of the second of two passes."""
    list(batches())
    start = time.perf_counter()
    n = sum(len(batch[1]) for batch in batches())
    return n / (time.perf_counter() - start)


def wall_s(folder: Path, epochs: int, fresh: bool) -> float:
    """Seconds of a run on one core, from its first batch to its evaluation."""
    base = ("data=fractals_16", "model.depth=14", "model.width=0.25", "train.batch_size=64")
    folders = (f"results_dir={folder}", f"cache_dir={folder}", "loader.workers=1")
    values = values_of(*base, *folders, f"train.epochs={epochs}", f"data.fresh={fresh}")
    run, execution = run_config(values), execution_config_of({**values, "launcher": {"threads": 1}})
    with tempfile.TemporaryDirectory(dir=folder) as run_dir:
        return float(train(run, Path(run_dir), execution)["wall_s"])


def new_images(epochs: int) -> None:
    """Alternating runs, so that both kinds share the machine's mood."""
    print(f"{device_name('cpu')}: {epochs} epochs of 640 images of 16 px, on one core")
    with tempfile.TemporaryDirectory() as folder:
        wall_s(Path(folder), 1, False)  # renders what both evaluate
        pairs = [[wall_s(Path(folder), epochs, fresh) for fresh in (False, True)] for _ in range(3)]
    for fixed, fresh in pairs:
        print(f"the same images {fixed:5.1f} s, new ones {fresh:5.1f} s: ratio {fresh / fixed:.2f}")
    print(f"median ratio {np.median([fresh / fixed for fixed, fresh in pairs]):.2f}")


def one_core(root: Path, cache: Path, n: int) -> None:
    for side in (160, 224):
        for layers in (0, 2):
            data = images_of(
                root, cache, 0, f"data.resolution={side}", f"data.randaugment_layers={layers}"
            )
            found = rate(lambda data=data: data.batches(0, n // BATCH))  # type: ignore[misc]
            print(f"train {side} px, RandAugment x {layers}, one core: {found:7.0f} images/s")
        found = rate(lambda data=data: data.evaluation("val"))  # type: ignore[misc]
        print(f"evaluation {side} px, one core:            {found:7.0f} images/s")


def from_disk(root: Path, cache: Path, n: int, rounds: int) -> None:
    """What a core makes of images of 224 px with RandAugment x 2: all, or what a GPU leaves to it,
    of files, and of images that are stored decoded."""
    makers: dict[str, Batches] = {}
    for name, side in (("decoded", 0), ("stored at 256 px", 256)):
        wanted = ("data.resolution=224", "data.randaugment_layers=2", f"data.stored_side={side}")
        for where, on_device in (("", False), (", augmented by a GPU", True)):
            data = images_of(root, cache, 0, *wanted, on_device=on_device)
            makers[name + where] = lambda data=data: data.loaded(0, n // BATCH)  # type: ignore[misc]
    for name, found in rates(makers, rounds).items():
        print(f"224 px, RandAugment x 2, {name}: {np.median(found):,.0f} images/s of CPU time")


def several_workers(root: Path, cache: Path, n: int) -> None:
    for workers in (1, 2, 4, 8):
        if workers <= cpu_cores():
            data = images_of(root, cache, workers, "data.resolution=160")
            found = rate(lambda data=data: data.batches(0, 4 * n // BATCH))  # type: ignore[misc]
            print(f"train 160 px, {workers} workers:                {found:7.0f} images/s")


def main(n: int, peers: Path | None, rounds: int) -> None:
    print(f"{device_name('cpu')}, {cpu_cores()} cores; {n} JPEG files of {SIZE[0]} x {SIZE[1]} px")
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder) / "set", Path(folder)
        write(root, n)

        def ours(side: int, layers: int) -> Batches:
            more = (f"data.resolution={side}", f"data.randaugment_layers={layers}")
            data = images_of(root, cache, 0, *more)
            return lambda: data.batches(0, n // BATCH)

        beside_peers(ours, root, BATCH, peers, rounds)
        one_core(root, cache, n)
        from_disk(root, cache, n, rounds)
        several_workers(root, cache, n)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="number of images, or fresh and a number of epochs")
    parser.add_argument("--timm", type=Path, help="folder with timm and torchvision")
    parser.add_argument("--rounds", type=int, default=5, help="turns of the loaders")
    given = parser.parse_args()
    if given.what[:1] == ["fresh"]:
        new_images(int(given.what[1]) if len(given.what) > 1 else 4)
    else:
        main(int(given.what[0]) if given.what else 512, given.timm, given.rounds)
