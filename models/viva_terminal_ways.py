"""Ways to a terminal: which protocols a till may use on it, what each can do there, and what is done instead."""

from dataclasses import replace

from odoo import api, fields, models

from ..drivers import CAPABILITIES_OF, Operation, to_minor
from ..drivers.capabilities import PAYDROID, PROLIN
from .refused import Refused
from .ways import APP, LAN

ABILITIES = (
    *(operation.value for operation in Operation),
    "abort",
    "installments",
    "tip",
    "partial",
    "unreferenced",
)
# What Viva's transactions API does as well, once it knows the payment.
BY_API = ("capture", "refund", "void", "release")


class VivaTerminal(models.Model):
    _inherit = "viva.terminal"

    viva_ways = fields.Json(
        compute="_compute_viva_ways", help="For the till: each way to this terminal."
    )

    @api.depends("protocol", "account_id")
    @api.depends_context("lang")
    def _compute_viva_ways(self):
        for terminal in self:
            terminal.viva_ways = [terminal._way(protocol) for protocol in terminal._protocols()]

    def _way(self, protocol):
        return {
            "protocol": protocol,
            "on_device": protocol == APP,
            "abilities": self._abilities(protocol),
            "fallback": {
                operation: way
                for operation in BY_API
                if (way := self._fallback(operation, protocol))
            },
        }

    def _protocols(self):
        """The protocols by which a till may use this terminal, its own one first."""
        self.ensure_one()
        if self.protocol != APP and self._has_app():
            return [self.protocol, APP]
        return [self.protocol]

    def _has_app(self):
        return self.allow_app

    # -- what a way can do -----------------------------------------------------------------------

    def _abilities(self, protocol):
        """For each of `ABILITIES` an empty string, or why this way cannot do it, as a sentence for the cashier."""
        self.ensure_one()
        can = self._capabilities(protocol)
        able = {operation.value: operation in can.operations for operation in Operation} | {
            "abort": can.abort,
            "installments": can.installments,
            "tip": can.tip,
            "partial": can.partial_refund,
            "unreferenced": can.unreferenced_refund,
        }
        obstacle = self._refusal_of_way(protocol)
        abilities = {
            name: "" if possible else self._why_not(name, protocol)
            for name, possible in able.items()
        }
        if obstacle:
            starts = [operation.value for operation in Operation] + ["unreferenced"]
            abilities |= {name: abilities[name] or obstacle for name in starts}
        return abilities

    def _capabilities(self, protocol):
        """The driver's `Capabilities` for this very terminal."""
        can = CAPABILITIES_OF[protocol]
        if protocol == "tcp":
            can = PAYDROID if self.platform == "paydroid" else PROLIN
            if self.cancel_layout not in (False, "off"):
                back = frozenset({Operation.REFUND, Operation.VOID})
                can = replace(can, operations=can.operations | back, partial_refund=True)
        if protocol == APP and self.sudo().account_id.environment == "demo":
            # The app's demo build gives nothing back (app-to-app.md, 3.4).
            back = frozenset({Operation.REFUND, Operation.VOID})
            can = replace(can, operations=can.operations - back)
        return can

    def _why_not(self, name, protocol):
        """Why this way cannot do it, in words for the cashier."""
        if name == "abort":
            return self.env._("Cancel on the terminal itself: press its red key.")
        words = {
            "preauth": self.env._("As it is connected, this terminal cannot put money on hold."),
            "capture": self.env._("As it is connected, this terminal cannot capture a hold."),
            "refund": self.env._("As it is connected, this terminal cannot give money back."),
            "void": self.env._("As it is connected, this terminal cannot void a payment."),
            "release": self.env._("As it is connected, this terminal cannot release a hold."),
            "unreferenced": self.env._(
                "As it is connected, this terminal cannot give money back without the original payment."
            ),
            "partial": self.env._(
                "As it is connected, this terminal gives back only the whole payment."
            ),
            "installments": self.env._(
                "As it is connected, this terminal cannot be asked for installments."
            ),
            "tip": self.env._("As it is connected, this terminal cannot be asked for a tip."),
        }
        return words.get(name) or self.env._("As it is connected, this terminal cannot do it.")

    def _refusal_of_way(self, protocol):
        """Why nothing can be started in this way, for reasons that only an administrator can change."""
        self.ensure_one()
        if protocol != APP:
            return ""
        account = self.sudo().account_id
        if not account._has_api_keys():
            return self.env._(
                "The app's word alone is not believed: enter Merchant ID and API Key on the Viva account, so that "
                "Odoo can ask Viva. Ask an administrator."
            )
        if not account._app_base():
            return self.env._(
                "The app returns only to an address that begins with https://. Ask an administrator to serve Odoo "
                "by https."
            )
        return ""

    def _fallback(self, operation, protocol):
        """What does an operation in place of a terminal that cannot: "api", or nothing."""
        self.ensure_one()
        if operation not in BY_API or not self._abilities(protocol)[operation]:
            return ""
        return "api" if self.sudo().account_id._has_api_keys() else ""

    # -- one request -----------------------------------------------------------------------------

    def _refuse_other_protocol(self, protocol):
        """:raise Refused: this terminal is not set up to be used in that way"""
        if protocol not in self._protocols():
            raise Refused(
                self.env._("Terminal %s is not set up to be used by the app.", self.display_name),
                "protocol",
            )

    def _refuse_other_currency(self, protocol, currency):
        """A frame or an app that has no place for a currency asks for the account's own, whatever the till counts in.

        :raise Refused: that is another one
        """
        own = self.sudo().account_id.currency_id
        if protocol in ("tcp", APP) and currency != own:
            raise Refused(
                self.env._(
                    "As it is connected, terminal %(terminal)s takes %(own)s only. Choose another terminal.",
                    terminal=self.display_name,
                    own=own.name,
                ),
                "currency",
            )

    def _refuse_way(self, protocol):
        """:raise Refused: nothing can be started in this way now, whatever it is"""
        refusal = self._refusal_of_way(protocol)
        if protocol in LAN:
            refusal = refusal or self._gateway_refusal()
        if refusal:
            raise Refused(refusal, "way")

    def _obstacle_to(self, request, protocol, parent):
        """Why this terminal cannot do what is asked for in this way, or an empty string."""
        abilities = self._abilities(protocol)
        operation = request["operation"]
        if operation == "refund" and not parent:
            return abilities["unreferenced"]
        obstacle = abilities[operation] or (parent and parent._obstacle_across(protocol)) or ""
        if not obstacle and request["max_installments"] > 1:
            obstacle = abilities["installments"]
        if not obstacle and operation in ("refund", "void") and abilities["partial"]:
            currency = parent.currency_id.name
            if request["amount_minor"] < to_minor(parent._net_amount(), currency):
                obstacle = abilities["partial"]
        return obstacle

    def _values_of_way(self, protocol):
        """Fields of a transaction that goes by this way."""
        if protocol == APP:
            return {"app_base": self.sudo().account_id._app_base()}
        return {"gateway_id": self.sudo().gateway_id.id} if protocol in LAN else {}

    # -- what the till loads ---------------------------------------------------------------------

    @api.model
    def _load_pos_data_fields(self, config):
        return [*super()._load_pos_data_fields(config), "viva_ways"]
