"""Tokens and credentials (cloud reference, section 1). The roles of Viva's three hosts share one port and stay apart."""

import base64
import binascii
import json
import secrets
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .world import ISV_CLIENT_ID, ISV_CLIENT_SECRET, Grant, Merchant, World

_CORE = "urn:viva:payments:core:api:"
SCOPES = {
    "pos": [
        f"{_CORE}posmanagement",
        f"{_CORE}posmanagement:usercodes:verify",
        "urn:viva:payments:ecr:api",
    ],
    "checkout": [f"{_CORE}redirectcheckout"],
    "isv": [f"{_CORE}isv", f"{_CORE}redirectcheckout", "urn:viva:payments:ecr:api"],
}


class Refused(Exception):
    """An answer that ends the request."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def detail(status: int, text: Any) -> JSONResponse:
    """The error envelope of the terminal API."""
    return JSONResponse({"detail": text}, status)


def basic_credentials(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def _role_of(
    world: World, client_id: str, client_secret: str
) -> tuple[str, Merchant | None] | None:
    if (client_id, client_secret) == (ISV_CLIENT_ID, ISV_CLIENT_SECRET):
        return "isv", None
    for merchant in world.merchants.values():
        if (client_id, client_secret) == (merchant.client_id, merchant.client_secret):
            return "pos", merchant
        if (client_id, client_secret) == (
            merchant.checkout_client_id,
            merchant.checkout_client_secret,
        ):
            return "checkout", merchant
    return None


async def token(request: Request) -> Response:
    """``POST /connect/token``."""
    world: World = request.app.state.world
    if fault := world.faults.take("token_status"):
        return faulty(fault)
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("application/x-www-form-urlencoded"):
        world.violation("token request is not a form", request.url.path, content_type)
        return JSONResponse({"error": "invalid_request"}, 400)
    form = dict(parse_qsl((await request.body()).decode(errors="replace")))
    client = basic_credentials(request) or (
        form.get("client_id", ""),
        form.get("client_secret", ""),
    )
    found = _role_of(world, *client)
    if found is None:
        return JSONResponse({"error": "invalid_client"}, 400)
    if form.get("grant_type") != "client_credentials":
        world.violation(
            "grant_type is not client_credentials", request.url.path, form.get("grant_type")
        )
        return JSONResponse({"error": "unsupported_grant_type"}, 400)
    role, merchant = found
    asked = form.get("scope", "").split()
    if any(scope not in SCOPES[role] for scope in asked):
        return JSONResponse({"error": "invalid_scope"}, 400)
    return JSONResponse(_grant(world, role, merchant, asked))


def _grant(world: World, role: str, merchant: Merchant | None, scopes: list[str]) -> dict[str, Any]:
    ttl = world.settings.token_ttl_s
    expires = world.clock.time() + ttl
    value = ".".join(
        (
            _segment({"alg": "RS256", "typ": "at+jwt"}),
            _segment(
                {"aud": ["core_api", "ecr_api"], "iat": int(expires - ttl), "exp": int(expires)}
            ),
            secrets.token_urlsafe(32),
        )
    )
    world.grants[value] = Grant(role, merchant.merchant_id if merchant else None, expires)
    return {
        "access_token": value,
        "expires_in": int(ttl),
        "token_type": "Bearer",
        "scope": " ".join(scopes or SCOPES[role]),
    }


def _segment(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def bearer(request: Request) -> Grant | None:
    """The grant behind the request's token, if it is good."""
    world: World = request.app.state.world
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        world.violation("no bearer token", request.url.path, scheme)
        return None
    if value.startswith('"'):
        world.violation("token in quotation marks", request.url.path)
    found = world.grants.get(value)
    if found is None or found.expires <= world.clock.time():
        return None
    return found


def merchant_by_basic(request: Request) -> Merchant:
    """The merchant that signs with merchant id and API key.

    :raises Refused: 401 with an empty body
    """
    world: World = request.app.state.world
    credentials = basic_credentials(request)
    if credentials:
        merchant = world.merchants.get(credentials[0])
        if merchant and merchant.api_key == credentials[1]:
            return merchant
    raise Refused(Response(status_code=401))


def faulty(fault: dict[str, Any]) -> Response:
    """The answer that a test has ordered."""
    if "body" in fault:
        content = fault["body"]
        text = content if isinstance(content, str) else json.dumps(content)
        return Response(text, fault["status"], media_type="application/json")
    if fault["status"] in (502, 504):
        return Response(
            "<html><body>Bad gateway</body></html>", fault["status"], media_type="text/html"
        )
    if fault["status"] == 401:
        return detail(401, "Could not validate credentials")
    return detail(fault["status"], f"Simulated {fault['status']}")
