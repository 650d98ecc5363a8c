"""./dev/matrix: write the tables of models, protocols and operations into docs/terminals.md.

They are made from data/viva.terminal.model.csv and from what the drivers say that they can do; a test
fails while the page says something else.
"""

import subprocess

from .common import ROOT, say
from .environment import prepare


def main(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        say(__doc__)
        return 0
    # The drivers need packages that are in the Python environment only.
    return subprocess.run([prepare().python, "-m", "dev.lib.matrix_tables"], cwd=ROOT).returncode
