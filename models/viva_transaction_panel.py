"""What the till's Viva panel shows: payments and holds, with what this person may do about each of them now."""

import re
from datetime import datetime, timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain

from ..drivers import to_minor
from .ledger import in_ledger, own_cursor
from .viva_transaction import FINAL_NO, PAYS, TAKES_MONEY, UNSETTLED
from .viva_transaction_pos import _printable
from .viva_transaction_start import GIVE_BACK

SHOWN = 60
_SCOPES = ("order", "session", "search", "holds")


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    # -- RPC -------------------------------------------------------------------------------------

    @api.model
    def pos_panel(self, query):
        """Payments of an order, of the session, or found by a text; or the holds of the company.

        :param dict query: scope (order, session, search, holds), pos_session_id, order_uuid, text, day (a local day,
            YYYY-MM-DD)
        :return: {"payments": [Card], "holds": [Hold], "truncated": bool}
        """
        self._require_cashier()
        query = self._read_query(query)
        session = self._panel_session(query["pos_session_id"])
        if query["scope"] == "holds":
            return {
                "payments": [],
                "holds": self._panel_holds(query, session),
                "truncated": False,
            }
        domain = Domain("company_id", "=", session.company_id.id) & self._panel_domain(
            query, session
        )
        found = self.search(domain, order="id desc", limit=SHOWN + 1)
        return {
            "payments": self._cards(found[:SHOWN].ids, session.config_id),
            "holds": [],
            "truncated": len(found) > SHOWN,
        }

    @api.model
    def pos_payments_of(self, order_uuids):
        """The original card payments of orders that are being refunded, those with something left first.

        :return: [Card]
        """
        self._require_cashier()
        found = self.search(
            [
                ("order_uuid", "in", self._read_uuids(order_uuids)),
                ("operation", "in", TAKES_MONEY),
                ("state", "in", ("approved", "unknown")),
                ("company_id", "in", self.env.companies.ids),
            ],
            order="id",
        )
        cards = self._cards(found.ids, self.env["pos.config"])
        return sorted(cards, key=lambda card: not card["left_minor"])

    @api.model
    def pos_book_tip(self, attempt, booking):
        """How the tip that a customer added on the terminal is booked, where the administrator left it to the till.

        :param str booking: product or account
        :return: Status
        """
        self._require_cashier()
        ids = self._mine([("attempt", "in", self._read_uuids([attempt]))])
        if not ids or booking not in ("product", "account"):
            raise UserError(self.env._("The till has sent an unreadable request. Reload the page."))

        def work(env):
            transaction = env["viva.transaction"].browse(ids[0])._lock()
            if not transaction.tip_amount or transaction.tip_booking == booking:
                return
            if transaction.tip_booking or transaction.state != "approved":
                raise UserError(env._("How this tip is booked has been decided already."))
            if booking == "product" and transaction.is_attached:
                raise UserError(
                    env._(
                        "The order is paid already: this tip can only be booked in an account of its own."
                    )
                )
            if transaction.is_attached and transaction._is_session_closed():
                raise UserError(
                    env._("The session is closed: book this tip in accounting, by a journal entry.")
                )
            if booking == "account" and not transaction.payment_method_id.viva_tip_account_id:
                raise UserError(
                    env._("This payment method has no account for tips. Put the tip on the order.")
                )
            transaction.write({"tip_booking": booking})
            labels = dict(transaction._fields["tip_booking"]._description_selection(env))
            transaction._step("person", note=env._("Tip booked: %s", labels[booking]))

        in_ledger(self.env, work)
        return self._statuses(ids)[0]

    @api.model
    def pos_park(self, order_uuid):
        """Take a draft order with its hold out of the session, until it is recalled in any later one.

        :return: {"parked": True}
        """
        self._require_cashier()
        order, hold = self._order_and_hold(order_uuid)
        if order.state != "draft":
            raise UserError(self.env._("This order is not open any more."))
        if order.sudo()._viva_charged():
            raise UserError(
                self.env._(
                    "This order has a card payment. Finish it, or give the money back, before it is parked."
                )
            )
        # Lines that were only begun are no payments.
        order.sudo().payment_ids.filtered(lambda line: line.payment_method_id._is_viva()).unlink()
        order.sudo().write({"viva_parked": True})
        self.env.flush_all()
        with own_cursor(self.env) as env:
            # A charge that began at the same moment is seen now, or will find the order parked.
            begun = env["viva.transaction"].search_count(
                [
                    ("document_key", "=", f"pos.order/{order.uuid}"),
                    ("state", "in", UNSETTLED),
                    ("operation", "in", PAYS),
                ],
                limit=1,
            )
        if begun:
            raise UserError(self.env._("A card payment of this order has just been started."))
        in_ledger(
            self.env,
            lambda env: (
                env["viva.hold"].browse(hold.id).write({"parked_at": fields.Datetime.now()})
            ),
        )
        return {"parked": True}

    @api.model
    def pos_recall(self, hold_id, pos_session_id):
        """Bring a parked order into the session of this till.

        :return: {"order_id": int, "order_uuid": str}
        """
        self._require_cashier()
        session = self._panel_session(pos_session_id)
        hold = self.env["viva.hold"].search(
            [("id", "=", hold_id), ("company_id", "=", session.company_id.id)]
            if type(hold_id) is int
            else [("id", "=", 0)]
        )
        order = hold.sudo().pos_order_id
        if not hold or not order:
            raise UserError(self.env._("This hold has no parked order."))
        if session.state != "opened":
            raise UserError(self.env._("This session is not open. Reload the till."))
        if session.currency_id != hold.currency_id:
            raise UserError(self.env._("This till has another currency than the hold."))
        if order.state != "draft":
            raise UserError(self.env._("This order is not open any more."))
        if order.viva_parked:
            order.write({"session_id": session.id, "viva_parked": False})
        in_ledger(
            self.env, lambda env: env["viva.hold"].browse(hold.id).write({"parked_at": False})
        )
        return {"order_id": order.id, "order_uuid": order.uuid}

    # -- what was asked --------------------------------------------------------------------------

    @api.model
    def _read_query(self, query):
        query = query if isinstance(query, dict) else {}
        scope = query.get("scope")
        session_id = query.get("pos_session_id")
        if scope not in _SCOPES or type(session_id) is not int:
            raise UserError(self.env._("The till has sent an unreadable request. Reload the page."))
        day = query.get("day")
        try:
            day = datetime.strptime(day, "%Y-%m-%d").date() if day else None
        except (TypeError, ValueError):
            day = None
        if day and not 2000 <= day.year <= 2100:
            day = None
        return {
            "scope": scope,
            "pos_session_id": session_id,
            "order_uuid": (self._read_uuids([query.get("order_uuid")]) or [""])[0],
            "text": _printable(query.get("text")),
            "day": day,
        }

    @api.model
    def _panel_session(self, session_id):
        session = self.env["pos.session"].search(
            [("id", "=", session_id), ("company_id", "in", self.env.companies.ids)]
            if type(session_id) is int
            else [("id", "=", 0)]
        )
        if not session:
            raise AccessError(self.env._("This session is not known. Reload the till."))
        return session

    @api.model
    def _panel_domain(self, query, session):
        tops = Domain("parent_id", "=", False) | Domain(
            "operation", "in", ("capture", "refund", "void")
        )
        if query["scope"] == "order":
            return Domain("order_uuid", "=", query["order_uuid"] or "-")
        if query["scope"] == "session":
            return Domain("pos_session_id", "=", session.id) & tops
        domain = tops
        if query["text"]:
            domain &= self._text_domain(query["text"], session.currency_id)
        if query["day"]:
            begin = fields.Datetime.to_datetime(query["day"])
            offset = datetime.now(self.env.tz).utcoffset() or timedelta(0)
            domain &= Domain("sent_at", ">=", begin - offset)
            domain &= Domain("sent_at", "<", begin - offset + timedelta(days=1))
        return domain

    @api.model
    def _text_domain(self, text, currency):
        """Receipt number, our name, the last four digits, RRN, authorisation code or an amount."""
        needle = text.lstrip("•*. ") or text
        # Not a pattern: what a person types stands for itself.
        literal = re.sub(r"([\\%_])", r"\\\1", needle)
        domain = Domain.OR(
            Domain(name, "ilike", literal)
            for name in ("order_reference", "name", "merchant_reference")
        )
        for name in ("rrn", "authorisation_code", "stan", "card_last4", "viva_transaction_id"):
            domain |= Domain(name, "=ilike", literal)
        amount = re.sub(r"[^\d.,]", "", needle).replace(",", ".")
        if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", amount):
            value = currency.round(float(amount))
            domain |= Domain("amount", "=", value) | Domain("approved_amount", "=", value)
        return domain

    # -- cards -----------------------------------------------------------------------------------

    @api.model
    def _cards(self, ids, config):
        """Card of each id, as committed at this moment."""
        statuses = self._statuses(ids)
        rights = {
            "give_back": self.env.user.has_group(GIVE_BACK) and not self._needs_credentials(config),
        }
        with own_cursor(self.env) as env:
            transactions = env["viva.transaction"].browse(ids)
            return [
                {**status, **transaction._card(rights)}
                for transaction, status in zip(transactions, statuses, strict=True)
            ]

    def _card(self, rights):
        self.ensure_one()
        currency = self.currency_id.name
        return {
            "at": fields.Datetime.to_string(self.sent_at or self.create_date),
            "title": self._card_title(),
            "kind_label": self._kind_label(),
            "state_label": self._state_label(),
            "order_id": self.pos_order_id.id,
            "order_state": self.pos_order_id.state or "",
            "captured_minor": to_minor(self.captured_amount, currency),
            "given_back_minor": to_minor(self.reversed_amount, currency),
            "children": [
                {
                    "attempt": child.attempt,
                    "operation": child.operation,
                    "kind_label": child._kind_label(),
                    "state": child.state,
                    "state_label": child._state_label(),
                    "message": child.message,
                    "amount_minor": to_minor(child.approved_amount or child.amount, currency),
                    "at": fields.Datetime.to_string(child.sent_at or child.create_date),
                }
                for child in self.child_ids.sorted("id")
            ],
            "actions": self._actions(rights),
            "slip": self._slip(),
        }

    def _card_title(self):
        card = " ".join(filter(None, [self.card_brand, self.card_last4 and f"••{self.card_last4}"]))
        return card or self.terminal_id.display_name

    def _kind_label(self):
        """What it is, in a word; money back by what Viva made of it."""
        kind = self.executed or self.operation
        labels = dict(self._fields["operation"]._description_selection(self.env))
        return self.env._("Hold") if kind == "preauth" else labels[kind]

    def _state_label(self):
        return dict(self._fields["state"]._description_selection(self.env))[self.state]

    def _actions(self, rights):
        """What can be done about this payment now, and why something cannot."""
        return [
            action
            for action in (
                self._action_void(rights),
                self._action_refund(rights),
                self._action_capture(),
                self._action_release(),
                self._action("check", self.env._("Check again"), "" if self.is_unsettled else None),
                self._action("print", self.env._("Print the slip"), "" if self._slip() else None),
            )
            if action
        ]

    @staticmethod
    def _action(name, label, obstacle, *, needs_manager=False):
        """One action, or nothing when it makes no sense here (`obstacle` is None)."""
        if obstacle is None:
            return None
        return {
            "name": name,
            "label": label,
            "possible": not obstacle,
            "reason": obstacle,
            "needs_manager": needs_manager,
        }

    def _obstacle_of_money_back(self):
        """Why nothing can be given back of this payment at all; empty: it can; None: not that kind of payment."""
        if self.operation not in TAKES_MONEY or self.state in FINAL_NO:
            return None
        if self.is_unsettled:
            return self.env._("Its result is not known yet. Check it again first.")
        if not self._left():
            return self.env._("Everything was given back.")
        if self.child_ids.filtered(lambda child: child.state in ("draft", "sent", "pending")):
            return self.env._("An operation on this payment is still open.")
        return ""

    def _is_whole(self):
        """Nothing of it was given back yet."""
        return not self.currency_id.compare_amounts(self._left(), self.approved_amount)

    def _action_void(self, rights):
        obstacle = self._obstacle_of_money_back()
        label = self.env._("Void")
        if obstacle:
            return self._action("void", label, obstacle)
        if obstacle is None:
            return None
        if self.is_attached and not self._is_whole():
            obstacle = self.env._("A part was given back already: refund the rest.")
        elif self.is_attached and self._is_cleared():
            obstacle = self.env._("It was paid before today: refund it.")
        needs = self.pos_order_id.state != "draft" and not rights["give_back"]
        return self._action("void", label, obstacle, needs_manager=needs)

    def _action_refund(self, rights):
        obstacle = self._obstacle_of_money_back()
        if obstacle is None:
            return None
        if not obstacle and not self.is_attached:
            obstacle = self.env._("It is on no paid order: void it.")
        elif not obstacle and self._is_whole() and self._partial_obstacle():
            # Today all of it is a void; two buttons for the same would make the cashier wonder.
            obstacle = self.env._(
                "%(why)s All of it: press Void. A part: Orders, Refund; everything goes back and the rest is charged anew.",
                why=self._partial_obstacle(),
            )
        action = self._action(
            "refund", self.env._("Refund"), obstacle, needs_manager=not rights["give_back"]
        )
        # The whole amount is possible at once, a part of it only later.
        return {**action, "partial": not obstacle and self._partial_obstacle()}

    def _action_capture(self):
        if self.operation != "preauth" or self.state in FINAL_NO:
            return None
        return self._action("capture", self.env._("Capture"), self._obstacle_of_hold())

    def _action_release(self):
        if self.operation != "preauth" or self.state in FINAL_NO:
            return None
        return self._action("release", self.env._("Release"), self._obstacle_of_hold())

    def _obstacle_of_hold(self):
        if self.is_unsettled:
            return self.env._("Its result is not known yet. Check it again first.")
        if self._left() and self.hold_id.state != "lapsed":
            return ""
        if self.hold_id.state == "captured":
            return self.env._("It was captured; Viva releases what is left.")
        if self.hold_id.state == "lapsed":
            return self.env._("It has lapsed: nothing is held any more.")
        if self.hold_id.state == "released":
            return self.env._("It was released.")
        return self.env._("An operation on this hold is not finished.")

    # -- holds -----------------------------------------------------------------------------------

    @api.model
    def _panel_holds(self, query, session):
        # A parked order has to be found whatever became of its hold.
        domain = Domain("company_id", "=", session.company_id.id) & (
            Domain("state", "in", ("asked", "open", "unknown")) | Domain("parked_at", "!=", False)
        )
        if query["text"]:
            domain &= Domain("display_name", "ilike", query["text"])
        holds = self.env["viva.hold"].search(domain, order="expires_on, id", limit=SHOWN)
        with own_cursor(self.env) as env:
            return [
                card for hold in env["viva.hold"].browse(holds.ids) if (card := hold._panel_card())
            ]

    @api.model
    def _order_and_hold(self, order_uuid):
        """The draft order of a tab and its open hold, as the user."""
        uuids = self._read_uuids([order_uuid])
        order = self.env["pos.order"].search(
            [("uuid", "in", uuids), ("company_id", "in", self.env.companies.ids)], limit=1
        )
        hold = self.env["viva.hold"].search(
            [
                ("order_uuid", "in", uuids),
                ("state", "=", "open"),
                ("company_id", "=", order.company_id.id),
            ],
            limit=1,
        )
        if not order or not hold:
            raise UserError(
                self.env._("Only an order with money on hold is parked. Take a hold first.")
            )
        return order, hold
