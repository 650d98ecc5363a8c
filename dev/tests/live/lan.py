"""Terminals that Odoo does not reach through Viva's cloud: those of the shop's own network, with the gateway that
speaks to them, and the till that runs on a terminal itself, with the app beside it.
"""

import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from control import until
from shop import OPEN, Card, Order, Shop, Till

from lib.common import log_dir
from lib.server import Gateway, Proxy, free_port

NAME = "Shop"
SECOND = "Second"


@dataclass(frozen=True)
class Device:
    """A terminal on the LAN."""

    viva_id: str
    protocol: str
    model: str
    scheme: str = "https"
    platform: str = ""

    @property
    def simulated(self) -> dict[str, Any]:
        more = {"scheme": self.scheme} if self.protocol == "local" else {"platform": self.platform}
        return {"terminalId": self.viva_id, "lan": self.protocol, **more}


HTTPS = Device("17000101", "local", "a920_pro")
HTTP = Device("17000102", "local", "cs50c", scheme="http")
PROLIN = Device("17000103", "tcp", "s900", platform="prolin")
PAYDROID = Device("17000104", "tcp", "other", platform="paydroid")
DEVICES = (HTTPS, HTTP, PROLIN, PAYDROID)
# Six more, for ten at once.
MORE = (
    *(Device(f"1700011{number}", "local", "cs50c", scheme="http") for number in range(3)),
    *(Device(f"1700012{number}", "tcp", "s900", platform="prolin") for number in range(3)),
)
# Tills also run on these, which the cloud reaches as well.
HANDHELDS = ("17000201", "17000202")


