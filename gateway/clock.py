"""Time that nobody can set: it goes on over restarts of the program, and through sleep.

Wall clocks jump (a Raspberry Pi starts in 1970), so nothing that decides looks at them.
"""

import time
import uuid
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def now() -> float:
    """Seconds since the machine was started; comparable between processes of one :data:`BOOT`."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return uuid.uuid4().hex  # no machine to remember: every process counts as a new start


BOOT = _boot()
