"""Money back: how much is left of a payment, what Viva will make of it, and what to do when it will not."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from odoo import fields, models

from ..drivers import UNSETTLED
from .refused import Refused

# Viva clears at night, shortly after 02:00 in Athens (transactions-api.md, section 3). Until then a terminal gives back
# only the whole amount (cloud-terminal-api.md, 4.2). Newer pages of Viva say otherwise for its API: UNVERIFIED.
CLEARED_AT, VIVA_ZONE = time(3), ZoneInfo("Europe/Athens")
PARTIAL_BEFORE_CLEARING = False


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    def _left(self):
        """What may still be given back of money taken, or captured of a hold. A hold is captured once."""
        self.ensure_one()
        if self.state != "approved" or self.operation not in ("sale", "capture", "preauth"):
            return 0.0
        children = self.child_ids.filtered(
            lambda child: child.state in UNSETTLED or child._counts()
        )
        if self.operation == "preauth" and children:
            # What a capture leaves is released by Viva; a hold in doubt is not touched.
            return 0.0
        gone = sum(
            child.approved_amount if child.state == "approved" else child.amount
            for child in children
        )
        return self.currency_id.round(max(self.approved_amount - gone, 0.0))

    def _extras(self, left):
        """Tip and surcharge within what is left of a payment, when all of it is given back."""
        children = self.child_ids.filtered(
            lambda child: child.state == "unknown" or child._counts()
        )
        surcharge = max(self.surcharge_amount - sum(children.mapped("surcharge_amount")), 0)
        tip = 0
        if self.tip_booking != "product":
            tip = max(self.tip_amount - sum(children.mapped("tip_amount")), 0)
        return {
            "tip_amount": min(tip, left),
            "surcharge_amount": min(surcharge, max(left - tip, 0)),
        }

    def _is_voided(self):
        """Whether the payment itself was (or may have been) taken back: it pays nothing any more."""
        return bool(
            self.child_ids.filtered(
                lambda child: (
                    child.operation == "void" and (child.state in UNSETTLED or child._counts())
                )
            )
        )

    def _is_on_open_order(self, order):
        """Whether its order is still open in every respect: a cashier may void what was just paid."""
        paid = self.env["pos.payment"].search_count(
            [("uuid", "=", self.payment_uuid), ("pos_order_id.state", "!=", "draft")], limit=1
        )
        return order.state == "draft" and not paid and not self._is_handed_over()

    def _clears_at(self):
        """When this payment is surely cleared (UTC): the first night in Athens after it was made."""
        self.ensure_one()
        paid = (self.settled_at or self.create_date).replace(tzinfo=ZoneInfo("UTC"))
        local = paid.astimezone(VIVA_ZONE)
        night = datetime.combine(local.date(), CLEARED_AT, VIVA_ZONE)
        if night <= local:
            night = datetime.combine(local.date() + timedelta(days=1), CLEARED_AT, VIVA_ZONE)
        return night.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)

    def _is_cleared(self):
        return self._clears_at() <= fields.Datetime.now()

    def _partial_obstacle(self):
        """Why a part cannot be given back on a terminal now, or an empty string."""
        self.ensure_one()
        if PARTIAL_BEFORE_CLEARING or self._is_cleared():
            return ""
        return self.env._(
            "Partial refunds start after clearing, about 24 hours after the sale. Until then Viva gives back only the "
            "whole payment."
        )

    def _refuse_partial_too_early(self):
        obstacle = self._partial_obstacle()
        if obstacle:
            raise Refused(obstacle, "partial_too_early", choices=self._choices_too_early())

    def _choices_too_early(self):
        """What to do instead of a partial refund before clearing."""
        by_api = self._refusal_of_api()
        return [
            self._choice(
                "void_all",
                self.env._("Give back the whole payment, then charge the difference anew"),
            ),
            self._choice("wait", self.env._("Come back tomorrow with the receipt")),
            self._choice("other_method", self.env._("Give the money back in cash or another way")),
            self._choice("api", self.env._("Try it without the terminal (manager)"), by_api),
        ]

    @staticmethod
    def _choice(name, label, obstacle=""):
        return {"name": name, "label": label, "possible": not obstacle, "reason": obstacle}

    def _choices(self):
        """What the cashier may do after money could not be given back; empty otherwise."""
        self.ensure_one()
        if self.operation not in ("refund", "void") or self.state not in (
            "declined",
            "cancelled",
            "failed",
        ):
            return []
        parent = self.parent_id
        if parent and self.amount < parent.approved_amount and not parent._is_cleared():
            return parent._choices_too_early()
        obstacle = (
            parent._refusal_of_api() if parent else self.env._("There is no original payment.")
        )
        choices = [
            self._choice("other_terminal", self.env._("Try another terminal")),
            self._choice(
                "api", self.env._("Give it back without the terminal (manager)"), obstacle
            ),
        ]
        if self.operation == "refund":
            choices.append(
                self._choice(
                    "other_method", self.env._("Give the money back in cash or another way")
                )
            )
        return choices
