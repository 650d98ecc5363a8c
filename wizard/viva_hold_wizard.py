"""Hold a deposit on a customer's card, from the back office."""

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import clean_context


class VivaHoldWizard(models.TransientModel):
    """How much is held, for what, on which terminal. The dialog that follows asks for the card."""

    _name = "viva.hold.wizard"
    _description = "Hold by card"

    partner_id = fields.Many2one("res.partner", "Customer", required=True)
    invoice_id = fields.Many2one("account.move", readonly=True)
    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, default=lambda self: self.env.company
    )
    terminal_ids = fields.Many2many("viva.terminal", compute="_compute_terminal_ids")
    terminal_id = fields.Many2one(
        "viva.terminal",
        compute="_compute_terminal_id",
        store=True,
        precompute=True,
        readonly=False,
        domain="[('id', 'in', terminal_ids)]",
    )
    known = fields.Char("What is known of it", related="terminal_id.known", related_sudo=False)
    is_demo = fields.Boolean(compute="_compute_is_demo")
    currency_id = fields.Many2one(
        "res.currency", required=True, readonly=True, default=lambda self: self._default_currency()
    )
    amount = fields.Monetary("Hold", required=True)
    reference = fields.Char(
        "What for", required=True, help="For example a rental, a room or the number of an offer."
    )
    expires_on = fields.Date("Lapses about", compute="_compute_is_demo")
    obstacle = fields.Text(compute="_compute_obstacle")

    @api.model
    def _default_currency(self):
        terminals = self._terminals_of(self.env.company)
        return terminals[:1].sudo().account_id.currency_id or self.env.company.currency_id

    @api.model
    def _terminals_of(self, company):
        """The terminals of a company on which the back office can put money on hold, the asker's last one first."""
        journals = self.env["account.journal"].search(
            [("company_id", "parent_of", company.ids), ("type", "=", "bank")]
        )
        terminals = self.env["viva.terminal"]
        for journal in journals:
            terminals += terminals._office_terminals(journal) - terminals
        return terminals.filtered(
            lambda terminal: not terminal._abilities(terminal.protocol)["preauth"]
        )

    @api.depends("company_id", "currency_id")
    def _compute_terminal_ids(self):
        for wizard in self:
            wizard.terminal_ids = wizard._terminals_of(wizard.company_id)

    @api.depends("company_id")
    def _compute_terminal_id(self):
        for wizard in self:
            wizard.terminal_id = wizard._terminals_of(wizard.company_id)[:1]

    @api.depends("terminal_id")
    def _compute_is_demo(self):
        for wizard in self:
            account = wizard.terminal_id.sudo().account_id
            wizard.is_demo = wizard.terminal_id.viva_demo
            wizard.expires_on = fields.Date.add(fields.Date.today(), days=account.hold_days)

    @api.depends("terminal_id", "currency_id", "company_id")
    def _compute_obstacle(self):
        for wizard in self:
            wizard.obstacle = wizard._obstacle() or False

    def _obstacle(self):
        """Why nothing can be held, and what to do; empty: it can."""
        if not self.terminal_ids:
            return self.env._(
                "No terminal of this company can put money on hold from here. Ask an administrator to choose the bank "
                "journal on the Viva account, and to set up a terminal that can."
            )
        if not self.terminal_id:
            return self.env._("Choose the terminal.")
        if self.terminal_id._origin not in self.terminal_ids._origin:
            return self.env._(
                "Terminal %(terminal)s cannot hold money from here. Choose one of these: %(others)s.",
                terminal=self.terminal_id.display_name,
                others=", ".join(self.terminal_ids.mapped("display_name")),
            )
        own = self.terminal_id.sudo().account_id.currency_id
        if own != self.currency_id:
            words = {"own": own.name, "currency": self.currency_id.name}
            if self.currency_id in self.terminal_ids.sudo().account_id.currency_id:
                return self.env._(
                    "This terminal takes %(own)s only: %(currency)s cannot be held. Choose another terminal.",
                    **words,
                )
            return self.env._(
                "The terminals here take %(own)s only: %(currency)s cannot be held. Hold an amount in %(own)s from the "
                "customer instead.",
                **words,
            )
        return ""

    def action_hold(self):
        """Prepare it; the dialog asks for the card."""
        self.ensure_one()
        self._check_documents()
        if self.obstacle:
            raise UserError(self.obstacle)
        if self.currency_id.compare_amounts(self.amount, 0) <= 0:
            raise UserError(self.env._("Enter how much is to be held."))
        bookings = self.env["viva.booking"].with_context(clean_context(self.env.context))
        booking = bookings._prepare(
            "preauth",
            terminal=self.terminal_id,
            currency=self.currency_id,
            amount=self.currency_id.round(self.amount),
            partner=self.partner_id,
            hold=self._values_of_hold(),
        )
        return booking._open_dialog()

    def _check_documents(self):
        """:raise AccessError: the user may not read what it is for"""
        self.partner_id.check_access("read")
        self.invoice_id.check_access("read")

    def _values_of_hold(self):
        return {"reference": self.reference, "move_id": self.invoice_id.id}