class Lan:
    """The shop's network. Everything in it exists once per run; the gateway's program runs while a test needs it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.viva = shop.viva
        self.database = shop.database
        self.fingerprints: dict[str, str] = {}
        self.ports = {device.viva_id: free_port() for device in (*DEVICES, *MORE)}
        self.proxy = Proxy(shop.odoo, log_dir() / "live-gateway-proxy.log")
        self.proxy.start()
        self.gateway = self.new_gateway("live-gateway")
        self.gateway.forget()
        self.id = self.gateway.pair(NAME, shop.company)
        self._set_up()

    def new_gateway(self, name: str) -> Gateway:
        """Another program, on a machine of its own."""
        log = log_dir() / f"{name}.log"
        log.unlink(missing_ok=True)
        return Gateway(self.shop.odoo.environment, self.shop.odoo, log, url=self.proxy.url)

    def _set_up(self) -> None:
        """What an administrator enters once."""
        admin, shop = self.shop.admin, self.shop
        models = admin.call("viva.terminal.model", "search_read", [], ["code"])
        model_ids = {model["code"]: model["id"] for model in models}
        common = {"account_id": shop.facts["accounts"][0]}
        for device in (*DEVICES, *MORE):
            values = {
                **common,
                "name": f"{device.protocol} {device.viva_id}",
                "viva_id": device.viva_id,
                "model_id": model_ids[device.model],
                "protocol": device.protocol,
                "gateway_id": self.id,
                "lan_scheme": device.scheme,
                "lan_host": "127.0.0.1",
                "lan_port": self.ports[device.viva_id],
            }
            shop.terminal_ids[device.viva_id] = admin.call("viva.terminal", "create", values)
        for viva_id in HANDHELDS:
            values = {
                **common,
                "name": f"Handheld {viva_id}",
                "viva_id": viva_id,
                "model_id": model_ids["a920_pro"],
                "allow_app": True,
            }
            shop.terminal_ids[viva_id] = admin.call("viva.terminal", "create", values)
        method = shop.facts["card_method"]
        ids = [(6, 0, list(shop.terminal_ids.values()))]
        admin.call("pos.payment.method", "write", [method], {"viva_terminal_ids": ids})

    # -- from test to test -----------------------------------------------------------------------

    def open(self, *devices: Device) -> None:
        """The devices are switched on, and the gateway runs, is heard and sees the certificate that Odoo knows."""
        for viva_id in HANDHELDS:
            self.viva.control("POST", "terminals", {"terminalId": viva_id})
        for device in devices or DEVICES:
            port = self.ports[device.viva_id]
            device_at = self.viva.control("POST", "terminals", {**device.simulated, "port": port})
            if device_at["fingerprint"]:
                self._confirm(device, device_at["fingerprint"])
        if not self.gateway.answers():
            self.gateway.kill()
            self.gateway.pair_and_start(NAME, self.shop.company)
        until(self.sees_certificates, 20, "for the certificates")

    def _confirm(self, device: Device, fingerprint: str) -> None:
        """A person compares the fingerprint with what the terminal shows."""
        if self.fingerprints.get(device.viva_id) != fingerprint:
            self.fingerprints[device.viva_id] = fingerprint
            ids = [self.shop.terminal_ids[device.viva_id]]
            values = {"certificate_fingerprint": fingerprint}
            self.shop.admin.call("viva.terminal", "write", ids, values)

    def sees_certificates(self) -> bool:
        """Whether the gateway has told Odoo of the certificates that Odoo knows, and is connected."""
        different = self.database.run(
            """SELECT 1 FROM viva_terminal t LEFT JOIN viva_gateway_sight s ON s.terminal_id = t.id
                WHERE t.certificate_fingerprint IS NOT NULL
                  AND s.fingerprint IS DISTINCT FROM t.certificate_fingerprint"""
        )
        return not different and self.heard_s() < 30

    def heard_s(self, gateway: int = 0) -> float:
        """Seconds since Odoo has heard of the gateway."""
        (row,) = self.database.run(
            """SELECT coalesce(extract(epoch FROM now() AT TIME ZONE 'UTC' - seen_at), 1e9)::float AS seconds
                 FROM viva_gateway_link WHERE gateway_id = %s""",
            gateway or self.id,
        )
        return row["seconds"]

    def close(self) -> None:
        """Everything is well again, and everything has been told."""
        for device in (*DEVICES, *MORE):
            if any(one["terminalId"] == device.viva_id and one.get("lan") for one in self.all()):
                self.set(device, listening=True, swap="")
        stuck = not self.gateway.answers() or any(
            terminal["busy"] for terminal in self.gateway.told()["terminals"]
        )
        misled = self.database.run(
            """SELECT s.id FROM viva_gateway_sight s JOIN viva_terminal t ON t.id = s.terminal_id
                WHERE s.tid <> t.viva_id"""
        )
        if stuck or misled:
            self.gateway.kill()
            self.database.run("DELETE FROM viva_gateway_sight")
            self.gateway.die_at = ""
            self.gateway.pair_and_start(NAME, self.shop.company)

    def all(self) -> list[dict[str, Any]]:
        return self.viva.control("GET", "terminals")

    def finish(self) -> None:
        """The end of the run."""
        self.gateway.kill()
        self.gateway.forget()
        self.proxy.stop()

    # -- what happens ----------------------------------------------------------------------------

    def set(self, device: Device, **options: Any) -> dict[str, Any]:
        """Options of the device's server, see `simulator/lan.py`."""
        return self.viva.control("POST", f"terminals/{device.viva_id}/lan", options)

    def asked(self, device: Device) -> list[dict[str, Any]]:
        """The requests that have arrived at the device."""
        return self.viva.control("GET", f"terminals/{device.viva_id}/lan")["sessions"]

    def charge(self, device: Device, till: Till | None = None) -> Card:
        """A new order, and the press of its card button."""
        card = (till or self.shop.till).order().charge(device.viva_id)
        assert card.status["state"] in ("sent", "pending"), card.status["message"]
        return card

    def refused(self, device: Device, till: Till | None = None) -> str:
        """The same, where it must not work; why it does not."""
        status = (till or self.shop.till).order().charge(device.viva_id).status
        assert status["state"] == "refused", status
        assert status["message"]
        return status["reason"]

    def shown(self, viva_id: str) -> None:
        """Wait until the terminal shows a request."""

        def shows() -> bool:
            return any(
                one["terminalId"] == viva_id and one["state"] != "idle" for one in self.all()
            )

        until(shows, 30, f"for terminal {viva_id}")

    def pay(self, card: Card, seconds: float = 30) -> Card:
        """Send it, and the customer presents a card."""
        assert card.send()["state"] in ("sent", "pending"), card.status["message"]
        until(lambda: card.check()["state"] != "sent", seconds)
        assert card.status["state"] == "pending", card.status["message"]
        self.viva.act("tap", card.terminal)
        card.until("approved", seconds=seconds)
        return card

    def settle(self, *cards: Card) -> None:
        """Time passes until Viva's list has told what it can about them."""
        for _round in range(3):
            unsettled = [card for card in cards if _is_open(card)]
            if not unsettled:
                return
            for card in unsettled:
                card.later(200)
            self.shop.run_job()

    def confirmed(self, *cards: Card) -> None:
        """The same, and it has confirmed what the gateway has said."""
        self.settle(*cards)
        for card in cards:
            row = card.row()
            assert (row["state"], row["word"]) == ("approved", "viva"), row["name"]

    def look_again(self) -> None:
        """The right devices are back: an administrator presses *Look again* on each terminal."""
        for device in DEVICES:
            ids = [self.shop.terminal_ids[device.viva_id]]
            self.shop.admin.call("viva.terminal", "action_look_again", ids)
        until(self.sees_certificates, 20, "for the certificates")


