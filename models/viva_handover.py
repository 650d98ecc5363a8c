from markupsafe import escape

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError, UserError


class VivaHandover(models.Model):
    """A doubtful card payment that a manager hands to the accountant, so that the session can be closed."""

    _name = "viva.handover"
    _description = "Viva Handover to Accounting"
    _order = "id desc"

    pos_session_id = fields.Many2one(
        "pos.session", required=True, readonly=True, ondelete="restrict", index=True
    )
    company_id = fields.Many2one("res.company", required=True, readonly=True)
    transaction_id = fields.Many2one(
        "viva.transaction", readonly=True, ondelete="restrict", index="btree_not_null"
    )
    payment_uuid = fields.Char(
        readonly=True, index="btree_not_null", help="The payment of an order without proof."
    )
    description = fields.Char(readonly=True)
    reason = fields.Char(required=True, readonly=True)
    user_id = fields.Many2one("res.users", string="Handed over by", required=True, readonly=True)

    @api.model
    def _record(self, session, transactions, payments, reason):
        """Write what `session` hands over: doubtful transactions and payments without proof."""
        if not self.env.user.has_group("viva_payments.group_viva_manager"):
            raise AccessError(
                self.env._("Only a Viva manager may hand card payments over to the accountant.")
            )
        reason = (reason or "").strip()
        if len(reason) < 3:
            raise UserError(self.env._("Write in a few words why these payments are handed over."))
        common = {
            "pos_session_id": session.id,
            "company_id": session.company_id.id,
            "reason": reason,
            "user_id": self.env.uid,
        }
        rows = [
            {**common, "transaction_id": transaction.id, "description": transaction._headline()}
            for transaction in transactions
        ]
        rows += [
            {**common, "payment_uuid": payment.uuid, "description": payment._viva_headline()}
            for payment in payments
        ]
        handovers = self.sudo().create(rows)
        for transaction in transactions.with_user(SUPERUSER_ID):
            transaction.activity_schedule(
                "mail.mail_activity_data_todo",
                summary=self.env._("Handed over when the session was closed"),
                note=escape(reason),
                user_id=transaction.account_id.responsible_id.id,
            )
        return handovers

    def write(self, vals):  # pylint: disable=method-required-super
        raise UserError(self.env._("A handover cannot be changed."))

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("A handover cannot be deleted."))
