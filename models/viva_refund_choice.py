"""What two dialogs have in common that give card money back: on a terminal or without one, and what stands in the way."""

from odoo import fields, models


class VivaRefundChoice(models.AbstractModel):
    _name = "viva.refund.choice"
    _description = "How card money is given back"

    viva_refund_via = fields.Selection(
        [("terminal", "On a terminal"), ("api", "Without card and terminal")],
        "By way of",
        default="terminal",
    )
    viva_refund_terminal_id = fields.Many2one(
        "viva.terminal",
        "Terminal",
        compute="_compute_viva_refund_terminal_id",
        store=True,
        readonly=False,
        domain="[('id', 'in', viva_refund_terminal_ids)]",
    )
    viva_refund_terminal_ids = fields.Many2many(
        "viva.terminal", compute="_compute_viva_refund_terminal_ids"
    )

    def _viva_refund_parent(self):
        """The card payment of which something is given back, in superuser mode."""
        raise NotImplementedError

    def _viva_refund_amount(self):
        raise NotImplementedError

    def _compute_viva_refund_terminal_ids(self):
        for wizard in self:
            account = wizard._viva_refund_parent().account_id
            wizard.viva_refund_terminal_ids = self.env["viva.terminal"].search(
                [("account_id", "in", account.ids)]
            )

    def _compute_viva_refund_terminal_id(self):
        for wizard in self:
            possible = wizard.viva_refund_terminal_ids._origin
            own = possible.filtered(
                lambda terminal, wizard=wizard: (
                    terminal.id == wizard._viva_refund_parent().terminal_id.id
                )
            )
            wizard.viva_refund_terminal_id = own or possible[:1]

    def _viva_refund_obstacle(self):
        """Why nothing can be given back in this way, and what to do; empty: it can."""
        parent, amount = self._viva_refund_parent(), self._viva_refund_amount()
        currency = parent.currency_id
        obstacle = parent._obstacle_of_money_back()
        if obstacle is None:
            return self.env._("Only money that was taken can be given back.")
        if obstacle:
            return obstacle
        if currency.compare_amounts(amount, 0) <= 0:
            return self.env._("Enter how much is given back.")
        most = parent._books_left()
        if currency.compare_amounts(amount, most) > 0:
            return self.env._(
                "Only %(left)s of this card payment is left. Enter at most so much.",
                left=currency.format(most),
            )
        if self.viva_refund_via == "api":
            return parent._refusal_of_api()
        return self._viva_refund_obstacle_at_terminal(parent, amount)

    def _viva_refund_obstacle_at_terminal(self, parent, amount):
        terminal = self.viva_refund_terminal_id._origin.sudo()
        if not terminal:
            return self.env._("Choose the terminal.")
        if terminal.account_id != parent.account_id:
            return self.env._(
                "The original payment was made with another Viva account. Choose one of its terminals: %s.",
                parent.terminal_id.display_name,
            )
        if terminal.id not in self.viva_refund_terminal_ids._origin.ids:
            return self.env._(
                "Terminal %s cannot be used for this. Choose one that is offered.",
                terminal.display_name,
            )
        refusal = terminal._refusal()
        if refusal:
            return refusal
        is_part = parent.currency_id.compare_amounts(amount, parent._net_amount()) < 0
        early = parent._partial_obstacle() if is_part else ""
        if not early:
            return ""
        other = (
            self.env._("Choose another way to pay, or wait.")
            if parent._refusal_of_api()
            else self.env._("Without card and terminal you can try it now.")
        )
        return f"{early} {other}"

    def _viva_refund_words_beyond(self):
        """What goes back beyond the amount when all of it does."""
        parent = self._viva_refund_parent()
        if not parent or parent.currency_id.compare_amounts(
            self._viva_refund_amount(), parent._net_amount()
        ):
            return ""
        extras = parent._extras(parent._left())
        beyond = extras["tip_amount"] + extras["surcharge_amount"]
        if not beyond:
            return ""
        return self.env._(
            "With the whole payment, tip and surcharge go back as well: %s.",
            parent.currency_id.format(beyond),
        )
