"""A teacher and the pool that it labels for a run: what the pool is, and where labels lie.

No torch: plans ask it too.
"""

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path

from scaling_study.common.validation import identity
from scaling_study.config.run import RunConfig
from scaling_study.data.base import DataConfig, as_evaluated

# Raised whenever the labels of the same teacher and pool may change.
VERSION = 1
# The files of labels in a teacher's folder.
LABEL_FILES = "pseudo_labels-*.npz"


def pool_for(run: RunConfig, teacher: RunConfig) -> DataConfig:
    """The data of `run` as its teacher sees them: at the side and the crop of its own evaluation.

    Their pool is that of `run`.
    """
    seen = as_evaluated(teacher.data)
    crop = teacher.data.test_crop
    return replace(run.data, resolution=seen.resolution, test_resolution=0, test_crop=crop)


def pool_key(run: RunConfig, teacher: RunConfig) -> str:
    """Identifies the images that a teacher labels for a run, however the run augments them."""
    pool = pool_for(run, teacher)
    shared = {field.name for field in fields(DataConfig)}
    own = {key: value for key, value in identity(pool).items() if key not in shared}
    text = json.dumps([VERSION, pool.name, pool.resolution, pool.test_crop, own], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_of(run: RunConfig, teacher: RunConfig, results_dir: Path) -> Path:
    """Where the labels lie that the pool of `run` has of its teacher: in the teacher's folder."""
    name = LABEL_FILES.replace("*", pool_key(run, teacher))
    return results_dir / "runs" / teacher.run_id / name


def without_parents(run: RunConfig) -> RunConfig:
    """`run` without files and runs that it needs, whose content does not change its speed."""
    train = replace(run.train, pseudo_share=0.0, pseudo_threshold=0.0)
    return replace(run, init=None, teacher=None, trunk=None, train=train)
