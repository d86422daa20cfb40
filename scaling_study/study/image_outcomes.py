"""RUN/images.json: which evaluation images a finished run gets right, about a bit an image."""

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_study.common.files import replace_file
from scaling_study.common.reading import json_in

FILE, SCHEMA = "images.json", 1
# More would not fit into memory; no data set has as many.
MOST_IMAGES = 2**31


@dataclass(frozen=True)
class ImageOutcomes:
    """`right` (n,) by image, sorted by class and within a class as in the data set.

    `classes` (k,) counts the images of each class. Equal in all runs that are evaluated on the same
    images, so that image i of one run is image i of another.
    """

    right: NDArray[np.bool_]
    classes: NDArray[np.int64]


def write_image_outcomes(
    run_dir: Path, right: NDArray[np.bool_], labels: NDArray[np.int64]
) -> None:
    """Write `right` (n,) of images with these `labels` (n,), both in the order of the data set.

    Bits are packed, the first image in the highest bit, and encoded in base64.
    """
    order = np.argsort(labels, kind="stable")
    bits = base64.b64encode(np.packbits(right[order]).tobytes()).decode("ascii")
    record = {"schema": SCHEMA, "classes": np.bincount(labels).tolist(), "right": bits}
    replace_file(run_dir / FILE, json.dumps(record) + "\n")


def read_image_outcomes(run_dir: Path) -> ImageOutcomes | None:
    """What `write_image_outcomes` has written; None without such a file, or with one that is none.

    Runs of earlier versions, of tasks without right and wrong, and those that left out corrupt
    images have none.
    """
    try:
        record: Any = json_in(run_dir / FILE)
        if record["schema"] != SCHEMA:
            return None
        classes = np.array(record["classes"], dtype=np.int64)
        packed = base64.b64decode(record["right"], validate=True)
        images = int(classes.sum())
        if classes.ndim != 1 or classes.min(initial=0) < 0 or not 0 < images < MOST_IMAGES:
            return None
        if len(packed) != -(-images // 8):
            return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, binascii.Error):
        return None
    right = np.unpackbits(np.frombuffer(packed, np.uint8), count=images).astype(bool)
    return ImageOutcomes(right, classes)
