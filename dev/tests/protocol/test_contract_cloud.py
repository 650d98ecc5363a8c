"""The cloud driver and the simulator keep the contract, and what only the cloud has."""

import pytest
from contract import TerminalDriverContract
from contract_steps import TILL, Way, asked, final, sale
from simulator_process import BROKEN_TERMINAL, MERCHANT, TERMINAL, TERMINAL_2

from drivers import (
    CloudDriver,
    CredentialsError,
    Device,
    Endpoints,
    MemoryTokenStore,
    Pending,
    RequestsTransport,
    ServerFault,
    TerminalDriver,
    TokenSource,
    Unavailable,
    judge,
)


def connect(simulator, transport, secret="sim-secret"):
    hosts = Endpoints(simulator.url, simulator.url, simulator.url)
    client_id = "sim-client.apps.vivapayments.com"
    tokens = TokenSource(transport, hosts.accounts, client_id, secret, MemoryTokenStore())
    return CloudDriver(transport, hosts, tokens, 1.0, start_timeout=1.0, list_timeout=1.0)


@pytest.fixture
def transport():
    transport = RequestsTransport()
    yield transport
    transport.close()


class CloudWay(Way):
    read_paths = ("/ecr/v1/sessions/", "/connect/token")

    def _fault(self, **faults):
        self.simulator.control("POST", "faults", faults)

    def lose_answer(self):
        self._fault(drop_sale_response=1)

    def lose_request(self):
        self._fault(drop_sale_request=1)

    def refuse_once(self):
        self._fault(sale_status=[503])
        return Unavailable

    def break_answer(self, status):
        self._fault(sale_status=[{"status": status, "accepted": True}])

    def break_reads(self):
        self._fault(session_status=[503, 500, 502, 504, 429])
        return Unavailable, ServerFault, ServerFault, ServerFault, Unavailable

    def hide_session(self):
        self._fault(session_404_first_s=0.4)

    def be_silent(self, silent=True):
        self._fault(silent=silent)


class TestCloudDriver(TerminalDriverContract):
    @pytest.fixture
    def connect(self, simulator, transport):
        return lambda: connect(simulator, transport)

    @pytest.fixture
    def way(self, simulator):
        return CloudWay(simulator)

    def test_a_driver_as_typed(self, driver):
        typed: TerminalDriver = driver
        assert typed.capabilities.refuses_repeats and not typed.capabilities.untold

    def test_devices(self, driver):
        devices = {device.terminal_id: device for device in driver.devices()}
        assert set(devices) == {TERMINAL, TERMINAL_2, BROKEN_TERMINAL}
        assert devices[TERMINAL] == Device(TERMINAL, 1, "1234", TERMINAL)
        assert devices[BROKEN_TERMINAL].status_id == 6
        assert driver.devices("9999") == []

    def test_wrong_credentials(self, simulator, transport):
        with pytest.raises(CredentialsError):
            connect(simulator, transport, "wrong").devices()

    def test_webhook_key(self, driver):
        assert driver.webhook_key(MERCHANT, "sim-api-key")
        with pytest.raises(CredentialsError):
            driver.webhook_key(MERCHANT, "wrong")

    def test_the_token_expires_in_the_middle(self, driver, simulator):
        request = sale()
        driver.start(request)
        simulator.control("POST", "faults", {"expire_tokens": True})
        assert isinstance(driver.read(request.session_id), Pending)
        simulator.act("tap")
        final(driver, request)
        simulator.control("POST", "faults", {"expire_tokens": True})
        second = sale(amount=500)
        driver.start(second)
        simulator.act("tap")
        assert judge(asked(driver, second), final(driver, second)).state == "approved"
        assert sorted(self.charges(simulator)) == sorted(
            [(request.session_id, 1999), (second.session_id, 500)]
        )

    def test_one_token_for_many_calls(self, driver, simulator):
        for _ in range(5):
            driver.devices()
        assert len(simulator.control("GET", "requests?path=/connect/token")) == 1

    def test_a_correlation_id_for_the_support(self, driver):
        assert driver.start(sale(cash_register_id=TILL)).correlation_id
