"""A program that answers as macOS's sysctl does."""

import os
from pathlib import Path

import pytest


def answer_sysctl(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a sysctl that says `text` first on the path."""
    program = folder / "sysctl"
    program.write_text(f"#!/bin/sh\necho '{text}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
