from datetime import timedelta

from odoo import api, fields, models
from odoo.addons.viva_payments.models.ledger import in_ledger
from odoo.exceptions import UserError
from odoo.tools import consteq

MAX_FAILURES = 5
LOCK_MINUTES = 15


class VivaPinGuard(models.Model):
    """How often a manager's PIN was entered wrongly in a row, and until when it is not accepted.

    Counted in a database transaction of its own: the error that a wrong PIN raises cannot undo the count.
    No user may read or write it.
    """

    _name = "viva.pin.guard"
    _description = "Viva PIN Guard"

    employee_id = fields.Many2one("hr.employee", required=True, ondelete="cascade")
    failures = fields.Integer()
    locked_until = fields.Datetime()

    _employee_unique = models.Constraint("unique (employee_id)", "An employee has one guard.")

    @api.model
    def _require_pin(self, employee, pin):
        """Return when `pin` is the employee's. An empty PIN never is.

        :param str pin: as typed at the till
        :raise UserError: wrong, or locked after five wrong ones; the message says how many are left
        """
        minutes, left = in_ledger(self.env, lambda env: env[self._name]._try(employee.id, pin))
        if minutes:
            raise UserError(
                self.env._(
                    "Too many wrong PINs. %(name)s cannot accept payments for %(minutes)s minutes.",
                    name=employee.name,
                    minutes=minutes,
                )
            )
        if left is not None:
            raise UserError(self.env._("Wrong PIN. %s tries are left.", left))

    @api.model
    def _try(self, employee_id, pin):
        """Compare and count under a row lock: `(0, None)` right, `(0, n)` wrong and n tries left, `(minutes, 0)` locked."""
        self.env.cr.execute(
            "INSERT INTO viva_pin_guard (employee_id, failures) VALUES (%s, 0) ON CONFLICT DO NOTHING",
            (employee_id,),
        )
        self.env.cr.execute(
            "SELECT id FROM viva_pin_guard WHERE employee_id = %s FOR UPDATE", (employee_id,)
        )
        guard = self.browse(self.env.cr.fetchone())
        now = fields.Datetime.now()
        if guard.locked_until and guard.locked_until > now:
            return int((guard.locked_until - now).total_seconds() // 60) + 1, 0
        known = guard.employee_id.pin or ""
        if known and isinstance(pin, str) and consteq(known.encode(), pin.encode()):
            guard.write({"failures": 0, "locked_until": False})
            return 0, None
        failures = guard.failures + 1
        if failures >= MAX_FAILURES:
            guard.write({"failures": 0, "locked_until": now + timedelta(minutes=LOCK_MINUTES)})
            return LOCK_MINUTES, 0
        guard.write({"failures": failures})
        return 0, MAX_FAILURES - failures
