"""Where the back office books what this account's terminals charge."""

from odoo import api, fields, models
from odoo.exceptions import ValidationError


class VivaAccount(models.Model):
    _inherit = "viva.account"

    journal_id = fields.Many2one(
        "account.journal",
        "Bank journal",
        domain="[('type', '=', 'bank'), ('company_id', '=', company_id)]",
        ondelete="restrict",
        index="btree_not_null",
        copy=False,
        help="Invoices are charged in this journal, with the payment method Viva terminal.",
    )
    tip_account_id = fields.Many2one(
        "account.account",
        "Tips on invoices",
        ondelete="restrict",
        copy=False,
        help="Where a tip waits that a customer adds while an invoice is charged. Empty: it stays the customer's credit.",
    )

    @api.constrains("journal_id", "company_id", "tip_account_id")
    def _check_journal(self):
        for account in self:
            journal = account.journal_id
            if journal and (journal.type != "bank" or journal.company_id != account.company_id):
                raise ValidationError(
                    self.env._("Choose a bank journal of company %s.", account.company_id.name)
                )
            tips = account.tip_account_id
            if tips and account.company_id not in tips.company_ids:
                raise ValidationError(
                    self.env._("The account for tips belongs to another company.")
                )

    @api.model_create_multi
    def create(self, vals_list):
        accounts = super().create(vals_list)
        accounts.journal_id._viva_offer()
        return accounts

    def write(self, vals):
        result = super().write(vals)
        if vals.get("journal_id"):
            self.journal_id._viva_offer()
        return result
