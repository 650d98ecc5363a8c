"""Prepared databases: made once, copied for every run.

*Base* holds Odoo with the modules below and demo data (one per Odoo version). *Template* is the base
with this addon, made again whenever something of it changes that lives in the database. *Shop* is the
template with the demo shop.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable

from .common import ROOT, digest, locked, remove, step
from .environment import Environment

BASE_MODULES = ("point_of_sale", "pos_hr", "sale")

# What ends up in the database. Tests and JavaScript do not.
CONTENT = ("models", "wizard", "data", "views", "security", "i18n", "report", "bridges")
SUFFIXES = {".py", ".xml", ".csv", ".sql", ".po", ".pot"}

TEMPLATES_KEPT = 8

DEMO = ROOT / "dev" / "demo.py"


def content_hash() -> str:
    """Changes when the addon (or a bridge) has to be installed anew."""
    files = [ROOT / "__init__.py", ROOT / "__manifest__.py"]
    for folder in CONTENT:
        for path in sorted((ROOT / folder).rglob("*")):
            inner = path.relative_to(ROOT).parts
            if path.suffix in SUFFIXES and not {"tests", "static"} & set(inner):
                files.append(path)
    return digest(*(part for path in files for part in (path.relative_to(ROOT), path.read_bytes())))


def base(env: Environment) -> str:
    """Odoo with demo data, without this addon."""
    name = f"viva_base_{digest(env.source.key, env.venv.name, *BASE_MODULES)}"
    modules = ",".join(BASE_MODULES)
    _prepare(
        env,
        name,
        "base database with demo data",
        lambda: env.odoo("-d", name, "--with-demo", "-i", modules, "--stop-after-init"),
    )
    return name


def template(env: Environment) -> str:
    """A database with this addon (and its bridges) installed, ready to be copied."""
    below = base(env)
    name = f"viva_template_{digest(below, content_hash())}"

    def make() -> None:
        copy(env, below, name)
        env.odoo("-d", name, "-i", "viva_payments", "--stop-after-init")

    _prepare(env, name, "database with viva_payments", make)
    return name


def shop(env: Environment) -> str:
    """The template with the demo shop of dev/demo.py."""
    below = template(env)
    name = f"{below}_shop_{digest(DEMO.read_bytes())}"

    def make() -> None:
        copy(env, below, name)
        prepare_shop(env, name)

    _prepare(env, name, "database with the demo shop", make)
    return name


def prepare_shop(env: Environment, database: str) -> None:
    """Run dev/demo.py: make what is missing."""
    with open(DEMO) as script:
        env.odoo("shell", "-d", database, stdin=script)


def copy(env: Environment, source: str, target: str) -> None:
    """Copy a database with its attachments (files that never change: hard links)."""
    drop(env, target)
    env.postgres.copy(source, target)
    store = env.data_dir / "filestore"
    for path in (store / source).rglob("*"):
        twin = store / target / path.relative_to(store / source)
        if path.is_dir():
            twin.mkdir(parents=True, exist_ok=True)
        else:
            twin.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, twin)


def drop(env: Environment, name: str) -> None:
    env.postgres.drop(name)
    remove(env.data_dir / "filestore" / name)


@contextlib.contextmanager
def throw_away(env: Environment, purpose: str, source: str):
    """A copy of ``source`` that is dropped at the end; those of killed runs are dropped too."""
    folder = env.data_dir / "in-use"
    folder.mkdir(exist_ok=True)
    name = f"viva_{purpose}_{os.getpid()}"
    with contextlib.ExitStack() as stack:
        with locked("in-use"):
            for path in folder.iterdir():
                with open(path) as handle, contextlib.suppress(BlockingIOError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    drop(env, path.name)
                    path.unlink()
            handle = stack.enter_context(open(folder / name, "w"))
            fcntl.flock(handle, fcntl.LOCK_EX)
        copy(env, source, name)
        try:
            yield name
        finally:
            drop(env, name)
            (folder / name).unlink()


def _prepare(env: Environment, name: str, what: str, make: Callable[[], None]) -> None:
    """Make a database once; nothing half made is left behind."""
    ready = env.data_dir / f"{name}.ready"
    with locked("templates"):
        if not (ready.exists() and env.postgres.exists(name)):
            _forget_old(env)
            drop(env, name)
            with step(what):
                try:
                    make()
                    env.postgres.sql("VACUUM ANALYZE", name)
                except BaseException:
                    drop(env, name)
                    raise
        ready.touch()


def _forget_old(env: Environment) -> None:
    """Keep the databases that were used last; never one of the last hour."""
    files = sorted(env.data_dir.glob("viva_*.ready"), key=lambda path: path.stat().st_mtime)
    for path in files[: -TEMPLATES_KEPT or None]:
        if path.stat().st_mtime < time.time() - 3600:
            drop(env, path.stem)
            path.unlink()
