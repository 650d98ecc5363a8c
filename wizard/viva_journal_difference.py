from odoo import api, fields, models

from ..models.viva_transaction import GIVES_BACK

DOUBTS = ("unknown", "open", "unconfirmed")


class VivaJournalDifference(models.TransientModel):
    """What Odoo and Viva tell differently about one operation, or what Odoo does not know."""

    _name = "viva.journal.difference"
    _description = "Difference in a Daily Journal"
    _order = "id"

    journal_id = fields.Many2one("viva.journal", required=True, ondelete="cascade", index=True)
    kind = fields.Selection(
        [
            ("only_viva", "Only at Viva"),
            ("only_odoo", "Only in Odoo"),
            ("amount", "Amount differs"),
            ("unknown", "Unknown in Odoo"),
            ("open", "Still open in Odoo"),
            ("unconfirmed", "Not confirmed by Viva"),
        ],
        required=True,
        readonly=True,
    )
    is_doubt = fields.Boolean(compute="_compute_is_doubt")
    at = fields.Datetime("Time", readonly=True)
    # Text, not Char: a list wraps it instead of cutting it off.
    terminal = fields.Text(readonly=True)
    operation = fields.Char(readonly=True)
    reference = fields.Text(readonly=True, help="Odoo's order and reference, as in Viva's portal.")
    session = fields.Text("Viva session", readonly=True)
    currency_id = fields.Many2one("res.currency", readonly=True)
    odoo_amount = fields.Monetary("In Odoo", readonly=True)
    viva_amount = fields.Monetary("At Viva", readonly=True)
    difference = fields.Monetary("Viva less Odoo", compute="_compute_difference")
    words = fields.Text("What to do", compute="_compute_words")
    transaction_id = fields.Many2one("viva.transaction", "Card payment", readonly=True)

    @api.depends("kind")
    def _compute_is_doubt(self):
        for finding in self:
            finding.is_doubt = finding.kind in DOUBTS

    @api.depends("odoo_amount", "viva_amount", "kind")
    def _compute_difference(self):
        for finding in self:
            # Of what is in doubt nobody knows what differs.
            differs = finding.kind not in DOUBTS
            finding.difference = (
                finding.viva_amount - finding.odoo_amount if differs else finding.viva_amount
            )

    @api.depends("kind", "transaction_id")
    @api.depends_context("lang")
    def _compute_words(self):
        for finding in self:
            finding.words = {
                "only_viva": finding._words_only_viva(),
                "only_odoo": self.env._(
                    "Viva lists no success: compare with the slip and with Viva's portal."
                ),
                "amount": self.env._("Compare with the slip; correct the books by the difference."),
                "unknown": self.env._("Check it with Viva, or decide what became of it."),
                "open": self.env._("No result yet: check it with Viva."),
                "unconfirmed": finding._words_unconfirmed(),
            }[finding.kind]

    def _words_only_viva(self):
        if not self.transaction_id:
            return self.env._(
                "Not started by this Odoo: look into Viva's portal, then give it back or book it."
            )
        if self.transaction_id.state == "approved":
            return self.env._(
                "Carried out once more within one session: look into Viva's portal, give one back."
            )
        return self.env._("Odoo says that it did not succeed: check it with Viva.")

    def _words_unconfirmed(self):
        if self.transaction_id.is_offline:
            return self.env._(
                "The terminal approved it offline; Viva does not list it. Look whether the terminal still stores payments "
                "that it has to send."
            )
        return self.env._(
            "Only the terminal says that it was carried out; a day later Viva does not list it. Compare with the slip "
            "and with Viva's portal."
        )

    @api.model
    def _of(self, transaction, kind, *, viva_amount=0.0):
        """Values of a difference about a transaction of the ledger. Amounts are signed: money given back is negative."""
        names = transaction.sudo()
        sign = -1 if transaction.operation in GIVES_BACK else 1
        amount = transaction.approved_amount if transaction.state == "approved" else 0.0
        order = transaction.order_reference
        return {
            "kind": kind,
            "at": transaction.sent_at,
            "terminal": names.terminal_id.display_name,
            "operation": transaction._kind_label(),
            "reference": " · ".join(filter(None, [order, transaction.merchant_reference])),
            "session": transaction.session_id if transaction.origin == "odoo" else False,
            "currency_id": transaction.currency_id.id,
            "odoo_amount": sign * (amount if kind not in DOUBTS else transaction.amount),
            "viva_amount": sign * viva_amount,
            "transaction_id": transaction.id,
        }

    @api.model
    def _doubt(self, transaction, *, viva_amount=0.0):
        """Values of the line for a transaction of which Odoo does not know what became."""
        kind = "unknown" if transaction.state == "unknown" else "open"
        if transaction.state == "approved":
            kind = "unconfirmed"
        return self._of(transaction, kind, viva_amount=viva_amount)

    def action_open(self):
        """The card payment in question; what is only at Viva has none."""
        self.ensure_one()
        if not self.transaction_id:
            return False
        return {
            "type": "ir.actions.act_window",
            "res_model": "viva.transaction",
            "res_id": self.transaction_id.id,
            "views": [(False, "form")],
        }
