"""``python -m bench [NAME …]``; called by ./dev/bench."""

import importlib
import os
import signal
import sys
import time

from lib.bench import GROUPS
from lib.common import Problem, say, step
from lib.environment import prepare

from . import histories, shop
from .report import Figure, table
from .sides import Ours, Peer

LIMIT_S = 20 * 60
# Asked for by name only: it measures nothing.
HISTORIES = "histories"


def main(names: list[str]) -> int:
    unknown = set(names) - {*GROUPS, HISTORIES}
    if unknown:
        raise Problem(
            f"There is no {', '.join(sorted(unknown))}. Choose of: {', '.join((*GROUPS, HISTORIES))}."
        )
    _stop_when_asked()
    if HISTORIES in names:
        failed = histories.run()
        names.remove(HISTORIES)
        if failed or not names:
            return failed
    began = time.monotonic()
    figures: list[Figure] = []
    failed = []
    with shop.running(prepare()) as place:
        sides = [Ours(place), Peer(place)]
        for name in GROUPS:
            if not names or name in names:
                try:
                    with step(name):
                        figures += importlib.import_module(f"bench.{name}").measure(place, sides)
                except Problem:
                    raise
                except Exception as error:  # the other figures are worth having
                    failed.append(f"{name} could not be measured: {error!r}")
    load = os.getloadavg()[0]
    say(f"\n{table(figures)}\n")
    for figure in figures:
        say(figure.line())
    say("\n".join(["", *failed]))
    say(f"{time.monotonic() - began:.0f} s, load of the machine {load:.1f}")
    return int(bool(failed))


def _stop_when_asked() -> None:
    """And after `LIMIT_S` in any case; what was started is ended then too."""

    def too_long(*_):
        raise Problem(
            f"Stopped after {LIMIT_S // 60} minutes: this machine is too busy for a bench."
        )

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LIMIT_S)


try:
    sys.exit(main(sys.argv[1:]))
except Problem as problem:
    sys.exit(f"\n{problem}")
except KeyboardInterrupt:
    sys.exit("\nStopped.")
