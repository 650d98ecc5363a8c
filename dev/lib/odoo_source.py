"""Where Odoo 19 comes from: ``ODOO_SRC``, else Debian's package in the state folder."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from . import debian
from .common import Problem, digest, locked, remove, state_dir, step

# From Debian 13: fonts-font-awesome must be 4.7, and sid has 7.
COMPANIONS = [
    "fonts-font-awesome",
    "fonts-inconsolata",
    "fonts-montserrat",
    "fonts-ocr-b",
    "fonts-roboto-unhinted",
    "libjs-jquery",
    "libjs-jquery-form",
    "libjs-underscore",
]

# Left out of Debian's package, but named by the back office's bundle.
MISSING = "mail/static/lib/selfie_segmentation/selfie_segmentation.js"

START_SCRIPT = "import odoo.cli\n\nif __name__ == '__main__':\n    odoo.cli.main()\n"


@dataclass(frozen=True)
class OdooSource:
    """``python_path`` goes to PYTHONPATH; ``script`` starts Odoo (workers need a real script)."""

    python_path: Path
    script: Path
    addons: tuple[Path, ...]
    version: str

    @property
    def key(self) -> str:
        return digest(self.python_path, self.version)

    @property
    def standard_addons(self) -> Path:
        """The folder that holds point_of_sale."""
        return (*self.addons, self.python_path / "odoo" / "addons")[0]


def get() -> OdooSource:
    """Odoo 19; downloads and unpacks it the first time."""
    given = os.environ.get("ODOO_SRC")
    return _given(Path(given).absolute()) if given else _debian()


def _series(python_path: Path) -> str:
    release = python_path / "odoo" / "release.py"
    found = re.search(r"^version_info = \((\d+), (\d+)", release.read_text(), re.MULTILINE)
    return f"{found[1]}.{found[2]}" if found else "unknown"


def _given(folder: Path) -> OdooSource:
    for python_path in (folder, folder / "usr/lib/python3/dist-packages"):
        if (python_path / "odoo" / "release.py").is_file():
            break
    else:
        raise Problem(f"ODOO_SRC={folder} holds no Odoo: odoo/release.py is not there.")
    series = _series(python_path)
    if series != "19.0":
        raise Problem(f"ODOO_SRC={folder} is Odoo {series}; this addon needs 19.0.")
    script = python_path / "odoo-bin"
    if not script.is_file():
        script = state_dir() / "odoo-start"
        script.write_text(START_SCRIPT)
    addons = [path for path in (python_path / "addons",) if (path / "point_of_sale").is_dir()]
    return OdooSource(python_path, script, tuple(addons), series)


def _debian() -> OdooSource:
    home = state_dir() / "odoo"
    with locked("setup"):
        current = home / "current"
        if not current.exists():
            _download(home, current)
        folder = current.resolve()
    python_path = folder / "usr/lib/python3/dist-packages"
    return OdooSource(python_path, folder / "usr/bin/odoo", (), folder.name)


def _download(home: Path, current: Path) -> None:
    home.mkdir(exist_ok=True)
    target = home / "unpacking"
    remove(target)
    with step("Odoo 19 (Debian's package, 123 MB)"):
        version = debian.unpack("sid", ["odoo-19"], target)["odoo-19"]
    with step("fonts and scripts that it links to"):
        debian.unpack(debian.STABLE, COMPANIONS, target)
    python_path = target / "usr/lib/python3/dist-packages"
    if _series(python_path) != "19.0":
        raise Problem(f"Debian's odoo-19 is version {version}; this addon needs 19.0.")
    missing = python_path / "odoo/addons" / MISSING
    missing.parent.mkdir(parents=True, exist_ok=True)
    missing.touch()
    final = home / version
    remove(final)
    target.rename(final)
    current.symlink_to(final.name)
