"""Keys, signatures and pairing codes between Odoo and a gateway. Pure functions, no model.

Both sides have an Ed25519 key pair. A request carries a sequence number instead of a time: clocks of shops go wrong.
A pairing code proves once, to both sides, that the other one was shown it.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# Crockford's base 32: no letter that looks like a digit.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_ID, CODE_SECRET = 3, 9  # letters that name a code, and those (45 bits) that nobody else knows


def b64(raw):
    return base64.b64encode(raw).decode()


def unb64(text, length):
    """The bytes of a base64 text, or None unless there are exactly `length`."""
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (ValueError, binascii.Error):
        return None
    return raw if len(raw) == length else None


def new_code():
    """A pairing code as (its name, its secret)."""
    letters = "".join(secrets.choice(ALPHABET) for _letter in range(CODE_ID + CODE_SECRET))
    return letters[:CODE_ID], letters[CODE_ID:]


def code_words(code_id, secret):
    """A code as people type it: XXXX-XXXX-XXXX."""
    letters = code_id + secret
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def pairing_key(secret):
    """The key that both sides derive from the secret part of a code."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"viva-gateway-pairing")
    return kdf.derive(secret.upper().encode())


def proof_of_gateway(key, public_key):
    return hmac.digest(key, b"viva-pair/1\n" + public_key, "sha256")


def proof_of_server(key, server_public_key, public_key, uid):
    message = b"viva-paired/1\n" + server_public_key + public_key + uid.encode()
    return hmac.digest(key, message, "sha256")


def same(one, other):
    return hmac.compare_digest(one, other)


def new_pair():
    """A new key pair as (private, public), both raw."""
    private = Ed25519PrivateKey.generate()
    raw = private.private_bytes(
        serialization.Encoding.Raw,
        serialization.PrivateFormat.Raw,
        serialization.NoEncryption(),
    )
    return raw, private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )


def message_of_gateway(uid, sequence, body):
    return f"viva-gateway/1\n{uid}\n{sequence}\n{hashlib.sha256(body).hexdigest()}".encode()


def message_of_server(uid, sequence, status, body):
    digest = hashlib.sha256(body).hexdigest()
    return f"viva-server/1\n{uid}\n{sequence}\n{status}\n{digest}".encode()


def sign(private_key, message):
    return Ed25519PrivateKey.from_private_bytes(private_key).sign(message)


def is_signed(public_key, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
