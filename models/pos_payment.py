from odoo import api, fields, models
from odoo.exceptions import UserError

from .viva_transaction import PAYS, UNSETTLED


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

    # -- card money stays card money -------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        payments = super().create(vals_list)
        payments._viva_refuse_other_method()
        payments._viva_refuse_counterpart()
        return payments

    def write(self, vals):
        changed = self.filtered(lambda payment: payment._viva_changes(vals))
        changed._viva_refuse_change()
        result = super().write(vals)
        if {"payment_method_id", "uuid"} & vals.keys():
            self._viva_refuse_other_method()
        if {"payment_method_id", "amount", "pos_order_id"} & vals.keys():
            self._viva_refuse_counterpart()
        return result

    def _viva_changes(self, vals):
        """Whether `vals` make something else of what is paid. The till corrects the amount of an open order itself."""
        self.ensure_one()
        fixed = ["payment_method_id", "uuid"]
        if self.pos_order_id.state != "draft":
            fixed += ["amount", "pos_order_id"]
        return any(
            name in vals
            and (self[name].id if name.endswith("_id") else self[name]) != vals[name]
            and not (name == "amount" and self._viva_is_correction(vals[name]))
            for name in fixed
        )

    def _viva_is_correction(self, amount):
        """Whether the payment is made to agree with what was charged."""
        money = self._viva_money()
        return len(money) == 1 and not self.currency_id.compare_amounts(
            money._payment_amount(), amount
        )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_viva(self):
        self.filtered(
            lambda payment: payment.pos_order_id.state not in ("draft", "cancel")
        )._viva_refuse_change()

    def _viva_money(self):
        """Card payments of the ledger that stand behind these payments, or may: by their identity alone.

        Whatever somebody makes of the payment's method, its order's company or the lines of a tip, the card was charged.
        """
        known = (
            self.env["viva.transaction"]
            .sudo()
            .search(
                [
                    ("payment_uuid", "in", list(filter(None, self.mapped("uuid")))),
                    ("operation", "in", PAYS),
                    ("state", "in", (*UNSETTLED, "approved")),
                ]
            )
        )
        return known.filtered(
            lambda transaction: (
                transaction.is_unsettled
                or (
                    transaction._counts()
                    and not transaction._reported_reversals()
                    and not transaction._is_voided()
                )
            )
        )

    def _viva_refuse_change(self):
        """The card was charged: its payment is not turned into something else by hand."""
        money = self._viva_money()
        if money:
            raise UserError(
                self.env._(
                    "This payment was made by card and cannot be changed or deleted: %s. Give the money back instead.",
                    ", ".join(money.mapped("name")),
                )
            )

    def _viva_refuse_other_method(self):
        """What a card has paid is not recorded as cash, or as anything else."""
        self.filtered(
            lambda payment: not payment.payment_method_id._is_viva()
        )._viva_refuse_change()

    def _viva_refuse_counterpart(self):
        """On a paid order a card payment is not set off against an invented one with the other sign."""
        invented = self.filtered(
            lambda payment: (
                payment.pos_order_id.state != "draft"
                and payment.payment_method_id._is_viva()
                and not payment._viva_money()
            )
        )
        for payment in invented:
            others = (payment.pos_order_id.payment_ids - payment).filtered(
                lambda other, payment=payment: other.amount * payment.amount < 0
            )
            money = others._viva_money()
            if money:
                raise UserError(
                    self.env._(
                        "Order %(order)s was paid by card (%(payments)s): the money goes back by a card payment only. "
                        "Give the money back instead.",
                        order=payment.pos_order_id.pos_reference or payment.pos_order_id.name,
                        payments=", ".join(money.mapped("name")),
                    )
                )
