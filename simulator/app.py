"""The ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from . import access, cloud, control, screen, transactions
from .front import Front, is_ours
from .world import World

STATIC = Path(__file__).parent / "static"


async def _no_such_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if not is_ours(request.url.path):
        request.app.state.world.violation(f"{request.method}: {error.detail}", request.url.path)
    return access.detail(error.status_code, error.detail)


def build(world: World) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await world.webhooks.close()

    app = Starlette(
        routes=[
            Route("/connect/token", access.token, methods=["POST"]),
            *cloud.ROUTES,
            *transactions.ROUTES,
            *control.ROUTES,
            *screen.ROUTES,
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Front, world=world)],
        exception_handlers={HTTPException: _no_such_address},
        lifespan=lifespan,
    )
    app.state.world = world
    return app
