"""Single encoded images as pixels: decoded, or as a local disk has them; corrupt ones reported."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scaling_study.data.images.changes import Size
from scaling_study.data.images.crops import CENTRE
from scaling_study.data.images.decode import Choose, CorruptImageError, crop, whole
from scaling_study.data.splits import Encoded, Images, Split
from scaling_study.data.storage.stored_images import StoredImages

T = TypeVar("T")
Array = NDArray[np.uint8]
# Place and reason of each image that cannot be decoded.
Corrupt = list[tuple[str, str]]
# This many corrupt images in a row end a run; one damaged row group of Parquet has fewer.
MAX_CORRUPT_RUN = 10_000


def decoded(
    part: Encoded, at: int, side: int, choose: Choose, corrupt: Corrupt, share: float = CENTRE
) -> Array | None:
    """Image `at` of `part`, cropped as `decode.crop` does; None if `corrupt` now says why not."""
    return _made(part, at, corrupt, lambda content: crop(content, side, choose, share))


def stored(
    part: Encoded, at: int, side: int, store: StoredImages | None, corrupt: Corrupt
) -> tuple[Array, Size] | None:
    """All of image `at` of `part` as (side, side, 3) and the size (px) it had, from the store if
    it has it; None if `corrupt` now says why not."""
    number = int(part.numbers[at])
    if store is not None and (found := store.read(number)) is not None:
        return found
    made = _made(part, at, corrupt, lambda content: whole(content, side))
    if store is not None and made is not None:
        store.write(number, *made)
    return made


def _made(part: Encoded, at: int, corrupt: Corrupt, make: Callable[[bytes], T]) -> T | None:
    number = int(part.numbers[at])
    try:
        return make(part.source.read(number))
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except CorruptImageError as error:
        reason = str(error)
    corrupt.append((part.source.place(number), reason))
    return None


def require_an_image(part: Split, side: int) -> None:
    """ValueError unless one of the images of `part` can be decoded, before a run trains for it."""
    if isinstance(part, Images):
        return
    corrupt: Corrupt = []
    most = min(MAX_CORRUPT_RUN, len(part.labels))
    if all(decoded(part, at, side, None, corrupt) is None for at in range(most)):
        raise ValueError(f"{most} evaluation images are corrupt, none can be decoded: {corrupt[0]}")
