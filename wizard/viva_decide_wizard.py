from odoo import fields, models


class VivaDecideWizard(models.TransientModel):
    """A manager (of an invoice: an accountant) decides what became of a payment that Viva does not tell about."""

    _name = "viva.decide.wizard"
    _description = "Decide a doubtful card payment"

    transaction_id = fields.Many2one("viva.transaction", required=True, readonly=True)
    message = fields.Char(related="transaction_id.message", related_sudo=False)
    decision = fields.Selection(
        [("approved", "Yes, the money has moved"), ("failed", "No, the money has not moved")],
        required=True,
    )
    reason = fields.Char(
        required=True, help="What you have seen: the terminal's slip, Viva's portal …"
    )

    def action_decide(self):
        self.ensure_one()
        transactions, transaction = self.env["viva.transaction"], self.transaction_id
        person = transaction._person_who_decides()
        transactions._check(transaction.ids)
        transactions._decide(transaction.id, self.decision, self.reason, person)
        self.env["viva.booking"]._follow(transaction.booking_id.ids)
        return {"type": "ir.actions.client", "tag": "soft_reload"}
