"""A tiny reverse proxy: joins Odoo's HTTP port and its websocket port, as production does.

``python -m lib.proxy PORT HTTP_PORT WEBSOCKET_PORT``. It looks at the first request of a connection
only: browsers open a connection of its own for a websocket.
"""

import asyncio
import contextlib
import sys

HOST = "127.0.0.1"


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def serve(port: int, http_port: int, websocket_port: int) -> None:
    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            start = await reader.readline()
            path = start.split(b" ")[1] if start.count(b" ") == 2 else b""
            target = websocket_port if path.startswith(b"/websocket") else http_port
            upstream_reader, upstream_writer = await asyncio.open_connection(HOST, target)
        except OSError:
            writer.close()
            return
        upstream_writer.write(start)
        await asyncio.gather(pump(reader, upstream_writer), pump(upstream_reader, writer))

    server = await asyncio.start_server(join, HOST, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:4])))
