"""Bytes that each module adds to what the till loads: JavaScript with templates, and styles, minified."""

import json
from pathlib import Path

from lib.common import output

from .report import Figure
from .shop import Shop
from .sides import Side

SCRIPT = Path(__file__).parent / "bundle_in_odoo.py"
MODULES = {"ours": "viva_payments", "peer": "pos_viva_com"}


def measure(shop: Shop, sides: list[Side]) -> list[Figure]:
    environment = shop.odoo.environment
    shell = environment.odoo_command(
        "shell", f"--database={shop.odoo.database}", *shop.odoo.extra, "--log-level=error"
    )
    options = {"env": environment.variables, "cwd": environment.checkout}
    printed = output(*shell, input=SCRIPT.read_text(), **options)
    sizes = json.loads(printed.splitlines()[-1])
    plain, packed = (
        {side: sizes["all"][index] - sizes[module][index] for side, module in MODULES.items()}
        for index in (0, 1)
    )
    return [Figure("bundle_size", "bytes", **plain), Figure("bundle_gzip", "bytes", **packed)]
