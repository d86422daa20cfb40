"""Small archives in CIFAR's official format."""

import io
import tarfile
from typing import Any

import numpy as np

from scaling_study.data.sets import cifar

IMAGES = {"train": 15, "test": 6}


def records(name: str, part: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Images (n, 32, 32, 3) and labels of a small archive."""
    rng = np.random.default_rng([len(name), len(part)])
    n, classes = IMAGES[part], cifar.ARCHIVES[name].n_classes
    labels = rng.integers(0, classes, n)
    labels[:2] = 0, classes - 1
    return rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), labels


def archive(name: str, labels_too_high: bool = False) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for part, members in cifar.ARCHIVES[name].members.items():
            images, labels = records(name, part)
            labels = labels + 200 * labels_too_high
            planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
            coarse = [np.full(len(images), 7)] * (cifar.ARCHIVES[name].label_bytes - 1)
            rows = np.column_stack([*coarse, labels, planes]).astype(np.uint8)
            for member, share in zip(members, np.array_split(rows, len(members)), strict=True):
                info = tarfile.TarInfo(member)
                info.size = share.size
                tar.addfile(info, io.BytesIO(share.tobytes()))
    return buffer.getvalue()
