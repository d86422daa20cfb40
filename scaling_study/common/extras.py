"""Packages that few features need: what installs them where they are missing."""

import importlib.util

from scaling_study.common.errors import InputError


def require_package(module: str, extra: str, what: str) -> None:
    """Raise an InputError that says how to install `module`, which `what` needs, if it is not."""
    if importlib.util.find_spec(module) is None:
        raise InputError(
            f"{what}: {module} is not installed; pip install 'scaling-study[{extra}]' installs it"
        )
