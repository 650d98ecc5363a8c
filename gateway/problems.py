"""What ends a command: one sentence that says what to do next, and an exit code.

The codes are for service managers: those in :data:`NO_RESTART` do not mend themselves. Not all
managers can be told so; starting again does no harm then.
"""

PROBLEM = 1
NOT_PAIRED = 3
ANOTHER_COPY = 4
REVOKED = 5
IN_USE = 6

NO_RESTART = (NOT_PAIRED, ANOTHER_COPY, REVOKED)


class Problem(Exception):
    """Shown to the person as it is."""

    def __init__(self, message: str, code: int = PROBLEM) -> None:
        super().__init__(message)
        self.code = code
