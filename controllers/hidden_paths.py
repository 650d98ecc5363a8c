"""Addresses that are secrets do not go into logs."""

import logging
import re


class _HidePath(logging.Filter):
    def __init__(self, prefix, secret):
        super().__init__()
        self.prefix = prefix
        self.pattern = re.compile(f"({re.escape(prefix)}){secret}")

    def filter(self, record):
        record.msg = self._hide(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(map(self._hide, record.args))
        elif record.args:
            record.args = self._hide(record.args)
        return True

    def _hide(self, value):
        if isinstance(value, str) and self.prefix in value:
            return self.pattern.sub(r"\1***", value)
        return value


def hide(prefix, secret):
    """Write ``***`` for what follows `prefix` wherever a request is logged.

    :param str secret: regular expression of what follows
    """
    for name in ("werkzeug", "odoo.http", "longpolling"):
        logging.getLogger(name).addFilter(_HidePath(prefix, secret))
