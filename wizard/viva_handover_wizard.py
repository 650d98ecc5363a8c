from odoo import api, fields, models


class VivaHandoverWizard(models.TransientModel):
    """Names what is in doubt in a session, and hands it to the accountant so that the session can be closed."""

    _name = "viva.handover.wizard"
    _description = "Hand card payments over to the accountant"

    session_id = fields.Many2one("pos.session", required=True, readonly=True)
    findings = fields.Text(compute="_compute_findings")
    reason = fields.Char(required=True)

    @api.depends("session_id")
    def _compute_findings(self):
        for wizard in self:
            wizard.session_id.check_access("read")
            transactions, payments = wizard.session_id._viva_findings()
            lines = [transaction._finding() for transaction in transactions]
            lines += [payment._viva_headline() for payment in payments]
            wizard.findings = "\n".join(lines)

    def action_hand_over(self):
        self.ensure_one()
        self.session_id.check_access("read")
        transactions, payments = self.session_id._viva_findings()
        self.env["viva.handover"]._record(self.session_id, transactions, payments, self.reason)
        return {"type": "ir.actions.client", "tag": "soft_reload"}
