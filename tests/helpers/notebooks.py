"""Notebooks without Jupyter: their cells are run in one interpreter, and show what it would show.

`python -m helpers.notebooks FILE …` runs notebooks in their folders and keeps what they show.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

DPI = 80
Output = dict[str, Any]


def cells(path: Path) -> list[dict[str, Any]]:
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert isinstance(found, list)
    return found


def shown(path: Path) -> Iterator[list[Output]]:
    """What each cell of code shows, in the working folder, which is that of the notebook."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells(path)):
        if cell["cell_type"] == "code":
            yield _run("".join(cell["source"]), f"{path.name}, cell {number}", names)


def _run(source: str, where: str, names: dict[str, Any]) -> list[Output]:
    """Run a cell; what it prints, and the value of the expression that it ends with."""
    tree = ast.parse(source, where)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value, printed = None, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, where, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), where, "eval"), names)
    text = printed.getvalue()
    outputs = [{"output_type": "stream", "name": "stdout", "text": text}] if text else []
    return outputs if value is None else [*outputs, _display(value)]


def _display(value: Any) -> Output:
    data: dict[str, str] = {"text/plain": "a figure" if isinstance(value, Figure) else repr(value)}
    if isinstance(value, Figure):
        file = io.BytesIO()
        value.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
        data["image/png"] = base64.b64encode(file.getvalue()).decode()
    elif hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_()
    return {"output_type": "display_data", "metadata": {}, "data": data}


def keep(path: Path) -> None:
    """Write what its cells show into the notebook."""
    content = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    with contextlib.chdir(path.parent):
        for cell, outputs in zip(code, shown(path), strict=True):
            cell["outputs"] = outputs
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        keep(Path(name).resolve())
