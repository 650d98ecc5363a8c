"""The live layer itself: two workers, kill and restart, push through the proxy."""

import json

import pytest
from websockets.sync.client import connect

from lib.rpc import Lost, RpcError


def test_a_cashier_reads_no_secret(cashier):
    with pytest.raises(RpcError, match="AccessError"):
        cashier.call("viva.account", "search_read", [], ["client_secret"])


def test_killed_in_the_middle_and_started_again(odoo, cashier):
    odoo.kill()
    with pytest.raises(Lost):
        cashier.call("res.users", "read", [cashier.uid], ["login"])
    odoo.start()
    (user,) = cashier.call("res.users", "read", [cashier.uid], ["login"])
    assert user["login"] == "cashier"


def test_the_proxy_joins_http_and_websocket(address):
    channel = f"{address}/websocket".replace("http", "ws", 1)
    with connect(channel, origin=address, open_timeout=10) as socket:
        subscribe = {"channels": ["viva-test-channel"], "last": 0}
        socket.send(json.dumps({"event_name": "subscribe", "data": subscribe}))


def test_the_simulator_starts_each_test_with_no_charge(sim):
    assert sim.control("GET", "charges") == []
    assert sim.control("GET", "violations") == []
