"""./dev/run [--fresh]: Odoo, the simulator, a gateway and a demo shop, until Ctrl-C.

``--fresh`` forgets what was done in the demo shop. Ports: VIVA_HTTP_PORT (8069), VIVA_SIM_PORT (8970) and,
for the terminals of the shop's network, those after it.
"""

import contextlib
import os
import signal
import time

from . import databases
from .common import ROOT, Problem, digest, log_dir, say, step
from .environment import Environment, prepare
from .rpc import RpcError
from .server import HOST, Gateway, Odoo, Simulator, port_is_taken

TERMINAL = "16000010"
GATEWAY, COMPANY = "Shop", "Demo Shop"
SPARE = 65535
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
        gateway = Gateway(environment, odoo, logs / "run-gateway.log")
        for server in (simulator, odoo, gateway):
            stack.callback(server.stop)
        for server in (simulator, odoo):
            with step(f"starting {server.name}"):
                server.start()
        try:
            lan = _switch_on(simulator, odoo)
            simulator.connect(odoo)
            with step(f"starting {gateway.name}"):
                gateway.pair_and_start(GATEWAY, COMPANY)
        except RpcError as error:
            raise Problem(
                f"Odoo refuses the simulator: {error.message}\n./dev/run --fresh makes a new shop."
            ) from error
        (till,) = environment.postgres.sql(TILL, database)
        _show(odoo, simulator, till, lan, time.monotonic() - began)
        with contextlib.suppress(KeyboardInterrupt):
            # The gateway may be killed on purpose: a shop without it has to go on.
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


def _switch_on(simulator: Simulator, odoo: Odoo) -> list[dict]:
    """The terminals of the shop's network, at ports of their own; an administrator confirms their certificates."""
    admin = odoo.client("admin")
    wanted = [("protocol", "in", ("local", "tcp"))]
    known = ["name", "viva_id", "protocol", "lan_port"]
    terminals = admin.call("viva.terminal", "search_read", wanted, known, order="viva_id")
    ports = [simulator.port + number for number, _terminal in enumerate(terminals, 1)]
    for number, terminal in enumerate(terminals):
        if terminal["lan_port"] != ports[number]:  # one may have another's port
            admin.call("viva.terminal", "write", [terminal["id"]], {"lan_port": SPARE - number})
    for terminal, port in zip(terminals, ports, strict=True):
        values = {"terminalId": terminal["viva_id"], "lan": terminal["protocol"], "port": port}
        device = simulator.control("POST", "terminals", values)
        address = {
            "lan_host": device["host"],
            "lan_port": device["port"],
            "certificate_fingerprint": device.get("fingerprint") or False,
        }
        admin.call("viva.terminal", "write", [terminal["id"]], address)
    return terminals


def _show(odoo: Odoo, simulator: Simulator, till: str, lan: list[dict], seconds: float) -> None:
    # Two names of this machine, so that cashier and administrator can be logged in side by side.
    shop, office = f"http://localhost:{odoo.port}", f"http://{HOST}:{odoo.port}"
    say(f"""
Ready after {seconds:.0f} s. Nothing here moves money.

  Till              {shop}/pos/ui/{till}    log in as cashier, password cashier
  Back office       {office}/odoo    log in as admin, password admin (or as manager, password manager)
  Invoices          {office}/odoo/customer-invoices    log in as billing, password billing (or accountant, accountant)
  Virtual terminal  {simulator.url}/terminal/{TERMINAL}
  All terminals     {simulator.url}/    {", ".join(f"{one['name']} ({one['protocol']})" for one in lan)} through the gateway

Sell something, choose Card (Viva.com) and the terminal "Counter", then tap the card on the virtual terminal.
Or open an invoice, Pay, and choose the payment method Viva terminal.
With a phone, or a browser that plays one, the till also pays in the app. Logs: {log_dir()}
Ctrl-C stops everything.""")
