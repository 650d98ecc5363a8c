"""The signed call to Odoo: what we have to tell goes there, what is to be done comes back.

Every call has a number that is used once and is on the disk before it leaves. (Only a call that
never connected leaves its number to the next one.) Odoo signs its
answer together with that number, so that an old answer, or one to another gateway, is none.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .config import Config
from .http import Answer, NoAnswer, new_session, post
from .problems import ANOTHER_COPY, REVOKED, Problem
from .store import Identity, Store


class Trouble(Exception):
    """No answer that counts, this time. The text is for a person.

    :param slow: it will not be better in a moment: ask again after a minute
    """

    def __init__(self, message: str, *, slow: bool = False) -> None:
        super().__init__(message)
        self.slow = slow


def to_server(uid: str, sequence: int, body: bytes) -> bytes:
    """Return what the gateway signs."""
    digest = hashlib.sha256(body).hexdigest()
    return b"viva-gateway/1\n" + f"{uid}\n{sequence}\n{digest}".encode()


def from_server(uid: str, sequence: int, status: int, body: bytes) -> bytes:
    """Return what Odoo signs."""
    digest = hashlib.sha256(body).hexdigest()
    return b"viva-server/1\n" + f"{uid}\n{sequence}\n{status}\n{digest}".encode()


class Link:
    """Calls of one gateway, one at a time."""

    def __init__(self, store: Store, identity: Identity, config: Config) -> None:
        self._store = store
        self._uid = identity.uid
        self._odoo = config.odoo or identity.odoo
        self._database = config.database or identity.database
        self._ca_bundle = config.ca_bundle
        self._private = Ed25519PrivateKey.from_private_bytes(identity.private_key)
        self._server = Ed25519PublicKey.from_public_bytes(identity.server_key)
        self._session = new_session()

    def close(self) -> None:
        self._session.close()

    def sync(self, content: Mapping[str, Any], answer_s: float = 20.0) -> dict[str, Any]:
        """Tell and ask.

        :raises Trouble: no answer that counts
        :raises Problem: this gateway has to stop
        """
        sequence = self._store.next_sequence()
        body = json.dumps(content, allow_nan=False).encode()
        signature = self._private.sign(to_server(self._uid, sequence, body))
        headers = {
            "X-Viva-Gateway": self._uid,
            "X-Viva-Sequence": str(sequence),
            "X-Viva-Signature": base64.b64encode(signature).decode("ascii"),
        }
        if self._database:
            headers["X-Odoo-Database"] = self._database
        try:
            answer = post(
                *(self._session, f"{self._odoo}/viva/gateway/sync", body, headers),
                *(self._ca_bundle, answer_s),
            )
        except NoAnswer as error:
            if not error.sent:
                self._store.give_back(sequence)
            raise Trouble(f"Odoo at {self._odoo} did not answer: {error}.") from error
        return self._read(sequence, answer)

    def _read(self, sequence: int, answer: Answer) -> dict[str, Any]:
        signed = self._is_signed(sequence, answer)
        try:
            data = json.loads(answer.body)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            data = {}
        if not signed:
            raise self._unsigned(answer.status, data)
        if answer.status == 200:
            return data
        error = data.get("error")
        if error == "repeat":
            raise Trouble("Odoo has heard this very call already; the next one tells it again.")
        if answer.status == 409:
            words = (
                "Another copy of this gateway is running, or this one was restored from a backup: "
                f"Odoo has heard number {data.get('last')} already, and this one says {sequence}. "
                "Nobody knows which of the two has started which payment, so this one does nothing "
                "any more. Stop the other copy, too; revoke this gateway in Odoo, then: "
                "viva-gateway forget, and pair again."
            )
            with contextlib.suppress(sqlite3.Error):  # a full disk: it ends here all the same
                self._store.stop_for_good(words)
            raise Problem(words, ANOTHER_COPY)
        if error == "revoked":
            raise Problem(
                "This gateway was revoked in Odoo. To use it again: viva-gateway forget, and pair "
                "with a new code.",
                REVOKED,
            )
        if error == "other_database":
            raise Trouble(
                f"At {self._odoo} answers a copy of the database that this gateway belongs to, so "
                "nothing is done for it. Bring the original back, or revoke and pair again.",
                slow=True,
            )
        raise Trouble(f"Odoo answered with HTTP {answer.status} ({error}).", slow=True)

    def _is_signed(self, sequence: int, answer: Answer) -> bool:
        try:
            signature = base64.b64decode(answer.headers["x-viva-signature"], validate=True)
            content = from_server(self._uid, sequence, answer.status, answer.body)
            self._server.verify(signature, content)
        except (KeyError, ValueError, InvalidSignature):
            return False
        return True

    def _unsigned(self, status: int, data: Mapping[str, Any]) -> Trouble:
        if status == 404 and data.get("error") == "unknown":
            return Trouble(
                f"The Odoo at {self._odoo} does not know this gateway. If it is the right one and "
                "the right database, the gateway was deleted there: viva-gateway forget, and pair "
                "again.",
                slow=True,
            )
        if status == 401:
            return Trouble(
                f"The Odoo at {self._odoo} does not accept this gateway's signature: it may have "
                "been paired again elsewhere. Revoke it in Odoo, viva-gateway forget, pair again.",
                slow=True,
            )
        if status >= 500 or status == 429:
            return Trouble(f"Odoo at {self._odoo} is not ready (HTTP {status}).")
        if status == 200:
            return Trouble(
                f"The answer of {self._odoo} does not carry the signature of the Odoo that this "
                "gateway was paired with, and was not believed. Check the address, and what "
                "stands between.",
                slow=True,
            )
        return Trouble(
            f"{self._odoo} answered with HTTP {status}, without a signature. Check the address, "
            "the database, and that the addon is installed there.",
            slow=True,
        )
