"""Small sets of real image files, made on the spot."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset as wds
from PIL import Image

CLASSES = ("ant", "bee", "cow")


def picture(label: int, number: int, width: int = 48, height: int = 40) -> Image.Image:
    """A picture of its class: a colour with some noise, unlike every other picture."""
    rng = np.random.default_rng([label, number])
    pixels = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
    pixels[..., label % 3] += 150
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def samples(part: str, per_class: int) -> list[tuple[bytes, int]]:
    """Encoded pictures and labels, classes in turn."""
    first = {"train": 0}.get(part, 1000)
    return [
        (encoded(picture(label, first + number), quality=95), label)
        for number in range(per_class)
        for label in range(len(CLASSES))
    ]


def write_folders(root: Path, n_train: int = 8, n_val: int = 4) -> Path:
    for part, per_class in (("train", n_train), ("val", n_val)):
        for number, (content, label) in enumerate(samples(part, per_class)):
            folder = root / part / CLASSES[label]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:03d}.JPEG").write_bytes(content)
    return root


def write_shards(root: Path, n_train: int = 8, n_val: int = 4) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for part, per_class in (("train", n_train), ("val", n_val)):
        found = samples(part, per_class)
        for shard in range(2):
            with wds.TarWriter(str(root / f"{part}-{shard:03d}.tar")) as tar:
                for number, (content, label) in list(enumerate(found))[shard::2]:
                    tar.write({"__key__": f"{part}{number:04d}", "jpg": content, "cls": label})
    return root


def write_parquet(root: Path, n_train: int = 8, n_val: int = 4, group_rows: int = 4) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for part, per_class in (("train", n_train), ("validation", n_val)):
        found = samples(part, per_class)
        for file in range(2):
            rows = found[file::2]
            images = [{"bytes": content, "path": f"{n}.jpg"} for n, (content, _) in enumerate(rows)]
            table = pa.table({"image": images, "label": [label for _, label in rows]})
            path = root / f"{part}-{file:05d}-of-00002.parquet"
            pq.write_table(table, path, row_group_size=group_rows)
    return root


WRITERS = {"imagefolder": write_folders, "webdataset": write_shards, "parquet": write_parquet}
