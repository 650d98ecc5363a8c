"""Programs that serve HTTP: a real Odoo, the simulator. Each leads a process group of its own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from .common import ROOT, Problem, output
from .environment import Environment
from .rpc import Client

HOST = "127.0.0.1"

# The account of dev/demo.py, and what a shop ticks for it in Viva's portal (viva/webhooks.md).
ACCOUNT = "Viva (simulator)"
EVENTS = [1796, 1797, 1798, 1802, 1803]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def port_is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


class Server(ABC):
    """A child process that counts as started when ``health`` answers 200."""

    name = "server"
    health = "/"

    def __init__(self, port: int, log: Path):
        self.port = port
        self.log = log
        self.url = f"http://{HOST}:{port}"
        self.process: subprocess.Popen | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What to run."""

    def options(self) -> dict:
        """Options of ``subprocess.Popen``."""
        return {}

    def start(self, timeout: float = 90) -> None:
        """Start it and wait until it answers."""
        if port_is_taken(self.port):
            raise Problem(f"{self.name} cannot start: port {self.port} is in use.")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.options(),
            )
        limit = time.monotonic() + timeout
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > limit:
                self.kill()
                raise Problem(f"Starting {self.name} failed; see {self.log}")
            time.sleep(0.1)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + self.health, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self, timeout: float = 10) -> None:
        """Ask it to end; insist after ``timeout`` seconds."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """kill -9 for it and all of its children."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


class Odoo(Server):
    """``workers=0``: one threaded process, everything on one port. With workers the websocket
    listens on ``gevent_port``.
    """

    name = "Odoo"
    health = "/web/health"

    def __init__(
        self,
        environment: Environment,
        database: str,
        log: Path,
        *,
        port: int | None = None,
        workers: int = 0,
        extra: tuple[str, ...] = (),
        variables: dict[str, str] | None = None,
    ):
        super().__init__(port or free_port(), log)
        self.environment = environment
        self.database = database
        self.workers = workers
        self.gevent_port = free_port()
        self.extra = extra
        self.variables = variables or {}

    def command(self) -> list[str]:
        return self.environment.odoo_command(
            f"--database={self.database}",
            f"--db-filter=^{self.database}$",
            f"--http-port={self.port}",
            f"--gevent-port={self.gevent_port}",
            f"--workers={self.workers}",
            *self.extra,
        )

    def answers(self) -> bool:
        """The websocket's worker comes up a little later than the others."""
        return super().answers() and (not self.workers or port_is_taken(self.gevent_port))

    def client(self, login: str, timeout: float = 60) -> Client:
        """Log in; in the demo shop every password equals the login."""
        return Client(self.url, self.database, login, timeout=timeout)

    def options(self) -> dict:
        variables = {**self.environment.variables, **self.variables}
        return {"env": variables, "cwd": self.environment.checkout}


