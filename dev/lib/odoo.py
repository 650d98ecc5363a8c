"""./dev/odoo [Odoo's arguments]: Odoo's own command line in the prepared environment.

Without ``-d`` or ``--database`` it works on a copy of the template that is thrown away:
``./dev/odoo shell``.
"""

import subprocess

from . import databases
from .environment import prepare


def main(arguments: list[str]) -> int:
    environment = prepare()
    with environment.postgres.running():
        if any(word.startswith(("-d", "--database")) for word in arguments):
            return _call(environment, arguments)
        with databases.throw_away(
            environment, "shell", databases.template(environment)
        ) as database:
            command = arguments[:1] if arguments and not arguments[0].startswith("-") else []
            rest = arguments[len(command) :]
            return _call(environment, [*command, f"--database={database}", *rest])


def _call(environment, arguments: list[str]) -> int:
    command = environment.odoo_command(*arguments)
    return subprocess.run(command, env=environment.variables).returncode
