"""./dev/bench [NAME …]: what the addon costs, beside Odoo's own pos_viva_com in the same run.

Groups of figures: green, sale, webhook, silent, bundle, gateway, office; without a name, all of them (under 16
minutes on a machine that has nothing else to do, and it should have nothing else to do).
histories plays 200 random histories of the ledger instead (VIVA_HISTORIES: another number).
"""

import os
import subprocess

from . import browser
from .common import ROOT, say
from .environment import prepare

# The browser comes first: what the others sell without a till is, to a till, money without a payment line.
GROUPS = ("green", "sale", "webhook", "silent", "bundle", "gateway", "office")


def main(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        say(__doc__)
        return 0
    environment = prepare()
    if not arguments or "green" in arguments:
        browser.get()
    command = [environment.python, "-m", "bench", *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "dev")}
    return subprocess.run(command, cwd=ROOT, env=variables).returncode
