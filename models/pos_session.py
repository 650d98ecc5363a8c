from odoo import api, models
from odoo.exceptions import UserError


class PosSession(models.Model):
    _inherit = "pos.session"

    @api.model
    def _load_pos_data_models(self, config):
        return [*super()._load_pos_data_models(config), "viva.terminal"]

    # -- closing ---------------------------------------------------------------------------------

    def get_session_orders(self):
        # A parked order belongs to no session until it is recalled.
        return super().get_session_orders().filtered(lambda order: not order._viva_is_parked())

    def _cannot_close_session(self, bank_payment_method_diffs=None):
        obstacle = self._viva_obstacle()
        if obstacle:
            return {"successful": False, "message": obstacle, "redirect": False}
        return super()._cannot_close_session(bank_payment_method_diffs)

    def action_pos_session_closing_control(self, *args, **kwargs):
        # Before the state changes to "closing": cash is not counted for a session that cannot be closed.
        for session in self:
            session._viva_refuse_closing()
        return super().action_pos_session_closing_control(*args, **kwargs)

    def _validate_session(self, *args, **kwargs):
        # The back office's button does not ask `_cannot_close_session`.
        self._viva_refuse_closing()
        return super()._validate_session(*args, **kwargs)

    def _viva_refuse_closing(self):
        obstacle = self._viva_obstacle()
        if obstacle:
            raise UserError(obstacle)

    def _viva_obstacle(self):
        """Why card payments forbid to close this session, as text, or an empty string."""
        self.ensure_one()
        transactions, payments = self._viva_findings()
        if not transactions and not payments:
            return ""
        lines = [transaction._finding() for transaction in transactions]
        lines += [payment._viva_headline() for payment in payments]
        return self.env._(
            "Card payments of this session need attention before it is closed:\n%(list)s\n\n"
            "Check them again on the till or in Point of Sale > Viva.com > Transactions. A manager may hand them over "
            "to the accountant (button on the session) and close.",
            list="\n".join(f"• {line}" for line in lines),
        )

    def _viva_findings(self):
        """What is in doubt in this session: (transactions, payments without proof), handed-over ones left out."""
        self.ensure_one()
        handovers = self.env["viva.handover"].sudo().search([("pos_session_id", "=", self.id)])
        doubtful = (
            self.env["viva.transaction"]
            .sudo()
            .search(
                [
                    ("pos_session_id", "=", self.id),
                    ("origin", "=", "odoo"),
                    ("state", "in", ("draft", "sent", "pending", "unknown", "approved")),
                    ("id", "not in", handovers.transaction_id.ids),
                ]
            )
        )
        transactions = doubtful.filtered(
            lambda transaction: (
                (
                    transaction.is_unsettled
                    or transaction._has_open_tip()
                    or (not transaction.is_attached and transaction._is_due())
                )
                # A parked order and its hold go on in another session.
                and not (transaction.operation == "preauth" and transaction.state == "approved")
            )
        )
        orders = self.sudo().order_ids.filtered(
            lambda order: order.state in ("paid", "done", "invoiced")
        )
        handed_over = set(handovers.mapped("payment_uuid"))
        payments = orders._viva_unproven().filtered(
            lambda payment: (
                payment.uuid not in handed_over
                and payment.viva_transaction_id not in transactions | handovers.transaction_id
            )
        )
        return transactions, payments

    def action_viva_handover(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Hand card payments over to the accountant"),
            "res_model": "viva.handover.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_session_id": self.id},
        }
