"""A real Odoo with two workers, a real simulator, real webhooks between them."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the helper modules beside the tests

for helper in ("books", "control", "invariants", "lan", "office", "operations", "shop"):
    pytest.register_assert_rewrite(helper)

from control import Database, Viva  # noqa: E402
from invariants import Watch  # noqa: E402
from lan import HANDHELDS, Handheld, Lan  # noqa: E402
from office import Office  # noqa: E402
from shop import Shop  # noqa: E402

from lib import databases  # noqa: E402
from lib.common import log_dir  # noqa: E402
from lib.environment import Environment, prepare  # noqa: E402
from lib.server import Odoo, Proxy  # noqa: E402

PREPARE = Path(__file__).with_name("prepare_shop.py")


@pytest.fixture(scope="session")
def environment() -> Iterator[Environment]:
    environment = prepare()
    with environment.postgres.running():
        yield environment


@pytest.fixture(scope="session")
def viva(environment: Environment) -> Iterator[Viva]:
    viva = Viva(environment, log_dir() / "live-simulator.log")
    viva.start()
    yield viva
    viva.stop()


@pytest.fixture(scope="session")
def open_shop(
    environment: Environment,
    viva: Viva,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Shop]:
    """The shop of the whole run; its name is ``shop`` in tests."""
    facts = tmp_path_factory.mktemp("shop") / "facts.json"
    template = databases.template(environment)
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(databases.throw_away(environment, "live", template))
        variables = {"LIVE_SIMULATOR": viva.url, "LIVE_FACTS": str(facts)}
        with open(PREPARE) as script:
            environment.odoo(
                *("shell", "-d", name),
                stdin=script,
                env={**environment.variables, **variables},
                log="live-setup.log",
            )
        log = log_dir() / f"{name}.log"
        odoo = Odoo(environment, name, log, workers=2, extra=("--max-cron-threads=1",))
        stack.callback(odoo.kill)  # nothing of it is needed any more
        odoo.start()
        database = Database(environment.variables, name)
        stack.callback(database.close)
        shop = Shop(odoo, viva, database, json.loads(facts.read_text()))
        yield shop
        if not request.session.testsfailed:
            log.unlink()


@pytest.fixture
def shop(open_shop: Shop) -> Iterator[Shop]:
    """The shop in the morning; in the evening money and logs are compared."""
    open_shop.tidy_up()
    watch = Watch(open_shop)
    yield open_shop
    if not open_shop.odoo.process:
        open_shop.restart()
    watch.finish()


@pytest.fixture(scope="session")
def open_office(open_shop: Shop) -> Office:
    """The office of the whole run; its name is ``office`` in tests."""
    return Office(open_shop)


@pytest.fixture
def office(shop: Shop, open_office: Office) -> Office:
    """The office in the morning; in the evening the shop's watch looks into the books as well."""
    open_office.open()
    return open_office


@pytest.fixture
def address(shop: Shop) -> Iterator[str]:
    """Odoo and its websocket under one address, as behind a web server."""
    proxy = Proxy(shop.odoo, log_dir() / "live-proxy.log")
    proxy.start()
    yield proxy.url
    proxy.stop()


@pytest.fixture(scope="session")
def network(open_shop: Shop) -> Iterator[Lan]:
    """The shop's network of the whole run; its name is ``lan`` in tests."""
    network = Lan(open_shop)
    yield network
    network.finish()


@pytest.fixture(scope="module")
def gateway_room(network: Lan) -> Iterator[Lan]:
    """The gateway's program ends with the last test of a file that needs it."""
    yield network
    network.gateway.kill()


@pytest.fixture
def lan(shop: Shop, gateway_room: Lan) -> Iterator[Lan]:
    """Terminals in the shop's network, each reached by the gateway. In the evening it is well again."""
    gateway_room.open()
    yield gateway_room
    gateway_room.close()


@pytest.fixture
def handheld(shop: Shop, network: Lan) -> Handheld:
    """A till that runs on a terminal itself."""
    for viva_id in HANDHELDS:
        shop.viva.control("POST", "terminals", {"terminalId": viva_id})
    return Handheld(shop, HANDHELDS[0])
