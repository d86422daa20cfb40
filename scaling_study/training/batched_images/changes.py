"""The changes of `data/images/changes.py` for whole batches on a device: the same bits as Pillow's.

Images are (n, channels, height, width) tensors of uint8, of 1 or 3 channels; each has its own
changes, and those of one kind are made together. What kinds and how many there are is known
without a look at the device, so that nothing waits for a GPU. Where Pillow computes with whole
numbers or in double precision, so does this; its blends are in single precision.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from scaling_study.data.images.changes import (
    Affine,
    AutoContrast,
    Change,
    Contrast,
    Equalize,
    Filled,
    Pasted,
    Saturation,
    Sharpness,
    Table,
)
from scaling_study.training.batched_images import levels, places
from scaling_study.training.batched_images.transfer import on

MAKERS: Mapping[type, places.Maker] = {
    Table: levels.by_table,
    AutoContrast: levels.autocontrast,
    Equalize: levels.equalize,
    Contrast: levels.contrast,
    Saturation: levels.saturation,
    Sharpness: levels.sharpness,
    Affine: places.affine,
    Filled: places.filled,
    Pasted: places.pasted,
}


def changed(pixels: Tensor, changes: Sequence[Sequence[Change]]) -> Tensor:
    """The images after their own changes each, one after the other; `pixels` are left as they are.

    KeyError for a change of a kind that is not known here.
    """
    turns = max((len(some) for some in changes), default=0)
    pixels = pixels.clone() if turns else pixels
    for turn in range(turns):
        kinds: dict[type, list[int]] = {}
        for i, some in enumerate(changes):
            if turn < len(some):
                kinds.setdefault(type(some[turn]), []).append(i)
        for kind, chosen in kinds.items():
            at = on(pixels.device, chosen, torch.int64)
            make = MAKERS[kind]
            made = make(pixels.index_select(0, at), [changes[i][turn] for i in chosen])
            pixels.index_copy_(0, at, made)
    return pixels
