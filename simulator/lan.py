"""What the LAN servers of terminals have in common: an address of their own, a certificate, options.

``POST /control/terminals {"terminalId": "16000030", "lan": "local" | "tcp", …}`` gives a terminal such a server and answers
where it listens: ``lan`` (the protocol), ``host``, ``port``, ``scheme`` (https, http, tcp), ``fingerprint`` (SHA-256 of the
certificate, lower case hex; empty without TLS), ``platform``. Further fields: ``port`` (0: a free one), ``scheme``
(local only, default https), ``platform`` (tcp only: ``prolin``, the default, or ``paydroid``), ``host`` (default: where the
simulator listens). A terminal that exists already keeps its memory and gets a (new) server; ``"lan": null`` takes it away.

``GET /control/terminals/{id}/lan`` shows address, options and what was asked (``sessions``, each with what was ``sent``).
``POST /control/terminals/{id}/lan {option: value, …}`` sets options; those of both protocols:

==================  ======================================================================================================
``listening``       false: nothing listens at the address any more (switched off, cable pulled); true: again, same port
``auto``            what the customer does by himself, like the setting ``auto``, for this terminal's LAN requests only
``refusals``        ``{amount in minor units: event id}``: ends so when the card is there
``offline``         true: sales are approved by the device alone (store and forward). The money is in no book until
                    ``sync_offline`` or until the terminal is plugged in
``swap``            a terminal id: another device has taken this address. It answers with that id, has another certificate,
                    and knows no session of before; what it charges is on that id. ``""``: the right one is back
``restart``         (order) true: the app on the device starts again, see the protocols
``sync_offline``    (order) true: what was approved without network reaches the acquirer now
``new_certificate`` (order) true: the device makes itself a new certificate; else it keeps one, over ``reset`` too
==================  ======================================================================================================
"""

from __future__ import annotations

import datetime
import hashlib
import socket
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .session import Session

if TYPE_CHECKING:
    from .terminal import Terminal

ORDERS = ("restart", "sync_offline", "new_certificate")


@dataclass
class Options:
    """The options of both protocols."""

    listening: bool = True
    auto: dict[str, Any] | None = None
    refusals: dict[int, int] = field(default_factory=dict)
    offline: bool = False
    swap: str = ""

    def update(self, values: Mapping[str, Any]) -> None:
        """Merge ``values``; :raises ValueError: for a name that does not exist."""
        known = {item.name for item in fields(self)}
        for name in values:
            if name not in known and name not in ORDERS:
                raise ValueError(f"There is no option {name!r}.")
        for name in known & set(values):
            value = values[name]
            if name == "refusals":
                value = {int(amount): int(event_id) for amount, event_id in value.items()}
            setattr(self, name, value)


class Certificate:
    """Self-signed, made anew, as the device's app does it."""

    def __init__(self, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=3650))
            .sign(key, hashes.SHA256())
        )
        self.fingerprint = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "device.pem"
            file.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
                + made.public_bytes(serialization.Encoding.PEM)
            )
            self.context.load_cert_chain(file)


class Lan:
    """A server that belongs to one terminal."""

    protocol = ""
    options: Options

    def __init__(self, terminal: Terminal, host: str, port: int, scheme: str) -> None:
        self.terminal = terminal
        self.world = terminal.world
        self.host = host
        self.port = port
        self.scheme = scheme
        self.certificate = self._own() if scheme == "https" else None
        self._listener: socket.socket | None = None

    def _own(self, *, new: bool = False) -> Certificate:
        """The device's certificate. It outlives a reset, as a device keeps it."""
        known = self.world.certificates
        name = self.terminal.terminal_id
        if new or name not in known:
            known[name] = Certificate(name)
        return known[name]

    # -- what the protocols do ---------------------------------------------------------------------------------------

    async def _serve(self, listener: socket.socket) -> None:
        """Accept connections from now on."""
        raise NotImplementedError

    def _stop(self) -> None:
        """Accept no more, and end all connections at once."""
        raise NotImplementedError

    def _forget(self) -> None:
        """The device loses its memory of requests."""
        raise NotImplementedError

    def asked(self) -> list[dict[str, Any]]:
        """What was asked of the device, for the control API."""
        raise NotImplementedError

    # -- listening ---------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Listen; :raises ValueError: when the port is taken"""
        if self._listener is not None:
            return
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            listener.bind((self.host, self.port))
        except OSError as error:
            listener.close()
            raise ValueError(
                f"Nothing can listen on {self.host}:{self.port}: {error.strerror}."
            ) from error
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        await self._serve(listener)

    def close(self) -> None:
        if self._listener is not None:
            self._listener = None
            self._stop()

    async def _reopen(self) -> None:
        self.close()
        if self.options.listening:
            await self.open()

    @property
    def tid(self) -> str:
        """The terminal id that answers at this address."""
        return self.options.swap or self.terminal.terminal_id

    # -- the control API ---------------------------------------------------------------------------------------------

    async def update(self, values: Mapping[str, Any]) -> None:
        swap = self.options.swap
        self.options.update(values)
        if self.options.swap != swap:
            self._forget()
            await self._change_certificate()
        if values.get("restart"):
            self.terminal.lose()
            self._forget()
        if values.get("sync_offline"):
            self.terminal.forward()
        if values.get("new_certificate"):
            await self._change_certificate(new=True)
        if self.options.listening != (self._listener is not None):
            await self._reopen()
        self.world.touch()

    async def _change_certificate(self, *, new: bool = False) -> None:
        if self.certificate is not None:
            swapped = self.options.swap
            self.certificate = Certificate(swapped) if swapped else self._own(new=new)
            await self._reopen()

    def address(self) -> dict[str, Any]:
        return {
            "lan": self.protocol,
            "host": self.host,
            "port": self.port,
            "scheme": self.scheme,
            "fingerprint": self.certificate.fingerprint if self.certificate else "",
            "platform": getattr(self.options, "platform", ""),
            "listening": self._listener is not None,
            "answersAs": self.tid,
        }

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.address(),
            "terminalId": self.terminal.terminal_id,
            "stored": len(self.terminal.stored),
            "options": asdict(self.options),
            "sessions": self.asked(),
        }

    # -- for the protocols -------------------------------------------------------------------------------------------

    def note(self, method: str, path: str) -> dict[str, Any]:
        """An entry in the log of requests; the caller fills in ``status`` and ``ms``."""
        entry: dict[str, Any] = {
            "method": method,
            "path": f"/lan/{self.terminal.terminal_id}{path}",
            "query": "",
            "status": None,
            "ms": None,
            "at": self.world.clock.time(),
        }
        self.world.requests.append(entry)
        return entry

    def begin(self, session: Session) -> bool:
        """Show a request on the terminal and remember it; False when the terminal is busy."""
        session.tid = self.options.swap or None
        if session.refusal is None:
            session.refusal = self.options.refusals.get(session.amount)
        if not self.terminal.take(session):
            return False
        self.world.lan_sessions.append(session)
        self.world.touch()
        return True
