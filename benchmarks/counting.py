"""How long counting modules takes: cold, for each different network, and from the cache.

    python benchmarks/counting.py

Prints seconds: of the first count with the start of its process, of each further network of up to
60 blocks, and of 1,000 cells whose networks were counted before.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scaling_study.common.paths import data_dir
from scaling_study.common.validation import from_values
from scaling_study.models import family
from scaling_study.models.counting import counts, process
from scaling_study.models.family import ModelConfig

CELLS, SIDE = 1000, 224


def model(name: str, **changes: Any) -> ModelConfig:
    """A shipped family's settings, with some of them changed."""
    text = (data_dir("conf") / "model" / f"{name}.yaml").read_text(encoding="utf-8")
    values: Mapping[str, Any] = yaml.safe_load(text)
    return from_values(family(name).config, {**values, **changes}, "model.")


def seconds(*models: ModelConfig, outputs: int = 1000, precision: str = "fp32") -> float:
    """To count these networks."""
    begin = time.perf_counter()
    for one in models:
        counts.counts(one, outputs, SIDE, precision)
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        counts.keep_counts_in(Path(folder))
        print(f"first count, with the start of the process: {seconds(model('vit')):.2f} s")
        for name in ("vit", "convnext"):
            for precision in ("fp32", "bf16"):
                taken = seconds(model(name, depth=60), precision=precision)
                print(f"{name} of 60 blocks in {precision}: {taken:.2f} s")
        cells = [model("vit", depth=1 + i % 50, width=1 + i // 50) for i in range(CELLS // 10)]
        seconds(*cells)
        counts.counts.cache_clear()
        counts._kept.clear()
        process.end()
        begin = time.perf_counter()
        for _ in range(10):
            seconds(*cells)
            counts.counts.cache_clear()
        print(f"{CELLS} cells from the cache: {time.perf_counter() - begin:.2f} s")


if __name__ == "__main__":
    main()
