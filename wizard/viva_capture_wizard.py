"""Take what is on hold, for an invoice or as an advance of the customer."""

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import clean_context

from ..models.ways import APP


class VivaCaptureWizard(models.TransientModel):
    """How much of a hold is taken and what it pays. The dialog that follows captures it."""

    _name = "viva.capture.wizard"
    _description = "Capture a hold"

    hold_id = fields.Many2one("viva.hold", required=True, domain="[('id', 'in', hold_ids)]")
    hold_ids = fields.Many2many("viva.hold", readonly=True)
    has_choice = fields.Boolean(compute="_compute_has_choice")
    state = fields.Selection(related="hold_id.state", related_sudo=False)
    company_id = fields.Many2one(related="hold_id.company_id", related_sudo=False)
    currency_id = fields.Many2one(related="hold_id.currency_id", related_sudo=False)
    held = fields.Monetary(related="hold_id.amount", related_sudo=False)
    expires_on = fields.Date(related="hold_id.expires_on", related_sudo=False)
    card = fields.Char(compute="_compute_place")
    is_demo = fields.Boolean(compute="_compute_place")
    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        compute="_compute_partner_id",
        store=True,
        precompute=True,
        readonly=False,
    )
    has_partner = fields.Boolean(compute="_compute_has_choice")
    invoice_id = fields.Many2one(
        "account.move", readonly=True, help="The invoice on which the button was pressed."
    )
    move_ids = fields.Many2many(
        "account.move",
        string="Invoices",
        compute="_compute_move_ids",
        store=True,
        precompute=True,
        readonly=False,
        domain="[('id', 'in', candidate_ids)]",
    )
    candidate_ids = fields.Many2many("account.move", compute="_compute_candidate_ids")
    amount = fields.Monetary(
        "Capture", compute="_compute_amount", store=True, precompute=True, readonly=False
    )
    journal_id = fields.Many2one("account.journal", compute="_compute_place")
    via = fields.Selection(
        [("terminal", "On a terminal"), ("api", "Without a terminal")],
        "By way of",
        required=True,
        compute="_compute_via",
        store=True,
        precompute=True,
        readonly=False,
    )
    terminal_ids = fields.Many2many("viva.terminal", compute="_compute_place")
    terminal_id = fields.Many2one(
        "viva.terminal",
        compute="_compute_terminal_id",
        store=True,
        precompute=True,
        readonly=False,
        domain="[('id', 'in', terminal_ids)]",
    )
    known = fields.Char("What is known of it", related="terminal_id.known", related_sudo=False)
    hint = fields.Text(compute="_compute_hint")
    obstacle = fields.Text(compute="_compute_hint")

    @api.depends("hold_id", "hold_ids")
    def _compute_has_choice(self):
        for wizard in self:
            wizard.has_choice = len(wizard.hold_ids) > 1
            wizard.has_partner = bool(wizard.hold_id.partner_id)

    # -- what it pays ----------------------------------------------------------------------------

    @api.depends("hold_id")
    def _compute_partner_id(self):
        for wizard in self:
            wizard.partner_id = wizard.hold_id.partner_id or wizard.partner_id

    @api.depends("hold_id", "partner_id")
    def _compute_candidate_ids(self):
        for wizard in self:
            wizard.candidate_ids = wizard._candidates()

    def _candidates(self):
        """The invoices of the customer that are not paid yet, those that the hold is for first."""
        moves = self.env["account.move"]
        hold, customer = self.hold_id._origin, self.partner_id._origin.commercial_partner_id
        if not hold:
            return moves
        possible = (
            Domain("move_type", "in", ("out_invoice", "out_receipt"))
            & Domain("state", "in", ("draft", "posted"))
            & Domain("payment_state", "in", ("not_paid", "partial"))
            & Domain("currency_id", "=", hold.currency_id.id)
            & Domain("company_id", "child_of", hold.company_id.ids)
            & Domain("commercial_partner_id", "=", customer.id)
        )
        found = moves.search(possible, order="invoice_date_due, id")
        return (hold._own_invoices() & found) | found

    @api.depends("hold_id", "partner_id")
    def _compute_move_ids(self):
        for wizard in self:
            wizard.move_ids = wizard._named_invoices() & wizard._candidates()

    def _named_invoices(self):
        """The invoice on which the button was pressed, or those that the hold is for (see bridges)."""
        return self.invoice_id._origin or self.hold_id._origin._own_invoices()

    @api.depends("hold_id", "move_ids")
    def _compute_amount(self):
        for wizard in self:
            wizard.amount = wizard._proposal()

    def _proposal(self):
        """As much as the invoices cost, at most what is held."""
        left = self._left()
        return min(left, self._open_amount()) if self.move_ids else left

    def _left(self):
        return self.hold_id.sudo().preauth_id._left() if self.hold_id else 0.0

    def _open_amount(self):
        return sum(move._viva_open_amount() for move in self.move_ids)

    # -- where it takes place --------------------------------------------------------------------

    @api.depends("hold_id")
    def _compute_place(self):
        for wizard in self:
            preauth = wizard.hold_id.preauth_id
            wizard.card = preauth._card_title() if preauth else False
            wizard.is_demo = preauth.is_demo
            wizard.journal_id = preauth.sudo().account_id.journal_id
            wizard.terminal_ids = wizard._terminals()

    def _terminals(self):
        """The terminals that can capture it, the one that holds it first."""
        preauth, terminals = self.hold_id.preauth_id, self.env["viva.terminal"]
        if not preauth:
            return terminals
        found = terminals.search(
            [("account_id", "=", preauth.sudo().account_id.id), ("protocol", "!=", APP)]
        )
        own = preauth.terminal_id & found
        return (own | found).filtered(
            lambda terminal: (
                not (
                    terminal._abilities(terminal.protocol)["capture"]
                    or preauth._obstacle_across(terminal.protocol)
                )
            )
        )

    @api.depends("hold_id")
    def _compute_terminal_id(self):
        for wizard in self:
            wizard.terminal_id = wizard._terminals()[:1]

    @api.depends("hold_id")
    def _compute_via(self):
        for wizard in self:
            wizard.via = "terminal" if wizard._terminals() or not wizard.hold_id else "api"

    # -- what stands in the way ------------------------------------------------------------------

    @api.depends("hold_id", "partner_id", "move_ids", "amount", "via", "terminal_id")
    def _compute_hint(self):
        for wizard in self:
            wizard.hint = "\n".join(wizard._hints()) if wizard.hold_id else False
            wizard.obstacle = wizard._obstacle() if wizard.hold_id else False

    def _hints(self):
        currency, hints = self.currency_id, []
        rest = currency.round(self._left() - self.amount)
        if currency.compare_amounts(rest, 0) > 0:
            hints.append(
                self.env._(
                    "A hold is captured once: Viva releases the other %s.", currency.format(rest)
                )
            )
        beyond = currency.round(self.amount - self._open_amount())
        if not self.move_ids:
            hints.append(self.env._("No invoice is chosen: it becomes a credit of the customer."))
        elif currency.compare_amounts(beyond, 0) > 0:
            hints.append(
                self.env._(
                    "%s more than the invoices cost: that becomes a credit of the customer.",
                    currency.format(beyond),
                )
            )
        if any(move.state == "draft" for move in self.move_ids):
            hints.append(self.env._("A draft invoice is matched with it as soon as it is posted."))
        return hints

    def _obstacle(self):
        """Why it cannot be captured, and what to do; empty: it can."""
        return (
            self.hold_id._obstacle_in_office()
            or self._obstacle_of_customer()
            or self._obstacle_of_place()
            or self._obstacle_of_amount()
        )

    def _obstacle_of_customer(self):
        """What one customer's card holds pays nobody else's invoices."""
        holder = self.hold_id.partner_id
        if not holder or self.partner_id.commercial_partner_id == holder.commercial_partner_id:
            return ""
        return self.env._(
            "This money is on hold for %s: choose that customer. Others are charged anew.",
            holder.display_name,
        )

    def _obstacle_of_place(self):
        preauth = self.hold_id.sudo().preauth_id
        if not self.journal_id:
            return self.env._(
                "Viva account %s has no bank journal yet. Ask an administrator to choose it there.",
                preauth.account_id.name,
            )
        if preauth.account_id.currency_id != self.currency_id:
            return self.env._(
                "This money is held in %(currency)s, but Viva account %(account)s takes %(own)s by now. Ask an administrator "
                "to correct the currency of the account.",
                currency=self.currency_id.name,
                account=preauth.account_id.name,
                own=preauth.account_id.currency_id.name,
            )
        if not self._method_line():
            return self.env._(
                "Journal %s has no payment method Viva terminal for incoming payments. Add it there.",
                self.journal_id.display_name,
            )
        if self.via == "api":
            return preauth._refusal_of_api()
        if not self.terminal_id:
            return self.env._("Choose the terminal.")
        if self.terminal_id._origin not in self._terminals():
            return self.env._(
                "Terminal %s cannot capture this hold. Choose one that is offered.",
                self.terminal_id.display_name,
            )
        return self.terminal_id.sudo()._refusal()

    def _obstacle_of_amount(self):
        if not self.partner_id:
            return self.env._("Choose the customer.")
        if self.currency_id.compare_amounts(self.amount, 0) <= 0:
            return self.env._("Enter how much is to be captured.")
        if self.currency_id.compare_amounts(self.amount, self._left()) > 0:
            return self.env._(
                "Only %s is on hold: no more can be captured.",
                self.currency_id.format(self._left()),
            )
        return ""

    def _company_of(self, moves):
        """Where it is booked: an invoice of a branch is paid there, also in its parent company's journal."""
        return moves.company_id if len(moves.company_id) == 1 else self.journal_id.company_id

    def _method_line(self):
        return self.journal_id.inbound_payment_method_line_ids.filtered(
            lambda line: line.code == "viva"
        )[:1]

    # -- buttons ---------------------------------------------------------------------------------

    def action_capture(self):
        """Prepare it; the dialog captures it."""
        self.ensure_one()
        self.hold_id.check_access("read")
        self.partner_id.check_access("read")
        self.env["viva.booking"]._require("capture")
        if self.obstacle:
            raise UserError(self.obstacle)
        if self.move_ids - self._candidates():
            raise UserError(
                self.env._(
                    "An invoice was paid or changed meanwhile, or is that of another customer. Choose again."
                )
            )
        # As the hold names them: the one that it is for is paid first.
        moves = self._candidates() & self.move_ids
        lines = self.env["account.move.line"]
        for move in moves:
            lines += move._viva_lines_to_pay()
        preauth, hold = self.hold_id.preauth_id, self.hold_id
        customer = self.partner_id.with_company(self.journal_id.company_id)
        bookings = self.env["viva.booking"].with_context(clean_context(self.env.context))
        booking = bookings._prepare(
            "capture",
            terminal=self.terminal_id if self.via == "terminal" else preauth.terminal_id,
            currency=self.currency_id,
            amount=self.currency_id.round(self.amount),
            via=self.via,
            partner=customer.commercial_partner_id if moves else customer,
            journal=self.journal_id,
            method_line=self._method_line(),
            lines=lines,
            parent=preauth,
            memo=", ".join(filter(None, [hold.name, hold.reference])),
            destination=lines[:1].account_id or customer.property_account_receivable_id,
            hold=self._values_of_hold(),
            company=self._company_of(moves),
        )
        return booking._open_dialog()

    def _values_of_hold(self):
        """What the booking keeps of the hold (see bridges)."""
        return self.hold_id._values_for_booking()
