"""A power cut on demand, for tests only.

``VIVA_GATEWAY_DIE_AT=STEP`` kills the process right after the journal step of that name,
``before-STEP`` right before it, ``STEP:3`` the third time. The steps are in :mod:`store`.
"""

import os
import signal

_seen = 0


def point(moment: str, step: str) -> None:
    """Die here when the environment says so."""
    global _seen
    wanted = os.environ.get("VIVA_GATEWAY_DIE_AT")
    if not wanted:
        return
    name, _, count = wanted.partition(":")
    if name == f"{moment}-{step}" or (moment == "after" and name == step):
        _seen += 1
        if _seen == int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)
