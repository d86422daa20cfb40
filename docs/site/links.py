"""A hook of mkdocs: what pages link to outside docs/ becomes part of the site, under source/.

Pages are read in a checkout too, so their links are those of files. A link to a file outside docs/
leads to a page with its text, one to a folder to its README or to a list of its files.
"""

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS, SOURCE = "docs", "source"
LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=(#[^)]*)?\))")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# Code is found where it lies, not by the site's search.
HEAD = "---\nsearch: {exclude: true}\n---\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for everything outside docs/ that a page, or such a page, links to."""
    waiting = [(f"{DOCS}/{f.src_uri}", f.content_string) for f in files.documentation_pages()]
    known = set[str]()
    while waiting:
        origin, text = waiting.pop()
        for target in _targets(text, origin):
            if target in known or target.startswith(f"{DOCS}/"):
                continue
            known.add(target)
            content = _content(target)
            files.append(File.generated(config, _place(target), content=content))
            if target.endswith(".md"):
                waiting.append((target, content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links between files become links between pages."""
    here = page.file.src_uri
    origin = _origin(here)
    start = posixpath.dirname(here) or "."

    def there(match: re.Match[str]) -> str:
        return posixpath.relpath(_place(_target(match[0], origin)), start)

    return "".join(
        part if part.startswith("```") else LINK.sub(there, part)
        for part in re.split(f"({FENCE.pattern})", markdown, flags=FENCE.flags)
    )


def _targets(text: str, origin: str) -> Iterator[str]:
    yield from (_target(match[0], origin) for match in LINK.finditer(FENCE.sub("", text)))


def _target(link: str, origin: str) -> str:
    """Where in the checkout a link of the file `origin` leads; of a folder, its README."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    return f"{path}/README.md" if (ROOT / path / "README.md").is_file() else path


def _place(target: str) -> str:
    """Where the site has it: a page of docs/ where it is, anything else under source/."""
    if target.startswith(f"{DOCS}/"):
        return target.removeprefix(f"{DOCS}/")
    return f"{SOURCE}/{target}" + ("" if target.endswith(".md") else ".md")


def _origin(place: str) -> str:
    """The path in the checkout of what the site has at `place`."""
    if not place.startswith(f"{SOURCE}/"):
        return f"{DOCS}/{place}"
    inside = place.removeprefix(f"{SOURCE}/")
    return inside if (ROOT / inside).exists() else inside.removesuffix(".md")


def _content(target: str) -> str:
    path = ROOT / target
    if path.is_dir():
        names = sorted(p.name + "/" * p.is_dir() for p in path.iterdir() if p.name[0] not in "._")
        return "\n".join([f"{HEAD}# {target}\n", *(f"- `{name}`" for name in names)])
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return HEAD + text
    if path.suffix == ".ipynb":
        return HEAD + "\n\n".join(map(_cell, json.loads(text)["cells"]))
    language = {".py": "python", ".yaml": "yaml"}.get(path.suffix, "text")
    return f"{HEAD}# {target}\n\n``````{language}\n{text}\n``````\n"


def _cell(cell: dict[str, Any]) -> str:
    """A cell of a notebook with what it shows."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    return "\n\n".join([f"```python\n{source}\n```", *map(_output, cell["outputs"])])


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f"![a figure](data:image/png;base64,{data['image/png']})"
    return f"```text\n{output.get('text') or data['text/plain']}\n```"
