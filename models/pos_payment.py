from odoo import api, fields, models
from odoo.exceptions import UserError

from .viva_transaction import PAYS


class PosPayment(models.Model):
    _inherit = "pos.payment"

    viva_attempt = fields.Char(
        "Viva attempt",
        copy=False,
        help="Where the till looks for the result after a reload. Proves nothing.",
    )
    viva_state = fields.Selection(
        [
            ("none", "No card payment"),
            ("open", "Open"),
            ("unknown", "Unknown"),
            ("proven", "Proven"),
            ("forced", "Accepted by a manager"),
            ("reversed", "Given back"),
            ("unproven", "Without proof"),
        ],
        compute="_compute_viva_state",
        string="Card payment",
    )
    viva_transaction_id = fields.Many2one(
        "viva.transaction", compute="_compute_viva_state", string="Viva transaction"
    )

    def _compute_viva_state(self):
        """What the ledger says about each payment. The link is the payment's uuid, recorded before the charge."""
        viva = self.filtered(lambda payment: payment.payment_method_id._is_viva() and payment.uuid)
        rest = self - viva
        rest.viva_state = "none"
        rest.viva_transaction_id = False
        transactions = (
            self.env["viva.transaction"]
            .sudo()
            .search([("payment_uuid", "in", viva.mapped("uuid"))], order="id")
        )
        by_uuid = transactions.grouped("payment_uuid")
        for payment in viva:
            candidates = by_uuid.get(payment.uuid, transactions.browse()).filtered(
                lambda transaction, payment=payment: (
                    transaction.operation in PAYS
                    and transaction.order_uuid == payment.pos_order_id.uuid
                    and transaction.company_id == payment.company_id
                )
            )
            approved = candidates.filtered(lambda transaction: transaction.state == "approved")
            best = (approved or candidates.filtered("is_unsettled") or candidates)[-1:]
            payment.viva_transaction_id = best
            payment.viva_state = payment._viva_proof(best)

    def _viva_proof(self, transaction):
        if transaction.state == "unknown":
            return "unknown"
        if transaction.is_unsettled:
            return "open"
        if transaction.state != "approved" or transaction.is_contradicted:
            return "unproven"
        if transaction._reported_reversals() or transaction._is_voided():
            return "reversed"
        if self.currency_id.compare_amounts(transaction._payment_amount(), self.amount):
            return "unproven"
        if not self.pos_order_id._viva_carries_tip(transaction):
            return "unproven"
        return "forced" if transaction.is_forced else "proven"

    def _viva_headline(self):
        self.ensure_one()
        return self.env._(
            "%(order)s · %(amount)s · paid by card without an approved card payment",
            order=self.pos_order_id.pos_reference or self.pos_order_id.name,
            amount=self.currency_id.format(self.amount),
        )

    def write(self, vals):
        if {"payment_method_id", "amount", "uuid", "pos_order_id"} & vals.keys():
            changed = self.filtered(
                lambda payment: (
                    payment.pos_order_id.state != "draft"
                    and any(
                        name in vals
                        and (payment[name].id if name.endswith("_id") else payment[name])
                        != vals[name]
                        for name in ("payment_method_id", "amount", "uuid", "pos_order_id")
                    )
                )
            )
            changed._viva_refuse_change()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_viva(self):
        self.filtered(
            lambda payment: payment.pos_order_id.state not in ("draft", "cancel")
        )._viva_refuse_change()

    def _viva_refuse_change(self):
        """The card was charged: the payment of a paid order is not turned into something else by hand."""
        charged = self.filtered(
            lambda payment: payment.viva_state in ("open", "unknown", "proven", "forced")
        )
        if charged:
            raise UserError(
                self.env._(
                    "This payment was made by card and cannot be changed or deleted: %s. Give the money back instead.",
                    ", ".join(charged.viva_transaction_id.mapped("name")),
                )
            )