def _is_open(card: Card) -> bool:
    row = card.row()
    return row["state"] in (*OPEN, "unknown") or row["word"] == "gateway"


class Handheld:
    """A till on the terminal itself: the app is beside the browser."""

    def __init__(self, shop: Shop, viva_id: str, till: Till | None = None) -> None:
        self.shop = shop
        self.viva = shop.viva
        self.viva_id = viva_id
        self.other = next(one for one in HANDHELDS if one != viva_id)
        self.till = till or shop.till

    def press(self, order: Order | None = None, **values: Any) -> Card:
        """A payment line of a new order, not sent yet."""
        return by_app((order or self.till.order()).line(self.viva_id, **values))

    def start(self, card: Card) -> str:
        """Send it; the address of the app that charges."""
        status = card.send()
        assert status["state"] == "pending", status["message"]
        assert bare(status["app"]["uri"]).startswith("vivapayclient://"), status["app"]
        return status["app"]["uri"]

    def open(self, uri: str, action: str = "approve", **options: Any) -> dict[str, Any]:
        """The browser opens the app, and a person does something there. The callback is not opened yet."""
        order = {"uri": bare(uri), "action": action, "terminalId": self.viva_id, **options}
        return self.viva.control("POST", "app/open", order)

    def back(self, callback: str, **replaced: str) -> int:
        """The app opens its callback in the browser; the HTTP status of Odoo's page."""
        for old, new in replaced.items():
            callback = callback.replace(old, new)
        parts = urlsplit(callback)
        address = f"{self.shop.odoo.url}{parts.path}?{parts.query}"
        try:
            with urllib.request.urlopen(address.replace(" ", "%20"), timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def pay(self, card: Card, **options: Any) -> Card:
        """All of it."""
        told = self.open(self.start(card), **options)
        assert told["callback"], told
        assert self.back(told["callback"]) == 200
        card.until("approved", seconds=20)
        return card


def by_app(card: Card) -> Card:
    """The same press, in the app on the till's own device."""
    card.more = {**card.more, "protocol": "app_to_app"}
    return card


def elsewhere(card: Card, terminal: str) -> Card:
    """A new press for the same on another terminal."""
    return replace(card.again(), terminal=terminal, more={})


def bare(uri: str) -> str:
    """What the app is opened with; for a pretended Viva it is wrapped into the address of a page that plays the app."""
    return parse_qs(urlsplit(uri).query)["uri"][0] if uri.startswith("http") else uri
