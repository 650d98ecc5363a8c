"""./dev/run [--fresh]: Odoo, the simulator and a demo shop, until Ctrl-C.

``--fresh`` forgets what was done in the demo shop. Ports: VIVA_HTTP_PORT (8069), VIVA_SIM_PORT (8970).
"""

import contextlib
import os
import signal
import time

from . import databases
from .common import ROOT, Problem, digest, log_dir, say, step
from .environment import Environment, prepare
from .rpc import RpcError
from .server import HOST, Odoo, Simulator, port_is_taken

TERMINAL = "16000010"
TILL = "SELECT id FROM pos_config WHERE name = 'Demo Shop'"


def main(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        say(__doc__)
        return 0
    began = time.monotonic()
    ports = {name: _port(name) for name in ("VIVA_HTTP_PORT", "VIVA_SIM_PORT")}
    for number in (signal.SIGINT, signal.SIGTERM):  # a script's "&" leaves SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    environment = prepare()
    with environment.postgres.running(), contextlib.ExitStack() as stack:
        database = _database(environment, fresh="--fresh" in arguments)
        logs = log_dir()
        simulator = Simulator(environment, logs / "run-simulator.log", port=ports["VIVA_SIM_PORT"])
        odoo = Odoo(environment, database, logs / "run-odoo.log", port=ports["VIVA_HTTP_PORT"])
        for server in (simulator, odoo):
            stack.callback(server.stop)
            with step(f"starting {server.name}"):
                server.start()
        try:
            simulator.connect(odoo)
        except RpcError as error:
            raise Problem(
                f"Odoo refuses the simulator: {error.message}\n./dev/run --fresh makes a new shop."
            ) from error
        (till,) = environment.postgres.sql(TILL, database)
        _show(odoo, simulator, till, time.monotonic() - began)
        with contextlib.suppress(KeyboardInterrupt):
            while all(server.process.poll() is None for server in (simulator, odoo)):
                time.sleep(0.5)
            raise Problem(f"Something ended by itself; see the logs in {logs}.")
        say("\nStopping.")
    return 0


def _port(variable: str) -> int:
    port = int(os.environ.get(variable, {"VIVA_HTTP_PORT": 8069, "VIVA_SIM_PORT": 8970}[variable]))
    if port_is_taken(port):
        raise Problem(
            f"Port {port} is in use, perhaps by another ./dev/run. "
            f"Stop that program, or choose another port with {variable}."
        )
    return port


def _database(environment: Environment, fresh: bool) -> str:
    """The database of this checkout's demo shop; it keeps what people did in it."""
    source = databases.shop(environment)
    name = f"viva_run_{digest(ROOT)}"
    note = environment.data_dir / f"{name}.made-from"
    if fresh or not note.exists() or not environment.postgres.exists(name):
        with step("demo shop"):
            note.unlink(missing_ok=True)
            databases.copy(environment, source, name)
    elif note.read_text() != source:
        with step("updating the demo shop (./dev/run --fresh makes a new one)"):
            environment.odoo("-d", name, "-u", "viva_payments", "--stop-after-init")
            databases.prepare_shop(environment, name)
    note.write_text(source)
    return name


def _show(odoo: Odoo, simulator: Simulator, till: str, seconds: float) -> None:
    # Two names of this machine, so that cashier and administrator can be logged in side by side.
    shop, office = f"http://localhost:{odoo.port}", f"http://{HOST}:{odoo.port}"
    say(f"""
Ready after {seconds:.0f} s. Nothing here moves money.

  Till              {shop}/pos/ui/{till}    log in as cashier, password cashier
  Back office       {office}/odoo    log in as admin, password admin
  Virtual terminal  {simulator.url}/terminal/{TERMINAL}

Sell something, choose Card (Viva.com) and the terminal "Counter", then tap the card on the virtual terminal.
A manager for forced payments: manager, password manager. Logs: {log_dir()}
Ctrl-C stops everything.""")