class Simulator(Server):
    name = "the simulator"
    health = "/control/health"

    def __init__(self, environment: Environment, log: Path, *, port: int | None = None):
        super().__init__(port or free_port(), log)
        self.environment = environment

    def command(self) -> list[str]:
        return [str(self.environment.python), "-m", "simulator", "--port", str(self.port)]

    def options(self) -> dict:
        return {"cwd": ROOT}

    def control(self, method: str, path: str, body: dict | None = None) -> Any:
        """One call of the control API: ``control("POST", "settings", {"latency_ms": 150})``."""
        request = urllib.request.Request(
            f"{self.url}/control/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def connect(self, odoo: Odoo) -> None:
        """What an administrator does once: enter the addresses, press *Check*, and give the
        webhook's address to Viva (the simulator forgets it when it stops).
        """
        admin = odoo.client("admin")
        known = ["id", "api_url", "webhook_path"]
        (account,) = admin.call("viva.account", "search_read", [("name", "=", ACCOUNT)], known)
        if account["api_url"] != self.url:
            addresses = dict.fromkeys(("accounts_url", "api_url", "www_url"), self.url)
            admin.call("viva.account", "write", [account["id"]], addresses)
        admin.call("viva.account", "action_check", [account["id"]])
        hook = {"url": f"{odoo.url}/viva/webhook/{account['webhook_path']}", "events": EVENTS}
        answer = self.control("POST", "webhooks", hook)
        if not answer["verified"]:
            raise Problem(f"The simulator could not verify Odoo's webhook: {answer['detail']}")


class Proxy(Server):
    """One address for an Odoo with workers: its websocket has a port of its own."""

    name = "the proxy"
    health = Odoo.health

    def __init__(self, odoo: Odoo, log: Path):
        super().__init__(free_port(), log)
        self.odoo = odoo

    def command(self) -> list[str]:
        ports = (self.port, self.odoo.port, self.odoo.gevent_port)
        return [str(self.odoo.environment.python), "-m", "lib.proxy", *map(str, ports)]

    def options(self) -> dict:
        return {"cwd": ROOT / "dev"}


class Gateway(Server):
    """The gateway program with a folder of its own: identity, journal, what it says about itself.

    It counts as started when Odoo has answered it. ``url`` is Odoo's address for it: with workers that of
    a `Proxy`, for the sake of the websocket. ``die_at`` is a step of its journal at which it dies.
    """

    name = "the gateway"

    def __init__(
        self,
        environment: Environment,
        odoo: Odoo,
        log: Path,
        *,
        url: str = "",
        folder: Path | None = None,
    ):
        super().__init__(0, log)
        self.environment = environment
        self.odoo = odoo
        self.url = url or odoo.url
        self.folder = folder or environment.data_dir / "gateways" / f"{odoo.database}-{log.stem}"
        self.die_at = ""

    # -- pairing ---------------------------------------------------------------------------------

    def pair_and_start(self, name: str, company: str = "") -> int:
        """Run as this gateway of Odoo: made, if there is none, and paired, if it is not. Its id in Odoo."""
        gateway, is_paired = self._find(name, company)
        if is_paired and self.journal.exists():
            try:
                self.start(timeout=20)
                return gateway
            except Problem:  # another database of the same name, a revoked pairing
                self.stop()
        self.pair(name, company)
        self.start()
        return gateway

    def pair(self, name: str, company: str = "") -> int:
        """What an administrator does: press *Pair* in Odoo, type the code into the program. Its id in Odoo."""
        gateway, _is_paired = self._find(name, company)
        code = self._admin().call("viva.gateway", "action_pair", [gateway])["context"]
        self.forget()
        output(*self.words("pair", self.url, code["default_code"]), **self.options())
        return gateway

    def _find(self, name: str, company: str) -> tuple[int, bool]:
        admin = self._admin()
        domain: list = [("name", "=", name)]
        values: dict[str, Any] = {"name": name}
        if company:
            (values["company_id"],) = admin.call("res.company", "search", [("name", "=", company)])
            domain.append(("company_id", "=", values["company_id"]))
        found = admin.call("viva.gateway", "search_read", domain, ["state"])
        if not found:
            return admin.call("viva.gateway", "create", values), False
        return found[0]["id"], found[0]["state"] == "paired"

    def _admin(self) -> Client:
        return self.odoo.client("admin")

    @property
    def journal(self) -> Path:
        return self.folder / "gateway.sqlite"

    def forget(self) -> None:
        """Identity and journal are lost, as with a new disk."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- running ---------------------------------------------------------------------------------

    def words(self, *command: str) -> list[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "gateway.ini"
        # A search for terminals shall not reach into the network of this machine.
        settings = {"odoo": self.url, "state": self.folder, "networks": "127.0.0.1/32"}
        lines = [f"{name} = {value}" for name, value in settings.items()]
        config.write_text("\n".join(["[gateway]", *lines, ""]))
        return [str(self.environment.python), "-m", "gateway", "--config", str(config), *command]

    def command(self) -> list[str]:
        return self.words("run")

    def options(self) -> dict:
        variables = {**os.environ, "PYTHONUNBUFFERED": "1", "VIVA_GATEWAY_DIE_AT": self.die_at}
        return {"cwd": ROOT, "env": variables}

    def told(self) -> dict[str, Any]:
        """What it last wrote down about itself; empty when it is not running."""
        with contextlib.suppress(OSError, ValueError):
            told = json.loads((self.folder / "status.json").read_text())
            if self.process and told.get("running") and told.get("pid") == self.process.pid:
                return told
        return {}

    def answers(self) -> bool:
        told = self.told()
        return bool(told) and not told["trouble"]

    def restart(self, die_at: str = "") -> None:
        """After whatever has ended it, or in an orderly way."""
        self.stop()
        self.die_at = die_at
        self.start()

    def ended(self, timeout: float = 20) -> int:
        """Wait until it ends by itself; its exit code (negative: the signal that killed it)."""
        assert self.process
        return self.process.wait(timeout)
