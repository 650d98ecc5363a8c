from odoo import fields, models

from .account_payment_method import VIVA


class AccountJournal(models.Model):
    _inherit = "account.journal"

    viva_account_ids = fields.One2many(
        "viva.account", "journal_id", "Viva accounts", readonly=True, groups="base.group_user"
    )

    def _viva_accounts(self):
        """The Viva accounts whose back office payments are booked in this journal, in superuser mode."""
        self.ensure_one()
        return self.env["viva.account"].sudo().search([("journal_id", "=", self.id)])

    def _viva_offer(self):
        """Offer the method Viva terminal here, both ways, with outstanding accounts."""
        for journal in self.sudo():
            for direction in ("inbound", "outbound"):
                lines = journal[f"{direction}_payment_method_line_ids"]
                own = lines.filtered(lambda line: line.code == VIVA)
                if not own:
                    method = self.env.ref(f"viva_payments.payment_method_{direction}")
                    own = own.create(
                        {
                            "payment_method_id": method.id,
                            "journal_id": journal.id,
                            # Never what Odoo proposes by itself.
                            "sequence": 100,
                        }
                    )
                for line in own.filtered(lambda line: not line.payment_account_id):
                    payment = self.env["account.payment"].with_company(journal.company_id)
                    draft = payment.new(
                        {"journal_id": journal.id, "company_id": journal.company_id.id}
                    )
                    line.payment_account_id = draft._get_outstanding_account(direction)
