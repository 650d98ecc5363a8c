"""A code that a person carries from Odoo's screen to here becomes a pair of keys.

The code has 12 characters of Crockford's base 32: three name the pairing, nine (45 bits) are
the secret. Both sides prove that they know the secret without sending it, over the keys that
they exchange: somebody between them who does not know the code cannot put in own keys.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import platform
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .config import Config
from .http import NoAnswer, new_session, post
from .problems import Problem
from .store import Identity
from .version import version

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PUBLIC = 3
_LENGTH = 12

_REFUSALS = {
    "code": "Odoo does not know this code. Read it once more, or make a new one there.",
    "expired": "The code is older than ten minutes. Make a new one in Odoo.",
    "tries": "This code was tried too often and is no longer valid. Make a new one in Odoo.",
    "slow_down": "There were too many tries. Wait a minute, then make a new code in Odoo.",
}


def read_code(text: str) -> str:
    """Return the code in capitals without dashes; mistaken letters are read as what they look like.

    :raises Problem: it is not 12 characters of the alphabet
    """
    code = text.upper().replace("-", "").replace(" ", "")
    code = code.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(code) != _LENGTH or set(code) - set(_ALPHABET):
        raise Problem(
            "A pairing code looks like 7KQ4-2M8P-XW3T: 12 letters and digits. Make one in Odoo: "
            "Point of Sale, Viva.com, Gateways, Pair."
        )
    return code


def secret_of(code: str) -> bytes:
    """Return the key that both sides derive from the secret part of the code."""
    hkdf = HKDF(hashes.SHA256(), 32, salt=None, info=b"viva-gateway-pairing")
    return hkdf.derive(code[_PUBLIC:].encode("ascii"))


def proof(secret: bytes, what: bytes) -> str:
    return base64.b64encode(hmac.new(secret, what, hashlib.sha256).digest()).decode("ascii")


def pair(config: Config, odoo: str, code_as_typed: str) -> Identity:
    """Introduce ourselves to Odoo. :raises Problem: it did not work, with what to do"""
    code = read_code(code_as_typed)
    secret = secret_of(code)
    private = Ed25519PrivateKey.generate()
    raw = serialization.Encoding.Raw
    public = private.public_key().public_bytes(raw, serialization.PublicFormat.Raw)
    body = {
        "code_id": code[:_PUBLIC],
        "public_key": base64.b64encode(public).decode("ascii"),
        "version": version(),
        "host": platform.node()[:64],
        "proof": proof(secret, b"viva-pair/1\n" + public),
    }
    headers = {"X-Odoo-Database": config.database} if config.database else {}
    try:
        with new_session() as session:
            answer = post(
                *(session, f"{odoo}/viva/gateway/pair", json.dumps(body).encode(), headers),
                ca_bundle=config.ca_bundle,
            )
    except NoAnswer as error:
        raise Problem(f"Odoo at {odoo} did not answer: {error}") from error
    try:
        data = json.loads(answer.body)
    except ValueError:
        data = None
    if answer.status != 200 or not isinstance(data, dict):
        raise Problem(_refusal(odoo, answer.status, data))
    return _identity(odoo, config.database, secret, private, public, data)


def _refusal(odoo: str, status: int, data: Any) -> str:
    reason = data.get("error") if isinstance(data, dict) else None
    if reason in _REFUSALS:
        return _REFUSALS[reason]
    return (
        f"{odoo} answered with HTTP {status}, which is not how Viva Payments for Odoo answers. "
        "Check the address; when this Odoo serves several databases, name the database in the "
        "configuration file; and see that the addon is installed there."
    )


def _identity(
    odoo: str,
    database: str,
    secret: bytes,
    private: Ed25519PrivateKey,
    public: bytes,
    data: dict[str, Any],
) -> Identity:
    try:
        uid, channel, name = (str(data[key]) for key in ("uid", "channel", "name"))
        server_key = base64.b64decode(data["public_key"], validate=True)
        told = str(data["proof"])
        if not uid or not channel or len(server_key) != 32:
            raise ValueError("incomplete")
    except (KeyError, TypeError, ValueError) as error:
        raise Problem(
            "Odoo's answer to the pairing is incomplete. Make a new code and try again; if that "
            "repeats, the addon and the gateway are of different versions."
        ) from error
    right = proof(secret, b"viva-paired/1\n" + server_key + public + uid.encode())
    if not hmac.compare_digest(right.encode(), told.encode()):
        raise Problem(
            f"Whoever answered at {odoo} does not know the code: this may be another server. "
            "Nothing was stored. Check the address and the network, then use a new code."
        )
    return Identity(
        *(odoo, database or str(data.get("database") or ""), uid, channel, name),
        private.private_bytes(
            serialization.Encoding.Raw,
            serialization.PrivateFormat.Raw,
            serialization.NoEncryption(),
        ),
        server_key,
    )
