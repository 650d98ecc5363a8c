"""A hold: money that is reserved on a customer's card and not taken yet (cloud-terminal-api.md, 4.1)."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import format_date

from ..drivers import exponent, to_minor
from .ledger import in_ledger, is_machine

SOON_DAYS = 1
MANAGER = "viva_payments.group_viva_manager"


class VivaHold(models.Model):
    """Who left money on hold, for what, and until when. The truth about the money is its preauth in the ledger."""

    _name = "viva.hold"
    _description = "Viva Hold"
    _order = "id desc"
    _rec_names_search = ["name", "reference", "partner_id"]

    name = fields.Char(required=True, readonly=True)
    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="restrict")
    partner_id = fields.Many2one(
        "res.partner", string="Customer", readonly=True, ondelete="set null"
    )
    reference = fields.Char(readonly=True, help="What it is for: a table, a rental, a deposit.")
    currency_id = fields.Many2one("res.currency", required=True, readonly=True, ondelete="restrict")
    amount = fields.Monetary("Held", required=True, readonly=True)
    expires_on = fields.Date(
        "Lapses on",
        required=True,
        readonly=True,
        index=True,
        help="Estimated: the card's bank decides, and Viva tells nobody.",
    )
    order_uuid = fields.Char(readonly=True, index="btree_not_null")
    pos_order_id = fields.Many2one(
        "pos.order", string="POS Order", compute="_compute_pos_order_id", compute_sudo=True
    )
    parked_at = fields.Datetime(
        readonly=True, help="Since when its order waits outside of any session."
    )
    lapsed_by = fields.Many2one("res.users", "Found lapsed by", readonly=True, ondelete="restrict")
    transaction_ids = fields.One2many("viva.transaction", "hold_id", readonly=True)
    preauth_id = fields.Many2one("viva.transaction", compute="_compute_preauth", compute_sudo=True)
    captured_amount = fields.Monetary(compute="_compute_preauth", compute_sudo=True)
    state = fields.Selection(
        [
            ("asked", "Being asked for"),
            ("open", "On hold"),
            ("captured", "Captured"),
            ("released", "Released"),
            ("unknown", "Unknown"),
            ("lapsed", "Lapsed"),
            ("failed", "Not held"),
        ],
        compute="_compute_state",
        store=True,
        index=True,
    )
    is_expiring = fields.Boolean(
        "Lapses soon", compute="_compute_is_expiring", search="_search_is_expiring"
    )

    def _compute_pos_order_id(self):
        orders = self.env["pos.order"].search(
            [("uuid", "in", list(filter(None, self.mapped("order_uuid"))))]
        )
        by_uuid = {order.uuid: order for order in orders}
        for hold in self:
            hold.pos_order_id = by_uuid.get(hold.order_uuid)

    @api.depends("transaction_ids.operation", "transaction_ids.state")
    def _compute_preauth(self):
        for hold in self:
            hold.preauth_id = hold.transaction_ids.filtered(
                lambda transaction: transaction.operation == "preauth"
            )[:1]
            hold.captured_amount = hold.preauth_id.captured_amount

    @api.depends(
        "transaction_ids.operation",
        "transaction_ids.state",
        "transaction_ids.is_contradicted",
        "transaction_ids.is_forced",
        "lapsed_by",
    )
    def _compute_state(self):
        for hold in self:
            preauth = hold.transaction_ids.filtered(
                lambda transaction: transaction.operation == "preauth"
            )[:1]
            ends = hold.transaction_ids - preauth
            if preauth.state == "unknown" or "unknown" in ends.mapped("state"):
                hold.state = "unknown"
            elif preauth.state != "approved":
                hold.state = "asked" if preauth.is_unsettled or not preauth else "failed"
            else:
                done = ends.filtered(lambda transaction: transaction._counts())
                kinds = done.mapped("operation")
                hold.state = (
                    "captured"
                    if "capture" in kinds
                    else "released"
                    if set(kinds) & {"release", "void", "refund"}
                    else "lapsed"
                    if hold.lapsed_by
                    else "open"
                )

    @api.depends("state", "expires_on")
    def _compute_is_expiring(self):
        soon = fields.Date.today() + timedelta(days=SOON_DAYS)
        for hold in self:
            hold.is_expiring = hold.state == "open" and hold.expires_on <= soon

    def _search_is_expiring(self, operator, value):
        if operator != "in":
            return NotImplemented
        soon = fields.Date.today() + timedelta(days=SOON_DAYS)
        found = self._search([("state", "=", "open"), ("expires_on", "<=", soon)])
        return [("id", "in" if True in value else "not in", found)]

    @api.model
    def _open(self, name, values, days):
        """A new hold for a preauth that is being recorded."""
        return self.create(
            {
                **values["hold"],
                "name": name,
                "company_id": values["company_id"],
                "currency_id": values["currency_id"],
                "amount": values["amount"],
                "expires_on": fields.Date.today() + timedelta(days=days),
            }
        )

    def _summary(self):
        """The hold part of the till's Status."""
        self.ensure_one()
        return {
            "id": self.id,
            "state": self.state,
            "expires_on": fields.Date.to_string(self.expires_on),
            "expires_soon": self.is_expiring,
            "partner": self.partner_id.display_name or "",
            "reference": self.reference or "",
            "parked": bool(self.parked_at),
        }

    def _panel_card(self):
        """The hold as the till's panel shows it; nothing without its preauth."""
        self.ensure_one()
        preauth = self.preauth_id
        if not preauth:
            return None
        currency = self.currency_id.name
        capture = preauth._action_capture()
        if capture and capture["possible"] and self.parked_at:
            capture |= {"possible": False, "reason": self.env._("Recall its order first.")}
        actions = [
            *filter(None, [capture, preauth._action_release()]),
            *filter(
                None,
                [
                    preauth._action(
                        "check", self.env._("Check again"), "" if preauth.is_unsettled else None
                    ),
                    preauth._action(
                        "recall", self.env._("Recall the order"), "" if self.parked_at else None
                    ),
                ],
            ),
        ]
        return {
            **self._summary(),
            "name": self.name,
            "attempt": preauth.attempt,
            "state_label": dict(self._fields["state"]._description_selection(self.env))[self.state],
            "title": preauth._card_title(),
            "terminal": {
                "id": preauth.terminal_id.id,
                "name": preauth.terminal_id.display_name,
                "viva_id": preauth.terminal_viva_id,
            },
            "amount_minor": to_minor(self.amount, currency),
            "left_minor": to_minor(preauth._left(), currency),
            "digits": exponent(currency),
            "currency": currency,
            "order_uuid": self.order_uuid or "",
            "order_reference": preauth.order_reference or "",
            "actions": actions,
        }

    # -- nobody else writes ----------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        if not is_machine(self.env):
            raise UserError(self.env._("Holds are taken with a card at the till, not by hand."))
        return super().create(vals_list)

    def write(self, vals):
        if not is_machine(self.env):
            raise UserError(self.env._("A hold cannot be changed by hand."))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("A hold cannot be deleted."))

    def action_lapsed(self):
        """A manager says that the bank has given the money free: Viva tells nobody when a hold lapses."""
        self.ensure_one()
        if not self.env.user.has_group(MANAGER):
            raise AccessError(self.env._("Only a Viva manager may do this."))
        self.check_access("read")
        if self.state != "open":
            raise UserError(self.env._("Only money that is on hold can lapse."))
        refused = self.transaction_ids.filtered(
            lambda transaction: transaction.operation != "preauth" and transaction.state == "failed"
        )
        if self.expires_on >= fields.Date.today() and not refused:
            raise UserError(
                self.env._(
                    "It does not lapse before %s. Release it instead; if Viva refuses that, it has lapsed.",
                    format_date(self.env, self.expires_on),
                )
            )

        def work(env):
            hold = env["viva.hold"].browse(self.id)
            hold.write({"lapsed_by": env.uid})
            hold.preauth_id._step("person", note=env._("The hold has lapsed."))

        in_ledger(self.env, work)
        self.invalidate_recordset()
        return True

    def action_view_transactions(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "viva_payments.action_viva_transaction"
        )
        return {**action, "domain": [("hold_id", "=", self.id)]}
