"""What is still to be done to the images of a batch when they have reached the device."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from scaling_study.data.images.changes import Change
from scaling_study.data.images.crops import Box
from scaling_study.training.batched_images.changes import changed
from scaling_study.training.batched_images.resampling import cropped


class Pending(NamedTuple):
    """For each image: a box that is resized to `side` px, where there are `boxes`, then changes.

    Boxes are `cut_out` first, or resized with regard to what is around them.
    """

    side: int
    boxes: list[Box]
    changes: list[list[Change]]
    cut_out: bool

    def done(self, pixels: Tensor) -> Tensor:
        """The images (n, channels, side, side) after it."""
        if self.boxes:
            pixels = cropped(pixels, self.boxes, self.side, self.cut_out)
        return changed(pixels, self.changes)


def joined(parts: Sequence[Pending]) -> Pending:
    """That of a batch, of its parts in order."""
    boxes = [box for part in parts for box in part.boxes]
    changes = [some for part in parts for some in part.changes]
    return parts[0]._replace(boxes=boxes, changes=changes)
