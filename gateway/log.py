"""One line per event on standard error, without card numbers, secrets or personal data."""

import logging
import sys

from .viva import drivers

LEVELS = ("debug", "info", "warning", "error")


class _Redacted(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return str(drivers.redact(super().format(record)))


def start(level: str) -> None:
    """Log to standard error; the service manager adds the time."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacted("%(levelname)s %(message)s"))
    logger = logging.getLogger("viva_gateway")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())


def get() -> logging.Logger:
    """The one logger of the program."""
    return logging.getLogger("viva_gateway")
