"""Fixtures for everything that is tested without Odoo."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # the helper modules beside the tests

pytest.register_assert_rewrite("contract", "contract_back", "contract_steps")

from simulator_process import SimulatorProcess  # noqa: E402

settings.register_profile("protocol", deadline=None, database=None, max_examples=150)
settings.load_profile("protocol")
from viva_client import VivaClient  # noqa: E402


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[SimulatorProcess]:
    process = SimulatorProcess()
    yield process
    process.stop()


@pytest.fixture
def simulator(simulator_process: SimulatorProcess) -> SimulatorProcess:
    """The running simulator with nothing in its memory; terminals act without the delays of people."""
    simulator_process.control("POST", "reset")
    simulator_process.control(
        "POST", "settings", {"authorising_ms": 20, "pin_ms": 20, "iris_ms": 20, "abort_ms": 100}
    )
    return simulator_process


@pytest.fixture
def viva(simulator: SimulatorProcess) -> Iterator[VivaClient]:
    """A client with the terminal credentials of the first merchant."""
    client = VivaClient(simulator)
    yield client
    client.http.close()
