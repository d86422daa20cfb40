"""Where the YAML folders are: beside the code in a wheel, at the top of the tree in a checkout."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def data_dir(name: str) -> Path:
    """The folder `conf` or `sweeps`, from a wheel, an editable install or a checkout alike."""
    packaged = PACKAGE / name
    return packaged if packaged.is_dir() else PACKAGE.parent / name
