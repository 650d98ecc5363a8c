"""What the back office charges with: beside the journal and the tips, installments of its own."""

from odoo import fields, models


class VivaAccount(models.Model):
    _inherit = "viva.account"

    installment_ids = fields.One2many(
        "viva.installment.band",
        "account_id",
        string="Installments",
        help="Greece only. From each amount on, up to so many monthly parts are offered when an invoice is charged.",
    )
