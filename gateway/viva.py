"""Where the drivers come from: packed beside this file in the wheel, at the root in a checkout."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or not (Path(__file__).parent / "drivers").is_dir():
    import drivers
    from drivers import local, tcp, transport, wire
else:
    from . import drivers
    from .drivers import local, tcp, transport, wire

__all__ = ["drivers", "local", "tcp", "transport", "wire"]
