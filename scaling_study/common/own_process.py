"""Python processes that run a function of this project's."""

import sys


def calling(module: str, function: str) -> list[str]:
    """The command of a Python that calls `function` of `module`; arguments may follow.

    It finds the same modules as this process does now, wherever they lie.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}\nfrom {module} import {function}; {function}()"
    return [sys.executable, "-c", code]
