"""Where the tools that run on node are: what `npm install --global` put there, NODE_PATH, or node_modules beside us."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def needs(package: str) -> Path:
    """The folder of an npm package. Skips the test, with what is missing, where it is not installed."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    for folder in [*os.environ.get("NODE_PATH", "").split(os.pathsep), str(ROOT / "node_modules"), _global()]:
        found = Path(folder) / package
        if folder and (found / "package.json").exists():
            return found
    pytest.skip(f"npm's {package} is not installed (npm install --global {package})")


def _global() -> str:
    if shutil.which("npm") is None:
        return ""
    said = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, timeout=60)
    return said.stdout.strip()
