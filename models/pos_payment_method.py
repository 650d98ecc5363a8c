"""The only Python file that touches names which Odoo 20 changes (`use_payment_terminal` and its hooks)."""

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..drivers import to_minor

CODE = "viva"
_CHANGED_WHILE_OPEN = {
    "viva_terminal_ids",
    "viva_installment_ids",
    "viva_tip_policy",
    "viva_tip_account_id",
}


class PosPaymentMethod(models.Model):
    _inherit = "pos.payment.method"

    viva_terminal_ids = fields.Many2many(
        "viva.terminal",
        string="Viva Terminals",
        check_company=True,
        help="The till remembers which of them is its own and lets the cashier switch.",
    )
    viva_demo = fields.Boolean(compute="_compute_viva_demo", string="No money moves")
    viva_installment_ids = fields.One2many(
        "viva.installment.band",
        "payment_method_id",
        string="Installments",
        help="Greece only. From each amount on, up to so many monthly parts are offered.",
    )
    viva_installment_bands = fields.Json(
        compute="_compute_viva_installment_bands", help="[[from, in minor units; up to n], …]"
    )
    viva_tip_policy = fields.Selection(
        [
            ("ask", "The till asks"),
            ("product", "On the order, as the tip product"),
            ("account", "In an account of its own"),
        ],
        "Tips on the terminal",
        default="ask",
        required=True,
        help="What a customer adds on the terminal is never change. The tip product is that of the Point of Sale; an "
        "account of its own is booked when the session is closed.",
    )
    viva_tip_account_id = fields.Many2one(
        "account.account",
        "Tip account",
        check_company=True,
        domain="[('account_type', 'not in', ('asset_receivable', 'liability_payable'))]",
        help="Where tips wait that are passed on to the staff.",
    )

    def _get_payment_terminal_selection(self):
        return [*super()._get_payment_terminal_selection(), (CODE, "Viva.com")]

    def _is_viva(self):
        self.ensure_one()
        return self.use_payment_terminal == CODE

    @api.depends("viva_terminal_ids.account_id.environment")
    def _compute_viva_demo(self):
        for method in self:
            method.viva_demo = any(
                terminal.viva_demo for terminal in method.sudo().viva_terminal_ids
            )

    @api.model
    def _load_pos_data_fields(self, config):
        return [
            *super()._load_pos_data_fields(config),
            "viva_terminal_ids",
            "viva_demo",
            "viva_installment_bands",
            "viva_tip_policy",
        ]

    @api.depends("viva_installment_ids.amount_from", "viva_installment_ids.installments")
    def _compute_viva_installment_bands(self):
        for method in self:
            bands = method.sudo().viva_installment_ids.sorted("amount_from")
            method.viva_installment_bands = [
                [to_minor(band.amount_from, band.currency_id.name), band.installments]
                for band in bands
            ]

    def _viva_installments(self, amount_minor):
        """Up to how many installments are offered for an amount in minor units; 0 is none."""
        self.ensure_one()
        bands = self.viva_installment_bands or []
        fitting = [most for begins, most in bands if begins <= amount_minor]
        return fitting[-1] if fitting else 0

    def _is_write_forbidden(self, fields):
        # A broken terminal is replaced while the shop is open; what is asked for next may change too.
        return super()._is_write_forbidden(fields - _CHANGED_WHILE_OPEN)

    def write(self, vals):
        # Another integration empties the terminal's provider, too.
        other = vals.get("use_payment_terminal", CODE) != CODE
        if other or vals.get("payment_method_type", "terminal") != "terminal":
            used = self.env["viva.transaction"].sudo()
            if used.search_count([("payment_method_id", "in", self.ids)], limit=1):
                raise UserError(
                    self.env._(
                        "This payment method has taken card payments through Viva. Archive it and create another one."
                    )
                )
        return super().write(vals)

    @api.onchange("use_payment_terminal")
    def _onchange_use_payment_terminal(self):
        result = super()._onchange_use_payment_terminal()
        if self.use_payment_terminal != CODE:
            self.viva_terminal_ids = False
        return result

    @api.constrains(
        "use_payment_terminal",
        "journal_id",
        "viva_terminal_ids",
        "viva_tip_policy",
        "viva_tip_account_id",
    )
    def _check_viva(self):
        for method in self:
            if method.viva_terminal_ids and not method._is_viva():
                raise ValidationError(
                    self.env._(
                        "Viva terminals need a payment method with the integration Viva.com."
                    )
                )
            if method._is_viva() and method.type != "bank":
                raise ValidationError(
                    self.env._(
                        "Card money goes through a bank journal, not through cash or a customer's account: choose a bank "
                        "journal for payment method %s.",
                        method.name,
                    )
                )
            if method.viva_tip_policy == "account" and not method.viva_tip_account_id:
                raise ValidationError(
                    self.env._(
                        "Choose the account in which tips wait, or another way to book them."
                    )
                )
            if method._is_viva() and len(set(method.viva_terminal_ids.mapped("viva_demo"))) > 1:
                raise ValidationError(
                    self.env._(
                        "Demo and live terminals cannot share a payment method: nobody could tell them apart."
                    )
                )

    @api.model
    def _viva_create(self, account):
        """A payment method with all terminals of `account`, on a bank journal of its company.

        The caller has checked that the user is a Viva administrator.
        """
        self = self.sudo()
        terminals = account.terminal_ids
        if not terminals:
            raise UserError(
                self.env._("This account has no terminals yet. Press Find terminals first.")
            )
        journal = self.env["account.journal"].search(
            [("type", "=", "bank"), ("company_id", "=", account.company_id.id)], limit=1
        )
        if not journal:
            raise UserError(
                self.env._(
                    "The company has no bank journal. Create one in Accounting, then create the payment method."
                )
            )
        existing = self.search([("viva_terminal_ids", "in", terminals.ids)], limit=1)
        if existing:
            existing.viva_terminal_ids |= terminals
            return existing
        return self.create(
            {
                "name": self.env._("Card (Viva.com)"),
                "company_id": account.company_id.id,
                "journal_id": journal.id,
                "payment_method_type": "terminal",
                "use_payment_terminal": CODE,
                "viva_terminal_ids": [(6, 0, terminals.ids)],
            }
        )
