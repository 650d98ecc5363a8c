"""How a start ends that was refused before anything was recorded."""


class Refused(Exception):
    """Nothing was recorded and nothing sent. `args[0]` says what to do; `blocking` is the payment in the way.

    :param choices: what the cashier may do instead, see `_choice`
    """

    def __init__(self, message, reason, blocking=None, choices=()):
        super().__init__(message)
        self.reason = reason
        self.blocking = blocking
        self.choices = list(choices)
