"""The former name of `scaling_study.data.splits`, for data sets that users have written."""

from scaling_study.data.splits import DataInfo, Encoded, Images, Source, Split, Splits

__all__ = ["DataInfo", "Encoded", "Images", "Source", "Split", "Splits"]
