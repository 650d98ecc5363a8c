"""Figures that can be added up: what a card payment has moved, with its sign, and the journal that it belongs to."""

from odoo import api, fields, models

from .viva_transaction import GIVES_BACK, TAKES_MONEY


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    signed_amount = fields.Monetary(
        "Money moved",
        compute="_compute_signed_amount",
        store=True,
        precompute=True,
        help="Charged: plus, given back: minus, tip and surcharge included. Holds and what was not carried out: nothing.",
    )
    signed_tip = fields.Monetary(
        "Of it tips",
        compute="_compute_signed_amount",
        store=True,
        precompute=True,
        help="See Money moved.",
    )
    signed_surcharge = fields.Monetary(
        "Of it surcharges",
        compute="_compute_signed_amount",
        store=True,
        precompute=True,
        help="See Money moved.",
    )
    journal_id = fields.Many2one(
        "account.journal",
        compute="_compute_journal_id",
        store=True,
        precompute=True,
        ondelete="set null",
        help="The bank journal of the till's payment method, or of the back office.",
    )

    # For the dashboard: what a journal has taken today, however long the ledger is.
    _journal_day = models.Index("(journal_id, sent_at) WHERE journal_id IS NOT NULL")

    @api.depends(
        "operation",
        "state",
        "is_contradicted",
        "is_forced",
        "approved_amount",
        "tip_amount",
        "surcharge_amount",
    )
    def _compute_signed_amount(self):
        for transaction in self:
            sign = transaction._sign()
            transaction.signed_amount = sign * transaction.approved_amount
            transaction.signed_tip = sign * transaction.tip_amount
            transaction.signed_surcharge = sign * transaction.surcharge_amount

    def _sign(self):
        """1: it took money, -1: it gave money back, 0: nothing has moved (a hold is no money yet)."""
        self.ensure_one()
        if not self._counts():
            return 0
        if self.operation in TAKES_MONEY:
            return 1
        # A hold that is let go gives nothing back: nothing was taken.
        return -1 if self.operation in GIVES_BACK and self.parent_id.operation != "preauth" else 0

    @api.depends("payment_method_id", "booking_id", "parent_id")
    def _compute_journal_id(self):
        """As it was when the payment was asked for: a journal chosen later does not move what is past."""
        for transaction in self:
            journal = transaction.booking_id.journal_id or transaction.payment_method_id.journal_id
            transaction.journal_id = (
                journal or transaction.parent_id.journal_id or transaction.account_id.journal_id
            )
