"""./dev/i18n: have Odoo export every text of the addon and its bridges, and merge it into the translations.

Writes i18n/<addon>.pot and brings i18n/*.po in line with it: new texts come in empty, texts that are
gone are dropped. Says what is left to translate; tests/test_i18n.py fails until nothing is.
"""

import subprocess
from pathlib import Path

from . import databases
from .common import ROOT, say
from .environment import Environment, prepare


def main(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        say(__doc__)
        return 0
    environment = prepare()
    with (
        environment.postgres.running(),
        databases.throw_away(environment, "i18n", databases.template(environment)) as database,
    ):
        for addon in addons():
            _export(environment, database, addon)
    # polib is in the Python environment, not in the one that runs this command.
    merge = [environment.python, Path(__file__).with_name("po_merge.py")]
    folders = [str(folder / "i18n") for folder in addons().values()]
    return subprocess.run([*merge, *folders]).returncode


def addons() -> dict[str, Path]:
    """Our addons by technical name, with their folders."""
    bridges = sorted(path.parent for path in ROOT.glob("bridges/*/__manifest__.py"))
    return {"viva_payments": ROOT, **{folder.name: folder for folder in bridges}}


def _export(environment: Environment, database: str, addon: str) -> None:
    target = addons()[addon] / "i18n" / f"{addon}.pot"
    target.parent.mkdir(exist_ok=True)
    environment.odoo("i18n", "export", "-d", database, "-o", target, addon)
