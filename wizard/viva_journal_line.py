from odoo import fields, models


class VivaJournalLine(models.TransientModel):
    """A sum of the daily journal: operations that were carried out. Money given back is negative."""

    _name = "viva.journal.line"
    _description = "Sum in a Daily Journal"
    _order = "id"

    journal_id = fields.Many2one("viva.journal", required=True, ondelete="cascade", index=True)
    is_total = fields.Boolean(help="Of a whole terminal, holds left out.")
    is_hold = fields.Boolean(help="Money reserved or set free: none was taken.")
    terminal = fields.Char(readonly=True)
    session = fields.Char("POS session", readonly=True)
    operation = fields.Selection(
        [
            ("sale", "Sale"),
            ("capture", "Capture"),
            ("refund", "Refund"),
            ("void", "Void"),
            ("preauth", "Hold"),
            ("release", "Release"),
        ],
        readonly=True,
    )
    by_viva = fields.Boolean(readonly=True, help="Viva did it without Odoo's asking.")
    brand = fields.Char("Card brand", readonly=True)
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    count = fields.Integer(readonly=True)
    amount = fields.Monetary(readonly=True, help="Tip and surcharge included.")
    tip = fields.Monetary("of which tips", readonly=True)
    surcharge = fields.Monetary("of which surcharge", readonly=True)
    transactions = fields.Json(readonly=True, help="Ids of the operations that are summed up.")

    def action_open(self):
        """The operations behind this sum."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "viva_payments.action_viva_transaction"
        )
        return {**action, "domain": [("id", "in", self.transactions or [])]}
