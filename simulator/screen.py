"""The web pages: an overview, and a page per terminal that looks like one. They are fed by server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import islice
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .session import Session, State
from .settings import CURRENCIES
from .terminal import Terminal
from .world import World

STATIC = Path(__file__).parent / "static"
RECENT = 12
KEEP_ALIVE_S = 15


async def index(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def terminal_page(request: Request) -> Response:
    if request.path_params["terminal_id"] not in request.app.state.world.terminals:
        return PlainTextResponse("There is no such terminal.", 404)
    return FileResponse(STATIC / "terminal.html")


async def app_page(request: Request) -> Response:
    """The app, opened with ``?uri=vivapayclient://…``."""
    return FileResponse(STATIC / "app.html")


def _stream(request: Request, snapshot: Callable[[], dict[str, Any]]) -> Response:
    """Send the snapshot now and whenever something has changed."""
    world: World = request.app.state.world

    async def events() -> AsyncIterator[str]:
        while not world.closing.is_set():
            changed = world.changed
            yield f"data: {json.dumps(snapshot())}\n\n"
            try:
                await asyncio.wait_for(changed.wait(), KEEP_ALIVE_S)
                await asyncio.sleep(0.03)
            except asyncio.TimeoutError:
                continue

    return StreamingResponse(
        events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def overview_events(request: Request) -> Response:
    world: World = request.app.state.world
    return _stream(request, lambda: overview(world))


async def terminal_events(request: Request) -> Response:
    world: World = request.app.state.world
    terminal_id = request.path_params["terminal_id"]
    if terminal_id not in world.terminals:
        return PlainTextResponse("There is no such terminal.", 404)
    return _stream(request, lambda: terminal_view(world, world.terminals.get(terminal_id)))


def overview(world: World) -> dict[str, Any]:
    asked = [*world.sessions.values(), *world.lan_sessions]
    recent = sorted(asked, key=lambda session: session.created)[-RECENT:]
    moved = islice((row for row in reversed(world.ledger.rows) if row.moved_money), RECENT)
    return {
        "now": world.clock.now().isoformat(),
        "terminals": [_card(world, terminal) for terminal in world.terminals.values()],
        "sessions": [{**session.as_dict(), **_money(session)} for session in reversed(recent)],
        "charges": [world.ledger.as_charge(row) for row in moved],
        "deliveries": list(reversed(world.webhooks.deliveries[-RECENT:])),
        "webhooks": [subscription.as_dict() for subscription in world.webhooks.subscriptions],
        "violations": world.violations[-RECENT:],
        "currencies": CURRENCIES,
    }


def _card(world: World, terminal: Terminal) -> dict[str, Any]:
    merchant = world.merchants[terminal.merchant_id]
    return {
        **terminal.as_dict(),
        "merchant": merchant.name,
        "store": merchant.sources.get(terminal.source_code, terminal.source_code),
        "screen": _screen(terminal),
    }


def _money(session: Session) -> dict[str, Any]:
    return {"currency": CURRENCIES.get(session.currency_code, session.currency_code)}


def _screen(terminal: Terminal) -> str:
    """What the screen is about."""
    if terminal.current is not None:
        return terminal.current.state.value
    if terminal.last_result() is not None:
        return State.FINAL.value
    return "idle"


def terminal_view(world: World, terminal: Terminal | None) -> dict[str, Any]:
    """What the page of one terminal shows."""
    if terminal is None:
        return {"gone": True}
    view = _card(world, terminal)
    session = terminal.current
    shown = terminal.last_result()
    if session is not None:
        view["request"] = _request(world, session)
    elif shown is not None:
        session, result = shown
        view["request"] = _request(world, session)
        view["result"] = {
            "success": result["success"],
            "eventId": result["eventId"],
            "message": result["message"],
            "reported": session.state is State.FINAL,
            "card": result["applicationLabel"]
            or ("IRIS" if result["bankId"] == "NET_IRIS" else ""),
            "pan": result["primaryAccountNumberMasked"] or "",
            "authorization": result["authorizationId"] or "",
            "rrn": result["retrievalReferenceNumber"] or "",
            "time": result["transactionDateTime"] or "",
            "type": result["transactionTypeId"],
            "orderCode": result["orderCode"],
        }
    return view


def _request(world: World, session: Session) -> dict[str, Any]:
    return {
        **_money(session),
        "sessionId": session.session_id,
        "operation": session.operation.value,
        "amount": session.amount,
        "tip": session.tip,
        "surcharge": session.surcharge,
        "dcc": _foreign(session),
        "parent": session.parent.operation if session.parent else "",
        "reference": session.merchant_reference or "",
        "text": session.customer_trns or "",
        "register": session.cash_register_id,
        "channel": session.channel,
        "maxInstalments": session.max_instalments,
        "abortRequested": session.abort_requested,
        "left": max(0.0, round(session.deadline - world.clock.time(), 1)),
        "timeout": world.settings.card_timeout_s,
    }


def _foreign(session: Session) -> dict[str, Any] | None:
    """The amount in the card's own currency, if the customer chose that."""
    if session.dcc is None:
        return None
    number = session.dcc["currencyCode"]
    return {"amount": session.dcc["amount"], "currency": CURRENCIES.get(number, number)}


ROUTES = [
    Route("/", index),
    Route("/events", overview_events),
    Route("/app", app_page),
    Route("/terminal/{terminal_id}", terminal_page),
    Route("/terminal/{terminal_id}/events", terminal_events),
]
