"""The choice of a terminal and of installments, for each dialog in which a customer's card is charged."""

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..drivers import VIVA_CURRENCIES, to_minor
from ..models.ways import LAN

MOST_INSTALLMENTS = 36


class VivaChargeMixin(models.AbstractModel):
    """Whoever inherits says where it is booked (`_viva_journal`), how much (`_viva_money`), and what else is in the way."""

    _name = "viva.charge.mixin"
    _description = "Choice of a Viva terminal"

    viva_terminal_ids = fields.Many2many("viva.terminal", compute="_compute_viva_terminal_ids")
    viva_terminal_id = fields.Many2one(
        "viva.terminal",
        "Terminal",
        compute="_compute_viva_terminal_id",
        store=True,
        readonly=False,
        domain="[('id', 'in', viva_terminal_ids)]",
    )
    viva_terminal_known = fields.Char(related="viva_terminal_id.known", related_sudo=True)
    viva_is_demo = fields.Boolean(compute="_compute_viva_obstacle")
    viva_most_installments = fields.Integer(compute="_compute_viva_most_installments")
    viva_installment_choices = fields.Json(compute="_compute_viva_most_installments")
    viva_installments = fields.Selection(
        selection=lambda self: self._viva_installment_selection(),
        string="Installments",
        compute="_compute_viva_installments",
        store=True,
        readonly=False,
        help="The most that is offered. The customer decides on the terminal, and may take fewer or none.",
    )
    viva_obstacle = fields.Text(compute="_compute_viva_obstacle")
    viva_warning = fields.Text(compute="_compute_viva_obstacle")
    viva_booking_id = fields.Many2one(
        "viva.booking", readonly=True, copy=False, help="What this dialog has prepared already."
    )

    # -- of whoever inherits ---------------------------------------------------------------------

    @api.model
    def _viva_rests_on(self):
        """The names of the fields on which all of it depends."""
        return []

    def _viva_journal(self):
        """The journal in which it is booked, empty while no card is meant."""
        return self.env["account.journal"]

    def _viva_money(self):
        """Currency and amount, in major units."""
        return self.env["res.currency"], 0.0

    def _viva_moves(self):
        """The invoices that are paid."""
        return self.env["account.move"]

    def _viva_obstacle_of_document(self):
        """Why what is to be paid cannot be paid by card, or an empty string."""
        return ""

    # -- choices ---------------------------------------------------------------------------------

    @api.model
    def _viva_installment_selection(self):
        offers = [
            (str(number), self.env._("Up to %s installments", number))
            for number in range(2, MOST_INSTALLMENTS + 1)
        ]
        return [("0", self.env._("No installments")), *offers]

    @api.depends(lambda self: self._viva_rests_on())
    def _compute_viva_terminal_ids(self):
        for wizard in self:
            journal = wizard._viva_journal()
            terminals = self.env["viva.terminal"]
            wizard.viva_terminal_ids = terminals._office_terminals(journal) if journal else False

    @api.depends("viva_terminal_ids")
    def _compute_viva_terminal_id(self):
        for wizard in self:
            choices = wizard.viva_terminal_ids._origin
            if wizard.viva_terminal_id not in choices:
                wizard.viva_terminal_id = choices[:1]

    @api.depends(lambda self: ["viva_terminal_id", *self._viva_rests_on()])
    def _compute_viva_most_installments(self):
        for wizard in self:
            most = wizard._viva_most()
            wizard.viva_most_installments = most
            wizard.viva_installment_choices = ["0", *map(str, range(2, most + 1))]

    def _viva_most(self):
        """Up to how many installments can be offered; 0 is none."""
        terminal = self.viva_terminal_id.sudo()
        minor = self._viva_minor()
        if not terminal or not minor or terminal._abilities(terminal.protocol)["installments"]:
            return 0
        return terminal.account_id.installment_ids._most(minor)

    @api.depends("viva_most_installments")
    def _compute_viva_installments(self):
        for wizard in self:
            most = wizard.viva_most_installments
            if int(wizard.viva_installments or 0) > most:
                # For a smaller amount fewer are offered.
                wizard.viva_installments = str(most) if most > 1 else "0"
            wizard.viva_installments = wizard.viva_installments or "0"

    def _viva_minor(self):
        """The amount in minor units; None where a card cannot be charged that much."""
        currency, amount = self._viva_money()
        try:
            return to_minor(amount, currency.name)
        except ValueError:
            return None

    # -- what stands in the way ------------------------------------------------------------------

    @api.depends(lambda self: ["viva_terminal_id", *self._viva_rests_on()])
    def _compute_viva_obstacle(self):
        for wizard in self:
            is_meant = bool(wizard._viva_journal())
            wizard.viva_obstacle = wizard._viva_find_obstacle() if is_meant else False
            wizard.viva_warning = wizard._viva_find_warning() if is_meant else False
            wizard.viva_is_demo = is_meant and wizard.viva_terminal_id.viva_demo

    def _viva_find_obstacle(self):
        """Why no card can be charged for this, and what to do; empty: it can."""
        return (
            self._viva_obstacle_of_document()
            or self._viva_obstacle_of_journal()
            or self._viva_obstacle_of_currency()
            or self._viva_obstacle_of_amount()
            or self._viva_obstacle_of_terminal()
        )

    def _viva_obstacle_of_journal(self):
        journal = self._viva_journal()
        accounts = journal._viva_accounts()
        if not accounts:
            return self.env._(
                "No Viva account is booked in journal %s. Choose another journal, or have an administrator choose this "
                "one on the Viva account.",
                journal.display_name,
            )
        if not self.viva_terminal_ids:
            return self.env._(
                "Viva account %s has no terminal that you may use. Ask an administrator: terminals are found on the "
                "Viva account.",
                accounts[:1].name,
            )
        return ""

    def _viva_obstacle_of_currency(self):
        currency, _amount = self._viva_money()
        terminal = self.viva_terminal_id or self.viva_terminal_ids[:1]
        if currency.name not in VIVA_CURRENCIES:
            return self.env._(
                "Viva takes no payments in %s. Choose another payment method.", currency.name
            )
        return self.env["viva.booking"]._refusal_of_currency(terminal, currency)

    def _viva_obstacle_of_amount(self):
        currency, amount = self._viva_money()
        if currency.compare_amounts(amount, 0) <= 0:
            return self.env._("Enter the amount that is to be charged.")
        if self._viva_minor() is None:
            return self.env._(
                "%s has more decimals than a card can be charged with. Enter an amount in whole cents.",
                currency.format(amount),
            )
        return ""

    def _viva_obstacle_of_terminal(self):
        if not self.viva_terminal_id:
            return self.env._("Choose the terminal.")
        if self.viva_terminal_id._origin not in self.viva_terminal_ids._origin:
            return self.env._(
                "What terminal %(terminal)s charges is not booked in journal %(journal)s. Choose one of these: %(others)s.",
                terminal=self.viva_terminal_id.display_name,
                journal=self._viva_journal().display_name,
                others=", ".join(self.viva_terminal_ids.mapped("display_name")),
            )
        return self.viva_terminal_id.sudo()._refusal()

    def _viva_find_warning(self):
        """Why it cannot be started at this very moment, and what to do; it may be gone in a minute."""
        if claimed := self._viva_claimed():
            return claimed
        terminal = self.viva_terminal_id.sudo()
        if not terminal:
            return ""
        if terminal.protocol in LAN and (refusal := terminal._gateway_refusal()):
            return refusal
        if busy := terminal.busy_transaction_id:
            return self.env._(
                "Terminal %(terminal)s is busy with %(payment)s. Wait until that is done, or choose another terminal.",
                terminal=terminal.display_name,
                payment=busy.name,
            )
        return ""

    def _viva_claimed(self):
        """Who is charging one of these invoices already."""
        claim = self._viva_moves()._viva_claims()[:1]
        booking = claim.booking_id
        if not booking or booking == self.viva_booking_id.sudo():
            return ""
        return claim._words_of_claim(booking)

    # -- charge ----------------------------------------------------------------------------------

    def _viva_charge(self):
        """The dialog that charges what was prepared. Pressed again, the same dialog and not a second charge.

        :raise UserError: it cannot be, in words for the person
        """
        self.ensure_one()
        booking = self.viva_booking_id
        if booking.state == "prepared" and not self._viva_is_same(booking):
            booking.abort(booking.attempt)
        if booking.state not in (False, "not_done"):
            return booking._open_dialog()
        # As it is now, not as it was when the dialog was opened.
        self.viva_terminal_id.invalidate_recordset(["busy_transaction_id"])
        refusal = self._viva_find_obstacle() or self._viva_find_warning()
        if refusal:
            raise UserError(refusal)
        self.viva_booking_id = self._viva_prepare()
        return self.viva_booking_id._open_dialog()

    def _viva_is_same(self, booking):
        """Whether this was prepared already."""
        currency, amount = self._viva_money()
        return (
            booking.currency_id == currency
            and currency.compare_amounts(booking.amount, amount) == 0
            and booking.terminal_id == self.viva_terminal_id
            and booking.max_installments == int(self.viva_installments or 0)
        )

    def _viva_prepare(self):
        """The booking, with its draft payment."""
        raise NotImplementedError
