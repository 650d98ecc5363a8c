"""``python -m simulator [--host 127.0.0.1] [--port 8970]``; port 0 takes a free one and says which."""

import argparse
import asyncio
import socket
import sys
from types import FrameType

import uvicorn

from .app import build
from .front import DroppableProtocol
from .world import World


class Server(uvicorn.Server):
    """Ends cleanly, with exit code 0, also while pages are open or connections are held in silence."""

    def __init__(self, config: uvicorn.Config, world: World) -> None:
        super().__init__(config)
        self.world = world

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True
        self.world.close()


async def _serve(listener: socket.socket, host: str) -> None:
    world = World()
    world.host = host
    config = uvicorn.Config(
        build(world),
        http=DroppableProtocol,
        ws="none",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    await Server(config, world).serve(sockets=[listener])


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="simulator", description="A pretend Viva.com with virtual terminals."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8970)
    options = parser.parse_args()
    # asyncio sends without delay only on sockets that say that they are TCP.
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except OSError as error:
        print(
            f"The simulator cannot listen on {options.host}:{options.port}: {error.strerror}.",
            file=sys.stderr,
        )
        return 1
    listener.listen(256)
    print(f"Viva simulator on http://{options.host}:{listener.getsockname()[1]}", flush=True)
    asyncio.run(_serve(listener, options.host))
    return 0


if __name__ == "__main__":
    sys.exit(main())
