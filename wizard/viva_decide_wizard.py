from odoo import fields, models


class VivaDecideWizard(models.TransientModel):
    """A manager decides what became of a payment that Viva does not tell about."""

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
        transactions = self.env["viva.transaction"]
        transactions._require_cashier()
        person = transactions._deciding_person(None)
        self.transaction_id.check_access("read")
        transactions._check(self.transaction_id.ids)
        transactions._decide(self.transaction_id.id, self.decision, self.reason, person)
        return {"type": "ir.actions.client", "tag": "soft_reload"}
