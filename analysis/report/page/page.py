"""The page itself: template, style, script and plotly.js in one file that needs no network."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from analysis.report.page.html import script_json, section
from scaling_study.common.files import replace_file

# The page's own script: its parts share one scope, which nothing outside can reach.
SCRIPTS = ("choices.js", "panels.js", "plots.js", "table.js", "live.js", "start.js")


# In place of plotly.js where its package is not installed.
WITHOUT = """const Plotly = { Fx: { unhover() {} }, react(node) { node.on = () => {};
node.textContent = "To explore, pip install 'scaling-study[report]' and report again."; } };
"""


def _part(name: str) -> str:
    return files("analysis.report.page").joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
    """plotly.js as its package ships it; nothing in it may end the element it stands in.

    Where the package is not installed, a line takes the place of each figure to explore.
    """
    if find_spec("plotly") is None:
        return WITHOUT
    text = files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
    return text.replace("</script", "<\\/script")


def write(
    path: Path,
    title: str,
    summary: str,
    sections: Sequence[tuple[str, str, Sequence[str]]],
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write the page: sections of (anchor, heading, HTML parts), interactive where `data` is given.

    `data` is what `content` makes, to be read by the script. Without `axes` there is nothing to
    plot, and plotly.js, a second of a browser's time, stays out.
    """
    now = datetime.now(UTC)
    made = now.isoformat(timespec="seconds")
    links = "".join(f'<a href="#{escape(a)}">{escape(head)}</a>' for a, head, _ in sections if head)
    scripts = ""
    if data is not None:
        scripts = (
            f'<script type="application/json" id="data">{script_json({**data, "made": made})}'
            f"</script><script>{_plotly() if data['axes'] else ''}</script>"
            f'<script>"use strict";\n{{\n{"".join(map(_part, SCRIPTS))}}}\n</script>'
        )
    values = {
        "title": escape(title),
        "summary": escape(summary),
        "made": escape(made),
        "when": f"{now:%Y-%m-%d %H:%M} UTC",
        "style": _part("page.css"),
        "links": links,
        "sections": "".join(section(*s) for s in sections),
        "scripts": scripts,
    }
    replace_file(path, re.sub(r"\{\{(\w+)\}\}", lambda m: values[m[1]], _part("page.html")))
