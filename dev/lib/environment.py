"""Everything that a run needs, installed and described in one place."""

import os
from dataclasses import dataclass
from pathlib import Path

from . import odoo_source, python_env
from .common import ROOT, digest, run, state_dir
from .odoo_source import OdooSource
from .postgres import Postgres


@dataclass(frozen=True)
class Environment:
    source: OdooSource
    venv: Path
    postgres: Postgres

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def data_dir(self) -> Path:
        """Odoo's data_dir: attachments and sessions."""
        path = state_dir() / f"data-{self.postgres.key}"
        path.mkdir(exist_ok=True)
        return path

    @property
    def checkout(self) -> Path:
        """What belongs to this checkout: links and configuration."""
        path = state_dir() / "checkouts" / digest(ROOT)
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def addon(self) -> Path:
        """The checkout under the addon's name: Odoo and pytest take the name from the folder."""
        link = self.checkout / "addons" / "viva_payments"
        if not link.is_symlink():
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(ROOT)
        return link

    @property
    def addons_path(self) -> list[Path]:
        paths = [*self.source.addons, self.addon.parent]
        if any((ROOT / "bridges").glob("*/__manifest__.py")):
            paths.append(self.bridges)
        return paths

    @property
    def bridges(self) -> Path:
        """The bridges under a path without a package above it: ROOT itself is one."""
        link = self.checkout / "bridges"
        if not link.is_symlink():
            link.symlink_to(ROOT / "bridges")
        return link

    @property
    def config(self) -> Path:
        """Odoo's configuration file; the database server comes from the environment."""
        path = self.checkout / f"odoo-{self.postgres.key}.conf"
        values = {
            "addons_path": ",".join(map(str, self.addons_path)),
            "data_dir": self.data_dir,
            "admin_passwd": "admin",
            "list_db": "False",
            "http_interface": "127.0.0.1",
        }
        text = "".join(f"{name} = {value}\n" for name, value in values.items())
        text = f"[options]\n{text}"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every program that works with Odoo."""
        search = os.pathsep.join(
            [str(self.venv / "bin"), str(self.postgres.bin), os.environ.get("PATH", os.defpath)]
        )
        return {
            **os.environ,
            **self.postgres.env,
            "PATH": search,
            "PYTHONPATH": str(self.source.python_path),
            "PYTHONUNBUFFERED": "1",
            "ODOO_RC": str(self.config),
        }

    def odoo_command(self, *words: object) -> list[str]:
        """Odoo's start script with the environment's Python, for ``subprocess``."""
        return [str(self.python), str(self.source.script), *map(str, words)]

    def odoo(self, *words: object, **options) -> None:
        """Run Odoo to its end, quietly."""
        options = {"log": "odoo-setup.log", "env": self.variables, "cwd": self.checkout, **options}
        run(*self.odoo_command(*words), **options)


def prepare() -> Environment:
    """Install what is missing. PostgreSQL is not started yet."""
    source = odoo_source.get()
    venv = python_env.get()
    return Environment(source, venv, Postgres(venv))
