"""./dev/bench [NAME …]: what the addon costs, beside Odoo's own pos_viva_com in the same run.

Groups of figures: webhook, sale, green, silent, bundle; without a name, all of them (under 10 minutes).
"""

import os
import subprocess

from . import browser
from .common import ROOT, say
from .environment import prepare

GROUPS = ("webhook", "sale", "green", "silent", "bundle")


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
