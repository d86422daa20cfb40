"""The former name of `scaling_study.data.splits`, which data sets of users may import."""

from scaling_study.data.splits import DataInfo as DataInfo
from scaling_study.data.splits import Encoded as Encoded
from scaling_study.data.splits import Images as Images
from scaling_study.data.splits import Source as Source
from scaling_study.data.splits import Split as Split
from scaling_study.data.splits import Splits as Splits
