"""The former name of `scaling_study.data.splits`, which data sets of users may import."""

from scaling_study.data.splits import DataInfo as Facts
from scaling_study.data.splits import Encoded, Images, Source, Splits
from scaling_study.data.splits import Split as Part

__all__ = ["Encoded", "Facts", "Images", "Part", "Source", "Splits"]
