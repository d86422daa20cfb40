"""Memory that the next batch takes on a GPU beside a training step, where the host augments it.

A stream of its own copies and normalises it while the step computes, so that both peaks add up.
"""

from scaling_study.config.run import RunConfig
from scaling_study.data import data_info

# Of an image as a network gets it: channels, and bytes of a value.
CHANNELS, FLOAT = 3, 4


def normalisation_bytes(run: RunConfig, images: int) -> int:
    """Most bytes alive while `images` come to the device as uint8 and are normalised there."""
    channels = data_info(run.data).channels
    sides = run.train.epochs_by_side(run.data.resolution)
    # The host makes coloured ones in the layout that the network wants.
    return max(normalising(images, channels, side, copied=channels != CHANNELS) for side in sides)


def normalising(images: int, channels: int, side: int, copied: bool) -> int:
    """Bytes of images as uint8, as floats and, if copied to the network's layout, as these too."""
    return images * side**2 * (channels + channels * FLOAT + CHANNELS * FLOAT * copied)
