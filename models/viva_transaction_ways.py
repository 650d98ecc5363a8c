"""By which way an operation goes: the terminal's own protocol, the app on the till's device, or Viva's API instead."""

from odoo import api, models

from .refused import Refused
from .viva_terminal_ways import BY_API
from .viva_transaction import GIVES_BACK
from .viva_transaction_start import OFFICE
from .ways import APP


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    @api.model
    def _way_of(self, request, session, method, parent, abandoned):
        """Terminal and protocol for what a till asks; without a protocol it goes through Viva's transactions API.

        :param abandoned: it will never be sent: nothing is refused for what the way cannot do
        :raise Refused: the terminal cannot do it, and nothing else can
        """
        operation = request["operation"]
        # How a hold is released is not documented: the administrator knows which way works.
        via = parent.account_id.release_by if operation == "release" else request["via"]
        if via == "api":
            return parent.terminal_id, False
        terminal = self._pos_terminal(method, request["terminal_id"])
        protocol = request["protocol"] or terminal.protocol
        is_known = protocol == "cloud" == (parent.protocol or "cloud")
        if abandoned or (is_known and terminal.protocol == "cloud"):
            return terminal, protocol
        terminal._refuse_other_protocol(protocol)
        terminal._refuse_other_currency(protocol, session.currency_id)
        obstacle = self._obstacle_in_office(protocol) or terminal._obstacle_to(
            request, protocol, parent
        )
        if not obstacle:
            terminal._refuse_way(protocol)
            return terminal, protocol
        if parent and parent._goes_by_api(operation):
            return parent.terminal_id, False
        terminal._refuse_way(protocol)
        choices = parent._choices_without(operation) if parent else []
        raise Refused(obstacle, "ability", choices=choices)

    def _goes_by_api(self, operation):
        """Whether Viva's API does it with the rights of a terminal: where the payment's own way cannot do it.

        Not when another terminal was named than one that can: that would be everybody's way around a manager.
        """
        self.ensure_one()
        return bool(self.terminal_id._fallback(operation, self.protocol or "cloud"))

    def _choices_without(self, operation):
        """What may be done when the chosen terminal cannot: at the payment's own one, or by a manager."""
        if operation not in BY_API:
            return []
        own = self.env._("Use terminal %s", self.terminal_id.display_name)
        by_api = self.env._("Give it back without the terminal (manager)")
        choices = [self._choice("other_terminal", own)]
        if operation in GIVES_BACK:
            choices.append(self._choice("api", by_api, self._refusal_of_api()))
        return choices

    @api.model
    def _obstacle_in_office(self, protocol):
        """The app opens on the device of whoever asks: not on a desk of the back office."""
        if protocol != APP or self.env.context.get("viva_place") is not OFFICE:
            return ""
        return self.env._(
            "The viva.com | Terminal app opens on the till's own device: start it there, or do it without a terminal."
        )

    def _obstacle_across(self, protocol):
        """Why an operation on this payment cannot go by `protocol`, or an empty string."""
        self.ensure_one()
        if self._is_unconfirmed() and protocol != self.protocol:
            # Its numbers are the word of one gateway: no other way is led by them.
            return self.env._("Viva has not listed this payment yet. Try again in a few minutes.")
        if protocol == "cloud":
            # It names the original by its session, and the cloud knows only its own.
            if self.protocol in (False, "cloud"):
                return ""
            return self.env._(
                "The payment was not made through Viva's cloud: this terminal cannot find it again."
            )
        if protocol == "local" and not self.viva_transaction_id:
            return self.env._("Viva's number of this payment is not known yet.")
        if protocol == APP and not (self.order_code or self.stan):
            return self.env._("Viva's number of this payment is not known yet.")
        return ""

    def _obstacle_to_cancel(self):
        """Why this open operation cannot be cancelled from here, or an empty string."""
        self.ensure_one()
        if self.via == "api" or not self.protocol:
            return ""
        return self.terminal_id._abilities(self.protocol)["abort"]

    def _is_by_cloud(self):
        """Whether Viva's cloud knows the session on the terminal."""
        self.ensure_one()
        return self.via == "terminal" and self.protocol in (False, "cloud")
