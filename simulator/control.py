"""The control API: what tests, tours and the bench use to look behind the counter and to play the customer."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .lan import Lan
from .ledger import ReversalRefused
from .local import LocalApi
from .prolin import Prolin
from .terminal import NotPossible, Terminal
from .webhooks import DEFAULT_EVENTS, Event
from .world import MERCHANTS, World

_ORDER_FIELDS = {"uri", "key", "action", "terminalId", "deliver"}
Handler = Callable[[World, dict[str, Any], Request], Awaitable[Any]]


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """JSON in, JSON out; what cannot be done is answered 400 or 409 with ``{"error": …}``."""

    async def serve(request: Request) -> Response:
        try:
            sent = await request.json() if await request.body() else {}
            return JSONResponse(await handler(request.app.state.world, sent or {}, request))
        except NotPossible as error:
            return JSONResponse({"error": str(error)}, 409)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)

    return serve


async def health(world: World, sent: dict[str, Any], request: Request) -> Any:
    return {"ok": True}


async def reset(world: World, sent: dict[str, Any], request: Request) -> Any:
    world.reset(keep_webhooks=bool(sent.get("keep_webhooks")))
    return {"ok": True}


async def charges(world: World, sent: dict[str, Any], request: Request) -> Any:
    """What moved money: ``operation`` sale and capture towards the merchant, refund and void back."""
    return [world.ledger.as_charge(row) for row in world.ledger.rows if row.moved_money]


async def attempts(world: World, sent: dict[str, Any], request: Request) -> Any:
    """Everything that reached the acquirer: also declines and pre-authorisations."""
    return [world.ledger.as_charge(row) for row in world.ledger.rows]


async def sessions(world: World, sent: dict[str, Any], request: Request) -> Any:
    """All requests to terminals; ``channel`` is cloud, local, tcp or app."""
    asked = [*world.sessions.values(), *world.lan_sessions]
    return [session.as_dict() for session in sorted(asked, key=lambda item: item.created)]


async def reverse(world: World, sent: dict[str, Any], request: Request) -> Any:
    """Viva itself gives a payment back, unasked; ``amount`` in minor units, without it what is left."""
    wanted = request.path_params["transaction_id"]
    row = next((row for row in world.ledger.rows if row.transaction_id == wanted), None)
    if row is None:
        raise NotPossible("There is no such transaction.")
    left = row.amount - world.ledger.refunded(row)
    try:
        child = world.reverse(row, int(sent.get("amount", left)), forced=True)
    except ReversalRefused as refusal:
        raise NotPossible(str(refusal)) from refusal
    return world.ledger.as_charge(child)


async def violations(world: World, sent: dict[str, Any], request: Request) -> Any:
    return world.violations


async def requests(world: World, sent: dict[str, Any], request: Request) -> Any:
    prefix = request.query_params.get("path", "")
    return [entry for entry in world.requests if entry["path"].startswith(prefix)]


async def terminals(world: World, sent: dict[str, Any], request: Request) -> Any:
    return [terminal.as_dict() for terminal in world.terminals.values()]


async def add_terminal(world: World, sent: dict[str, Any], request: Request) -> Any:
    """A further terminal; with ``lan`` it gets a server of its own, see :mod:`simulator.lan`."""
    merchant_id = sent.get("merchantId", MERCHANTS[0].merchant_id)
    if merchant_id not in world.merchants:
        raise ValueError("There is no such merchant.")
    terminal_id = str(sent["terminalId"])
    terminal = world.terminals.get(terminal_id)
    if terminal is not None and terminal.lan is not None:
        terminal.lan.close()
        terminal.lan = None
    if terminal is None or "lan" not in sent:
        terminal = world.add_terminal(
            terminal_id,
            merchant_id,
            int(sent.get("statusId", 1)),
            str(sent.get("sourceCode", "1234")),
        )
    if sent.get("lan"):
        lan = _lan(terminal, sent)
        await lan.open()
        terminal.lan = lan
        world.touch()
    return terminal.as_dict()


def _lan(terminal: Terminal, sent: dict[str, Any]) -> Lan:
    host, port = str(sent.get("host") or terminal.world.host), int(sent.get("port") or 0)
    if sent["lan"] == LocalApi.protocol:
        return LocalApi(terminal, host, port, str(sent.get("scheme") or "https"))
    if sent["lan"] == Prolin.protocol:
        return Prolin(terminal, host, port, str(sent.get("platform") or "prolin"))
    raise ValueError(f"There is no protocol {sent['lan']!r} on the LAN.")


def _with_lan(world: World, request: Request) -> Lan:
    terminal = world.terminals.get(request.path_params["terminal_id"])
    if terminal is None or terminal.lan is None:
        raise NotPossible("There is no such terminal on the LAN.")
    return terminal.lan


async def read_lan(world: World, sent: dict[str, Any], request: Request) -> Any:
    return _with_lan(world, request).as_dict()


async def lan_options(world: World, sent: dict[str, Any], request: Request) -> Any:
    lan = _with_lan(world, request)
    await lan.update(sent)
    return lan.as_dict()


async def perform(world: World, sent: dict[str, Any], request: Request) -> Any:
    terminal = world.terminals.get(request.path_params["terminal_id"])
    if terminal is None:
        raise NotPossible("There is no such terminal.")
    await terminal.perform(request.path_params["action"], sent)
    return terminal.as_dict()


async def opened(world: World, sent: dict[str, Any], request: Request) -> Any:
    """Every URI that the app was opened with, see :mod:`simulator.app_to_app`."""
    return [world.app.view(item) for item in world.app.opened.values()]


async def read_opened(world: World, sent: dict[str, Any], request: Request) -> Any:
    return world.app.view(world.app.find(request.path_params["key"]))


async def show_app(world: World, sent: dict[str, Any], request: Request) -> Any:
    return world.app.view(world.app.show(str(sent["uri"]), sent.get("terminalId")))


async def act_app(world: World, sent: dict[str, Any], request: Request) -> Any:
    options = {name: value for name, value in sent.items() if name not in _ORDER_FIELDS}
    item = world.app.find(str(sent["key"]))
    await world.app.act(item, str(sent["action"]), options)
    answer = world.app.view(item)
    if sent.get("deliver"):
        answer["delivered"] = await world.app.deliver(item)
    return answer


async def open_app(world: World, sent: dict[str, Any], request: Request) -> Any:
    item = world.app.show(str(sent["uri"]), sent.get("terminalId"))
    action = str(sent.get("action", "approve"))
    if action == "hold":
        return world.app.view(item)
    return await act_app(world, {**sent, "key": item.key, "action": action}, request)


async def app_options(world: World, sent: dict[str, Any], request: Request) -> Any:
    world.app.options.update(sent)
    return asdict(world.app.options)


async def read_settings(world: World, sent: dict[str, Any], request: Request) -> Any:
    return world.settings.as_dict()


async def settings(world: World, sent: dict[str, Any], request: Request) -> Any:
    world.settings.update(sent)
    return world.settings.as_dict()


async def read_faults(world: World, sent: dict[str, Any], request: Request) -> Any:
    return world.faults.as_dict()


async def faults(world: World, sent: dict[str, Any], request: Request) -> Any:
    world.faults.update(sent)
    if sent.get("expire_tokens"):
        world.grants.clear()
    if sent.get("silent") is False:
        world.break_silence()
    return world.faults.as_dict()


async def clear_faults(world: World, sent: dict[str, Any], request: Request) -> Any:
    world.faults = type(world.faults)()
    world.break_silence()
    return world.faults.as_dict()


async def read_webhooks(world: World, sent: dict[str, Any], request: Request) -> Any:
    return [subscription.as_dict() for subscription in world.webhooks.subscriptions]


async def register(world: World, sent: dict[str, Any], request: Request) -> Any:
    merchant = world.merchants[sent.get("merchantId", MERCHANTS[0].merchant_id)]
    events = [int(event) for event in sent.get("events") or DEFAULT_EVENTS]
    verified, text = await world.webhooks.register(
        str(sent["url"]), events, merchant.merchant_id, merchant.webhook_key
    )
    return {"verified": verified, "detail": text}


async def forget_webhooks(world: World, sent: dict[str, Any], request: Request) -> Any:
    world.webhooks.subscriptions.clear()
    world.touch()
    return {"ok": True}


async def deliveries(world: World, sent: dict[str, Any], request: Request) -> Any:
    return world.webhooks.deliveries


async def deliver(world: World, sent: dict[str, Any], request: Request) -> Any:
    """Send one message: ``event`` a whole envelope, ``raw`` a text as it is, or ``eventTypeId`` and ``data``."""
    url = sent.get("url") or world.webhooks.subscriptions[0].url
    message: Any
    if "raw" in sent:
        message = str(sent["raw"]).encode()
    elif "event" in sent:
        message = sent["event"]
    else:
        merchant_id = sent.get("merchantId", MERCHANTS[0].merchant_id)
        event = Event(int(sent["eventTypeId"]), sent.get("data", {}))
        message = world.webhooks.envelope(url, merchant_id, event)
    status, body = await world.webhooks.post(url, message)
    return {"status": status, "body": body}


async def clock(world: World, sent: dict[str, Any], request: Request) -> Any:
    world.clock.advance(float(sent["advance_s"]))
    world.touch()
    return {"now": world.clock.now().isoformat()}


async def merchants(world: World, sent: dict[str, Any], request: Request) -> Any:
    """The invented accounts with their credentials."""
    return [
        {**vars(merchant), "sources": dict(merchant.sources)}
        for merchant in world.merchants.values()
    ]


def _route(path: str, method: str, handler: Handler) -> Route:
    return Route(f"/control/{path}", _endpoint(handler), methods=[method])


ROUTES = [
    _route("health", "GET", health),
    _route("reset", "POST", reset),
    _route("charges", "GET", charges),
    _route("attempts", "GET", attempts),
    _route("transactions/{transaction_id}/reverse", "POST", reverse),
    _route("sessions", "GET", sessions),
    _route("violations", "GET", violations),
    _route("requests", "GET", requests),
    _route("merchants", "GET", merchants),
    _route("terminals", "GET", terminals),
    _route("terminals", "POST", add_terminal),
    _route("terminals/{terminal_id}/lan", "GET", read_lan),
    _route("terminals/{terminal_id}/lan", "POST", lan_options),
    _route("terminals/{terminal_id}/{action}", "POST", perform),
    _route("app", "GET", opened),
    _route("app/open", "POST", open_app),
    _route("app/show", "POST", show_app),
    _route("app/act", "POST", act_app),
    _route("app/options", "POST", app_options),
    _route("app/{key}", "GET", read_opened),
    _route("settings", "GET", read_settings),
    _route("settings", "POST", settings),
    _route("faults", "GET", read_faults),
    _route("faults", "POST", faults),
    _route("faults", "DELETE", clear_faults),
    _route("webhooks", "GET", read_webhooks),
    _route("webhooks", "POST", register),
    _route("webhooks", "DELETE", forget_webhooks),
    _route("deliveries", "GET", deliveries),
    _route("deliver", "POST", deliver),
    _route("clock", "POST", clock),
]
