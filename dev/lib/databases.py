"""Prepared databases: made once, copied for every run.

*Base* holds Odoo with the modules below and demo data (one per Odoo version). *Template* is the base
with this addon, made again whenever something of it changes that lives in the database.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from .common import ROOT, digest, locked, remove, step
from .environment import Environment

BASE_MODULES = ("point_of_sale", "pos_hr")

# What ends up in the database. Tests and JavaScript do not.
CONTENT = ("models", "wizard", "data", "views", "security", "i18n", "report", "bridges")
SUFFIXES = {".py", ".xml", ".csv", ".sql", ".po", ".pot"}

TEMPLATES_KEPT = 4


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
    name = f"viva_base_{digest(env.source.key, env.venv.name, *BASE_MODULES)}"
    with locked("templates"):
        if not _ready(env, name):
            with step("base database with the demo shops"), _making(env, name):
                env.odoo(
                    "-d", name, "--with-demo", "-i", ",".join(BASE_MODULES), "--stop-after-init"
                )
    return name


def template(env: Environment) -> str:
    """The name of a database with this addon (and its bridges) installed, ready to be copied."""
    below = base(env)
    name = f"viva_template_{digest(below, content_hash())}"
    with locked("templates"):
        if not _ready(env, name):
            _forget_old(env)
            with step("database with viva_payments"), _making(env, name):
                copy(env, below, name)
                env.odoo("-d", name, "-i", "viva_payments", "--stop-after-init")
        _used(env, name).touch()
    return name


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
def throw_away(env: Environment, purpose: str):
    """A copy of the template that is dropped at the end; those of killed runs are dropped too."""
    source = template(env)
    folder = env.data_dir / "in-use"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        with open(path) as handle, contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            drop(env, path.name)
            path.unlink()
    name = f"viva_{purpose}_{os.getpid()}"
    with open(folder / name, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        copy(env, source, name)
        try:
            yield name
        finally:
            drop(env, name)
            (folder / name).unlink()


def _used(env: Environment, name: str) -> Path:
    """A file that stands for a finished template; its time tells when it was used last."""
    return env.data_dir / f"{name}.ready"


def _ready(env: Environment, name: str) -> bool:
    if _used(env, name).exists() and env.postgres.exists(name):
        return True
    drop(env, name)
    return False


@contextlib.contextmanager
def _making(env: Environment, name: str):
    """Nothing half made is left behind."""
    try:
        yield
        env.postgres.sql("VACUUM ANALYZE", name)
        _used(env, name).touch()
    except BaseException:
        drop(env, name)
        raise


def _forget_old(env: Environment) -> None:
    """Keep the templates that were used last; never one of the last hour."""
    files = sorted(
        env.data_dir.glob("viva_template_*.ready"), key=lambda path: path.stat().st_mtime
    )
    for path in files[: -TEMPLATES_KEPT or None]:
        if path.stat().st_mtime < time.time() - 3600:
            drop(env, path.stem)
            path.unlink()
