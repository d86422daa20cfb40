"""Drawings as pixels."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def rendered(drawings: Sequence[str], side: int) -> NDArray[np.uint8]:
    """Square SVGs of one colour as images (n, side, side): what is drawn on is 255.

    What cannot be read is empty. Needs resvg-py.
    """
    # Planning imports this module and draws nothing.
    import resvg_py
    from PIL import Image

    pixels = np.zeros((len(drawings), side, side), np.uint8)
    for number, drawing in enumerate(drawings):
        try:
            png = resvg_py.svg_to_bytes(
                svg_string=drawing, width=side, height=side, skip_system_fonts=True
            )
        except ValueError:
            continue
        with Image.open(io.BytesIO(png)) as image:
            pixels[number] = np.asarray(image.convert("RGBA"))[..., 3]
    return pixels
