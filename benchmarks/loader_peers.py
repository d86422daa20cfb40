"""Our loader beside torchvision's and timm's: images a second of one core's CPU time.

All make uint8 batches of random-resized crops, bicubic with antialiasing, and flips from the same
files, as workers give them to a GPU; RandAugment is each one's own. They take turns.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import torch
from torch.utils.data import DataLoader
from training import imported

# Batches of images and labels, from a start anew at each call.
Batches = Callable[[], Iterator[Any]]
MAGNITUDE = 10


def torchvisions(root: Path, side: int, batch: int, layers: int, tensors: bool) -> Batches:
    """By torchvision.transforms.v2 as its references have it: on Pillow's images, or on tensors."""
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import InterpolationMode, v2

    crop = v2.RandomResizedCrop(side, interpolation=InterpolationMode.BICUBIC, antialias=True)
    steps = [crop, v2.RandomHorizontalFlip()]
    steps += [v2.RandAugment(layers, MAGNITUDE)] * (layers > 0)
    steps.insert(0 if tensors else len(steps), v2.PILToTensor())
    files = ImageFolder(root / "train", v2.Compose(steps))
    return lambda: iter(DataLoader(files, batch, shuffle=True, drop_last=True))


def timms(root: Path, side: int, batch: int, layers: int) -> Batches:
    """What timm's workers make for its prefetcher, which normalises on the GPU."""
    from timm.data import create_dataset, create_loader

    loader = create_loader(
        create_dataset("", root, split="train"),
        input_size=side,
        batch_size=batch,
        is_training=True,
        scale=(0.08, 1.0),
        color_jitter=0.0,
        interpolation="bicubic",
        auto_augment=f"rand-m{MAGNITUDE}-n{layers}" if layers else None,
        num_workers=0,
        persistent_workers=False,
        device=torch.device("cpu"),
    )
    return lambda: iter(loader.loader)


def rates(loaders: dict[str, Batches], rounds: int) -> dict[str, list[float]]:
    """Images a second of CPU time, of each round but a first one that nobody counts."""
    found: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(rounds + 1):
        for name, batches in loaders.items():
            start = process_time()
            n = sum(len(batch[1]) for batch in batches())
            found[name].append(n / (process_time() - start))
    return {name: values[1:] for name, values in found.items()}


def beside_peers(
    ours: Callable[[int, int], Batches], root: Path, batch: int, folder: Path | None, rounds: int
) -> None:
    """Print each loader's rate; `ours` makes our batches of a side and of layers of RandAugment."""
    try:
        print(f"timm {imported(folder).__version__}")
    except (ImportError, RuntimeError) as error:
        print(f"peers: left out, because they cannot be imported ({error}); see --timm")
        return
    torch.set_num_threads(1)
    for side in (160, 224):
        for layers in (0, 2):
            loaders = {
                "ours": ours(side, layers),
                "torchvision": torchvisions(root, side, batch, layers, tensors=False),
                "torchvision on tensors": torchvisions(root, side, batch, layers, tensors=True),
                "timm": timms(root, side, batch, layers),
            }
            show(f"{side} px, RandAugment x {layers}", rates(loaders, rounds))


def show(what: str, found: dict[str, list[float]]) -> None:
    middle = {name: median(values) for name, values in found.items()}
    best = max((name for name in found if name != "ours"), key=lambda name: middle[name])
    ratios = sorted(a / b for a, b in zip(found["ours"], found[best], strict=True))
    text = ", ".join(f"{name} {value:,.0f}" for name, value in middle.items())
    over = f"{median(ratios):.2f} [{ratios[0]:.2f} to {ratios[-1]:.2f}]"
    print(f"{what}: {text} images/s; ours / {best} {over}", flush=True)
