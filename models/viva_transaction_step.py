from odoo import api, fields, models
from odoo.exceptions import UserError

from .ledger import is_machine
from .viva_transaction import STATES


class VivaTransactionStep(models.Model):
    """One line of a transaction's history: who asked, what was sent, what came back. Append-only."""

    _name = "viva.transaction.step"
    _description = "Viva Transaction Step"
    _order = "id"

    transaction_id = fields.Many2one(
        "viva.transaction", required=True, ondelete="restrict", index=True
    )
    company_id = fields.Many2one(related="transaction_id.company_id", store=True, precompute=True)
    at = fields.Datetime("Time", required=True, default=fields.Datetime.now)
    user_id = fields.Many2one("res.users", default=lambda self: self.env.uid)
    kind = fields.Selection(
        [
            ("asked", "Asked for"),
            ("sent", "Sent to Viva"),
            ("accepted", "Accepted by Viva"),
            ("error", "Error"),
            ("read", "Viva's answer"),
            ("abort", "Cancellation"),
            ("event", "Event from Viva"),
            ("app", "The app's answer"),
            ("person", "Decided by a person"),
            ("alarm", "Alarm"),
        ],
        required=True,
    )
    state = fields.Selection(STATES, help="The state of the transaction after this step.")
    note = fields.Char()
    correlation_id = fields.Char(help="Viva's support asks for it.")
    raw = fields.Json(
        groups="viva_payments.group_viva_manager", help="Viva's answer, without personal data."
    )

    @api.model_create_multi
    def create(self, vals_list):
        self._refuse_others()
        return super().create(vals_list)

    def write(self, vals):  # pylint: disable=method-required-super
        raise UserError(self.env._("The history of a card payment cannot be changed."))

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("The history of a card payment cannot be deleted."))

    def _refuse_others(self):
        if not is_machine(self.env):
            raise UserError(
                self.env._("The history of a card payment is written by the payment itself.")
            )
