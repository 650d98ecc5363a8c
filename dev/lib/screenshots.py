"""./dev/screenshots [NAME …]: take the pictures of docs/img anew from the running product.

Starts a demo shop of its own on free ports, sells in it with a real browser, and stops it again.
With names (``till-waiting``), only those pictures are written.
"""

import os
import subprocess

from . import browser
from .common import ROOT, say
from .environment import prepare


def main(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        say(__doc__)
        return 0
    environment = prepare()
    command = [environment.python, ROOT / "docs" / "screenshots.py", browser.get(), *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "dev")}
    return subprocess.run(command, cwd=ROOT, env=variables).returncode
