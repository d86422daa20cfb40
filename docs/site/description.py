"""A hook of hatchling: the README as an index of packages shows it, its links absolute.

Links of the README are those of files in a checkout, which an index does not have. Where
pyproject.toml names the repository ([project.urls] Repository), they lead there; else their words
remain without a link, and pictures are left out.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!\w+:|#)([^)\s]+)\)")


def absolute(text: str, repository: str, version: str) -> str:
    """The text with links to files as links into a repository on GitHub, at a version's tag."""

    def link(match: re.Match[str]) -> str:
        kind = "raw" if match[1] else "blob"
        return f"{match[1]}[{match[2]}]({repository}/{kind}/v{version}/{match[3]})"

    return LINK.sub(link, text)


def unlinked(text: str) -> str:
    """The text without links to files, and without the pictures in them."""
    return LINK.sub(lambda match: "" if match[1] else match[2], text)


class Description(MetadataHookInterface):
    """What hatchling calls; it finds the class by its kind."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        if repository := metadata.get("urls", {}).get("Repository", ""):
            text = absolute(text, repository.rstrip("/"), metadata["version"])
        else:
            text = unlinked(text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
