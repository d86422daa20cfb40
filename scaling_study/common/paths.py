"""Where the YAML folders are: beside the code in a wheel, at the top of the tree in a checkout."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from scaling_study.common.errors import InputError

PACKAGE = Path(__file__).resolve().parent.parent


def data_dir(name: str) -> Path:
    """The folder `conf` or `sweeps`, from a wheel, an editable install or a checkout alike."""
    packaged = PACKAGE / name
    return packaged if packaged.is_dir() else PACKAGE.parent / name


def import_own_analysis() -> None:
    """Import the `analysis` that lies beside this package, as installed or in a checkout.

    The working folder may hold another package of that name, which `python -m` would find first.
    Raises an InputError if another one has been imported already.
    """
    path = PACKAGE.parent / "analysis" / "__init__.py"
    if not path.is_file():
        return
    if "analysis" in sys.modules:
        other = getattr(sys.modules["analysis"], "__file__", None)
        if other is None or Path(other).resolve() != path:
            raise InputError(
                f"analysis: {other} hides {path.parent}, which scaling_study needs; rename it, or "
                "do not import it before"
            )
        return
    spec = spec_from_file_location("analysis", path, submodule_search_locations=[str(path.parent)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["analysis"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["analysis"])
