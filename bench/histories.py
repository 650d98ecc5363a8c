"""Whole histories with Odoo, many more of them than in the tests (tests/test_histories.py): 200, or as many as are asked for."""

import os
import time

from lib import test
from lib.common import say

EXAMPLES = 200
TESTS = "tests/test_histories.py"


def run() -> int:
    """Not a figure but a verdict: 0 when every history ended well."""
    number = os.environ.setdefault("VIVA_HISTORIES", str(EXAMPLES))
    began = time.monotonic()
    failed = test.main([TESTS])
    say(f"{number} histories in {time.monotonic() - began:.0f} s")
    return failed
