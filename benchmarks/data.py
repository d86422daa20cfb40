"""Images per second that one core decodes and augments, and that the loader's workers deliver.

python benchmarks/data.py [IMAGES]: JPEG files of ImageNet's usual size, 500 x 375 px, made here.
"""

import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import numpy as np
from omegaconf import OmegaConf
from PIL import Image

from scaling_study.common.device import cpu_cores, device_name
from scaling_study.common.paths import data_dir
from scaling_study.config.run import run_config
from scaling_study.data import load
from scaling_study.training.input_pipeline.batches import TrainingData
from scaling_study.training.input_pipeline.corrupt_images import CorruptImages

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


def images_of(root: Path, cache: Path, workers: int, *overrides: str) -> TrainingData:
    wanted = ["data=imagefolder", f"data.root={root}", f"train.batch_size={BATCH}", *overrides]
    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        composed = hydra.compose("train", [*wanted, "precision=fp32"])
    values = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(values, dict)
    run = run_config({str(key): value for key, value in values.items()})
    return TrainingData(run, load(run.data, cache), CorruptImages(cache, fail=True), workers)


def rate(batches: Callable[[], Any]) -> float:
    """Images per second of the second of two passes."""
    list(batches())
    start = time.perf_counter()
    n = sum(len(labels) for _, labels in batches())
    return n / (time.perf_counter() - start)


def main(n: int) -> None:
    print(f"{device_name('cpu')}, {cpu_cores()} cores; {n} JPEG files of {SIZE[0]} x {SIZE[1]} px")
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder) / "set", Path(folder)
        write(root, n)
        for side in (160, 224):
            for layers in (0, 2):
                data = images_of(
                    root, cache, 0, f"data.resolution={side}", f"data.randaugment_layers={layers}"
                )
                found = rate(lambda data=data: data.batches(0, n // BATCH))  # type: ignore[misc]
                print(f"train {side} px, RandAugment x {layers}, one core: {found:7.0f} images/s")
            found = rate(lambda data=data: data.evaluation("val"))  # type: ignore[misc]
            print(f"evaluation {side} px, one core:            {found:7.0f} images/s")
        for workers in (1, 2, 4, 8):
            if workers <= cpu_cores():
                data = images_of(root, cache, workers, "data.resolution=160")
                found = rate(lambda data=data: data.batches(0, 4 * n // BATCH))  # type: ignore[misc]
                print(f"train 160 px, {workers} workers:                {found:7.0f} images/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
