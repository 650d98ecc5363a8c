"""The live layer itself: two workers, kill and restart, push through the proxy."""

import json

import pytest
from shop import Shop
from websockets.sync.client import connect

from lib.rpc import Lost, RpcError


def test_a_cashier_reads_no_secret(shop: Shop):
    with pytest.raises(RpcError, match="AccessError"):
        shop.cashier.call("viva.account", "search_read", [], ["client_secret"])


def test_killed_and_started_again(shop: Shop):
    shop.crash()
    with pytest.raises(Lost):
        shop.cashier.call("res.users", "read", [shop.cashier.uid], ["login"])
    shop.restart()
    (user,) = shop.cashier.call("res.users", "read", [shop.cashier.uid], ["login"])
    assert user["login"] == "cashier"


def test_the_proxy_joins_http_and_websocket(address: str):
    channel = f"{address}/websocket".replace("http", "ws", 1)
    with connect(channel, origin=address, open_timeout=10) as socket:
        subscribe = {"channels": ["viva-test-channel"], "last": 0}
        socket.send(json.dumps({"event_name": "subscribe", "data": subscribe}))
