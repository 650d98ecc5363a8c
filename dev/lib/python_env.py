"""The Python packages of dev/requirements.lock in a virtual environment of the state folder."""

import importlib.util
import os
import sys
from pathlib import Path

from . import debian
from .common import LOCK, Problem, lock_hash, locked, remove, run, state_dir, step


def get() -> Path:
    """The virtual environment for this lock file and this Python; made the first time."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        raise Problem(
            "Odoo 19 needs Python 3.10 to 3.13; this one is %d.%d." % sys.version_info[:2]
        )
    venv = state_dir() / f"venv-{lock_hash()}"
    ready = venv / ".ready"
    with locked("setup"):
        if not ready.exists():
            remove(venv)
            with step("Python packages"):
                _make(venv)
            ready.touch()
    return venv


def _make(venv: Path) -> None:
    python = venv / "bin" / "python"
    env = dict(os.environ)
    if importlib.util.find_spec("ensurepip"):
        run(sys.executable, "-m", "venv", venv)
    else:
        # Debian's bare python3 has no pip: run it from Debian's wheel.
        run(sys.executable, "-m", "venv", "--without-pip", venv)
        debian.unpack(debian.STABLE, ["python3-pip-whl"], venv / "pip")
        wheel = next((venv / "pip").rglob("pip-*.whl"))
        env["PYTHONPATH"] = str(wheel)
    run(python, "-m", "pip", "install", "--no-deps", "-r", LOCK, env=env)


def tool(venv: Path, name: str) -> Path:
    return venv / "bin" / name


def site_packages(venv: Path) -> Path:
    return next((venv / "lib").glob("python3*")) / "site-packages"
