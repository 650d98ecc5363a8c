"""Start: the till names a payment, an operation and an amount; the server derives everything else."""

from odoo import api, models
from odoo.exceptions import AccessError, UserError

from ..drivers import VIVA_CURRENCIES, Operation, to_major, to_minor
from .ledger import own_cursor
from .refused import Refused
from .viva_transaction import TAKES_MONEY
from .viva_transaction_pos import _UUID, MANAGER, _printable
from .viva_transaction_record import Limits
from .ways import APP

GIVE_BACK = "viva_payments.group_viva_refund"
UNREFERENCED = "viva_payments.group_viva_unreferenced_refund"
# Identity, not value: a context that arrives over RPC can never contain this very object.
OFFICE = object()
_NEEDS_PAYMENT = ("sale", "capture", "refund")
_NEEDS_PARENT = ("capture", "void", "release")
_MOST_INSTALLMENTS = 36


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    # -- RPC -------------------------------------------------------------------------------------

    @api.model
    def pos_start(self, request):
        """Start an operation on a terminal (or, without a card, at Viva). The same attempt never sends twice.

        :param dict request: attempt, operation (sale, preauth, capture, refund, void, release; absent: sale),
            pos_session_id, payment_method_id, amount_minor (minor units, always positive), terminal_id (optional),
            order_uuid and payment_uuid (the order and its payment line), parent_attempt (the payment that is captured,
            voided, refunded, released), via (terminal, api), max_installments (sale), partner_id and reference
            (preauth), unreferenced (a refund without a parent), credentials (of a manager who stands by), protocol
            ("app_to_app": the app on the till's own device; absent: as the terminal is set up)
        :return: Status
        :raise AccessError: not a cashier, not of this company, or without the right to this operation
        """
        self._require_cashier()
        request = self._read_request(request)
        try:
            recorded = self._record(*self._derive(request))
        except (Refused, AccessError) as refusal:
            # Asked again after the world has changed: what became of the attempt is the answer.
            return self._known_or_refused(request, refusal)
        status = self._send(recorded) if recorded.is_new else None
        return status or self._statuses([recorded.id])[0]

    @api.model
    def pos_abandon(self, request):
        """The till has asked for an operation, got no answer, and the server knows nothing of it: give it up.

        Whichever comes first wins: a request that arrives later finds the attempt cancelled and sends nothing;
        if it came first, its Status is the answer and the till goes on watching.

        :param dict request: as for `pos_start`
        :return: Status
        """
        self._require_cashier()
        request = self._read_request(request)
        try:
            recorded = self._record(*self._derive(request, abandoned=True), abandoned=True)
        except Refused as refusal:
            # A request that arrives later is refused for the same reason.
            return self._known_or_refused(request, refusal)
        return self._statuses([recorded.id])[0]

    # -- what the tab has sent -------------------------------------------------------------------

    @api.model
    def _read_request(self, request):
        """Check the types of what a tab has sent, and copy nothing else."""
        request = request if isinstance(request, dict) else {}
        operation = request.get("operation") or "sale"
        uuids = {
            name: request.get(name) or ""
            for name in ("attempt", "payment_uuid", "order_uuid", "parent_attempt")
        }
        needed = {"attempt"}
        if operation in _NEEDS_PAYMENT:
            needed |= {"payment_uuid", "order_uuid"}
        if operation in _NEEDS_PARENT:
            needed.add("parent_attempt")
        numbers = ("pos_session_id", "payment_method_id", "amount_minor")
        optional = ("terminal_id", "max_installments", "partner_id")
        is_sound = (
            operation in [item.value for item in Operation]
            and all(isinstance(value, str) for value in uuids.values())
            and all(
                _UUID.fullmatch(value) for name, value in uuids.items() if value or name in needed
            )
            and all(
                type(request.get(name)) is int and 0 < request[name] < 2**31 for name in numbers
            )
            and all(
                type(request.get(name) or 0) is int and 0 <= (request.get(name) or 0) < 2**31
                for name in optional
            )
            and (request.get("max_installments") or 0) <= _MOST_INSTALLMENTS
            and (request.get("via") or "terminal") in ("terminal", "api")
            and type(request.get("unreferenced") or False) is bool
            and (request.get("protocol") or "") in ("", APP)
        )
        if not is_sound:
            raise UserError(
                self.env._(
                    "The till has sent an unreadable request. Nothing was charged. Reload the page."
                )
            )
        credentials = request.get("credentials")
        return {
            **uuids,
            **{name: request[name] for name in numbers},
            **{name: request.get(name) or 0 for name in optional},
            "operation": operation,
            "via": request.get("via") or "terminal",
            "protocol": request.get("protocol") or "",
            "reference": _printable(request.get("reference")),
            "unreferenced": bool(request.get("unreferenced")),
            "credentials": credentials if isinstance(credentials, dict) else None,
        }

    # -- rights ----------------------------------------------------------------------------------

    @api.model
    def _authorising_person(self, group, configs, credentials):
        """Who allows an operation that needs a right: the user himself, or a manager who stands by.

        :param configs: the tills that have to do with it
        :raise AccessError: nobody does
        """
        if credentials:
            return self._deciding_person(credentials)
        if self.env.user.has_group(group) and not self._needs_credentials(configs):
            return self.env.user
        if group == UNREFERENCED:
            raise AccessError(
                self.env._(
                    "You may not give money back without the original payment. Ask an administrator for this right."
                )
            )
        if group == MANAGER:
            raise AccessError(
                self.env._("Only a Viva manager may give money back without card and terminal.")
            )
        raise AccessError(self.env._("You may not give money back by card. Call a manager."))

    @api.model
    def _needs_credentials(self, configs):
        """Whether the user of the browser decides nothing on one of these tills (see bridges)."""
        return False

    @api.model
    def _in_office(self):
        """For the back office, where every login is a person's own: credentials of a till are not asked for."""
        return self.with_context(viva_place=OFFICE)

    def _person_for(self, request, session, order, parent):
        """The person who allows this request, where it needs more than a cashier."""
        # Not only the till that the request names: another one may be without employee login.
        configs = session.config_id | order.config_id | parent.pos_config_id
        operation, via = request["operation"], request["via"]
        if operation == "refund" and not request["parent_attempt"]:
            # A manager's own right does not include it: it is not to be had by credentials either.
            return self._authorising_person(UNREFERENCED, configs, None)
        if via == "api" and operation in ("void", "refund"):
            return self._authorising_person(MANAGER, configs, request["credentials"])
        if operation == "refund" or (operation == "void" and not parent._is_on_open_order(order)):
            return self._authorising_person(GIVE_BACK, configs, request["credentials"])
        return self.env.user

    # -- what it means ---------------------------------------------------------------------------

    @api.model
    def _derive(self, request, *, abandoned=False):
        """The values of the new transaction and its limits, as the user who asks.

        :raise Refused: it is not to be
        """
        session, method = self._session_and_method(request)
        parent = self._parent_of(request)
        order = self._order_of(request, session, parent)
        person = self.env.user if abandoned else self._person_for(request, session, order, parent)
        terminal, protocol = self._way_of(request, session, method, parent, abandoned)
        via = "terminal" if protocol else "api"
        self._check_companies(session, method, terminal, parent, via)
        currency = parent.currency_id or session.currency_id
        if session.currency_id != currency:
            raise Refused(
                self.env._("The original payment was made in another currency."), "currency"
            )
        values = {
            "attempt": request["attempt"],
            "operation": request["operation"],
            "via": via,
            "protocol": protocol,
            **terminal._values_of_way(protocol),
            "terminal_id": terminal.id,
            "terminal_viva_id": terminal.viva_id,
            "environment": terminal.environment_key,
            "account_id": terminal.account_id.id,
            "company_id": terminal.company_id.id,
            "cash_register_id": f"odoo-till-{session.config_id.id}",
            "amount": self._amount_of(request, currency, order, parent),
            "currency_id": currency.id,
            "document_key": f"pos.order/{order.uuid}" if order else f"viva/{request['attempt']}",
            "order_reference": _printable(
                order.pos_reference or order.name or parent.order_reference
            ),
            "order_uuid": order.uuid or False,
            # An operation without a payment line stands for itself.
            "payment_uuid": request["payment_uuid"]
            if request["operation"] in _NEEDS_PAYMENT
            else request["attempt"],
            "payment_method_id": method.id,
            "pos_session_id": session.id,
            "pos_config_id": session.config_id.id,
            "parent_id": parent.id,
            "authorised_by": person.id if person != self.env.user else False,
        }
        return getattr(self, f"_derive_{request['operation']}")(values, request, order, parent)

    def _derive_sale(self, values, request, order, _parent):
        asked = request["max_installments"]
        method = self.env["pos.payment.method"].browse(request["payment_method_id"])
        if asked > 1 and asked > method._viva_installments(request["amount_minor"]):
            raise Refused(
                self.env._("So many installments are not offered for this amount. Choose again."),
                "installments",
            )
        values["max_installments"] = asked
        return values, Limits(order=self._limit_minor(order))

    def _derive_preauth(self, values, request, order, _parent):
        partner = self.env["res.partner"].browse(request["partner_id"])
        if partner and not (partner.exists() and partner.has_access("read")):
            raise Refused(self.env._("This customer is not known. Choose another one."), "partner")
        values["hold"] = {
            "partner_id": (partner or order.partner_id).id,
            "reference": request["reference"] or values["order_reference"],
            "order_uuid": order.uuid or False,
        }
        return values, Limits()

    def _derive_capture(self, values, _request, order, parent):
        if parent.operation != "preauth":
            raise Refused(self.env._("Only a hold can be captured."), "parent")
        if parent.hold_id.state == "lapsed":
            raise Refused(self.env._("It has lapsed: nothing is held any more."), "parent")
        values["hold_id"] = parent.hold_id.id
        return values, Limits(order=self._limit_minor(order), parent=True)

    def _derive_release(self, values, request, _order, parent):
        if parent.operation != "preauth":
            raise Refused(self.env._("Only a hold can be released."), "parent")
        values |= {
            "hold_id": parent.hold_id.id,
            "amount": parent._left() or parent.approved_amount,
            # The order goes on; what is released belongs to the hold.
            "document_key": f"viva.hold/{parent.hold_id.id}",
        }
        return values, Limits(parent=True)

    def _derive_void(self, values, _request, order, parent):
        if parent.operation not in TAKES_MONEY:
            raise Refused(self.env._("Only a sale can be voided."), "parent")
        if parent.is_attached:
            raise Refused(
                self.env._(
                    "The order is paid with it: refund the whole order, so that stock and taxes follow."
                ),
                "order",
            )
        left = parent._left() or parent.approved_amount
        values |= parent._extras(left)
        values |= {"amount": left, "document_key": parent.document_key}
        return values, Limits(parent=True)

    def _derive_refund(self, values, request, order, parent):
        if not parent:
            if not request["unreferenced"]:
                raise Refused(self.env._("Choose the original payment."), "parent")
            return values, Limits(order=self._limit_minor(order, gives_back=True))
        if parent.operation not in TAKES_MONEY:
            raise Refused(self.env._("Only money that was taken can be given back."), "parent")
        if not parent.is_attached:
            raise Refused(self.env._("It is on no paid order: void it."), "parent")
        refunded = order.lines.refunded_orderline_id.order_id
        if parent.order_uuid not in refunded.mapped("uuid"):
            raise Refused(
                self.env._(
                    "This payment does not belong to the order that is being refunded. Choose another one."
                ),
                "parent",
            )
        most = self._limit_minor(order, gives_back=True)
        net = parent.currency_id.round(parent._net_amount())
        if parent.currency_id.compare_amounts(values["amount"], net) == 0:
            # All of it: what the customer paid beyond the order goes back with it.
            extras = parent._extras(parent._left())
            values |= extras
            values["amount"] = parent.currency_id.round(
                net + extras["tip_amount"] + extras["surcharge_amount"]
            )
            if most > 0 and parent._partial_obstacle():
                # A part cannot be given back yet: all of it may be, and the difference charged anew.
                most = max(most, request["amount_minor"])
        elif request["via"] == "terminal":
            parent._refuse_partial_too_early()
        return values, Limits(order=most, parent=True)

    # -- its parts -------------------------------------------------------------------------------

    def _session_and_method(self, request):
        # Sessions, orders and tills have a hundred columns each: only what is needed is fetched.
        session = self.env["pos.session"].search_fetch(
            [("id", "=", request["pos_session_id"]), ("company_id", "in", self.env.companies.ids)],
            ["state", "config_id", "company_id"],
        )
        session.config_id.fetch(["company_id", "currency_id", "rounding_method"])
        if not session or session.state != "opened":
            raise Refused(self.env._("This session is not open. Reload the till."), "session")
        method = self.env["pos.payment.method"].search_fetch(
            [
                ("id", "=", request["payment_method_id"]),
                ("config_ids", "in", session.config_id.ids),
            ],
            ["company_id", "use_payment_terminal", "viva_terminal_ids"],
        )
        if not method or not method._is_viva():
            raise Refused(
                self.env._("This payment method does not belong to this till. Reload the till."),
                "method",
            )
        return session, method

    def _parent_of(self, request):
        """The payment that this operation is about, in superuser mode; none for a sale or a preauth."""
        parents = self.env["viva.transaction"].sudo()
        if not request["parent_attempt"] or request["operation"] in ("sale", "preauth"):
            return parents
        parent = parents.browse(self._mine([("attempt", "=", request["parent_attempt"])]))
        if not parent:
            raise Refused(self.env._("The original payment is not known to Odoo."), "parent")
        if parent.state != "approved":
            raise Refused(
                self.env._("The original payment did not succeed: %s", parent.message), "parent"
            )
        if parent.booking_id and request["operation"] in ("void", "refund"):
            raise Refused(
                self.env._(
                    "This card was charged in accounting: an accountant gives the money back there."
                ),
                "parent",
            )
        return parent

    def _order_of(self, request, session, parent):
        order_uuid = request["order_uuid"]
        orders = self.env["pos.order"]
        if request["operation"] == "void":
            order_uuid = parent.order_uuid
        if not order_uuid:
            return orders
        order = orders.search_fetch(
            [("uuid", "=", order_uuid), ("company_id", "=", session.company_id.id)],
            [
                "uuid",
                "state",
                "name",
                "pos_reference",
                "amount_total",
                "config_id",
                "company_id",
                "viva_parked",
            ],
        )
        if request["operation"] in ("release", "void"):
            return order
        if not order:
            raise Refused(
                self.env._(
                    "The order is not saved in Odoo yet. Nothing was charged. Check the connection and try again."
                ),
                "order",
            )
        if order.viva_parked:
            raise Refused(
                self.env._("This order is parked. Recall it from its hold first."), "order"
            )
        if order.state != "draft":
            raise Refused(
                self.env._("This order is paid or cancelled already. Nothing was charged."), "order"
            )
        return order

    @api.model
    def _check_companies(self, session, method, terminal, parent, via):
        if method.company_id != terminal.company_id or session.company_id != terminal.company_id:
            raise Refused(self.env._("This terminal belongs to another company."), "terminal")
        if not parent:
            return
        if parent.company_id != session.company_id:
            raise Refused(self.env._("The original payment belongs to another company."), "parent")
        if parent.account_id != terminal.account_id:
            raise Refused(
                self.env._(
                    "The original payment was made with another Viva account. Choose one of its terminals: %s.",
                    parent.terminal_id.display_name,
                ),
                "terminal",
            )
        if via == "api":
            refusal = parent._refusal_of_api_now()
            if refusal:
                raise Refused(refusal, "api")

    def _refusal_of_api(self):
        """Why Viva's transactions API cannot do anything about this payment, or an empty string."""
        self.ensure_one()
        account = self.account_id
        if account._refusal():
            return account._refusal()
        if not account._has_api_keys():
            return self.env._(
                "The Viva account has no Merchant ID and API Key: without them nothing is given back without a "
                "terminal. Ask an administrator."
            )
        # A number that only a gateway has told may be that of another payment.
        if not self._has_number():
            if self._is_looked_up():
                return self.env._(
                    "Viva has not listed this payment yet: without its number nothing is given back. Try again in a "
                    "few minutes."
                )
            return self.env._("Viva's number of this payment is not known.")
        return ""

    def _has_number(self):
        """Whether Viva itself has told its number."""
        return bool(self.viva_transaction_id and self.order_code and self.word == "viva")

    def _refusal_of_api_now(self):
        """As `_refusal_of_api`; of a payment without Viva's number the list is read first. Writes nothing itself."""
        refusal = self._refusal_of_api()
        if not refusal or self._has_number() or not self._is_looked_up():
            return refusal
        self._look(self.ids)
        with own_cursor(self.env) as env:
            return env["viva.transaction"].browse(self.id)._refusal_of_api()

    def _amount_of(self, request, currency, order, parent):
        if currency.name not in VIVA_CURRENCIES:
            raise Refused(
                self.env._(
                    "Viva does not take %(currency)s. It takes: %(list)s.",
                    currency=currency.name,
                    list=", ".join(VIVA_CURRENCIES),
                ),
                "currency",
            )
        amount = to_major(request["amount_minor"], currency.name)
        # A company may round more coarsely than the currency does: 0.50 HUF would be stored as 1 HUF.
        if to_minor(currency.round(float(amount)), currency.name) != request["amount_minor"]:
            raise Refused(
                self.env._("Odoo rounds this amount. Nothing was charged. Correct the amount."),
                "amount",
            )
        payment = order.payment_ids.filtered(lambda line: line.uuid == request["payment_uuid"])
        if payment and to_minor(abs(payment.amount), currency.name) != request["amount_minor"]:
            raise Refused(
                self.env._(
                    "The order in Odoo has another amount for this payment. Nothing was charged. Try again."
                ),
                "amount",
            )
        gives_back = request["operation"] == "refund"
        if payment and (payment.amount < 0) != gives_back:
            raise Refused(
                self.env._("The payment in Odoo goes the other way. Reload the till."), "amount"
            )
        return float(amount)

    @api.model
    def _pos_terminal(self, method, terminal_id):
        """The terminal of the method that the till has named, or its only one."""
        terminals = method.viva_terminal_ids
        terminal = (
            terminals.filtered(lambda record: record.id == terminal_id)
            if terminal_id
            else terminals[:1]
        )
        if not terminals:
            raise Refused(
                self.env._("This payment method has no terminal yet. Ask an administrator."),
                "terminal",
            )
        if not terminal or (not terminal_id and len(terminals) > 1):
            raise Refused(self.env._("Choose the terminal."), "terminal")
        refusal = terminal._refusal()
        if refusal:
            raise Refused(refusal, "terminal")
        return terminal

    @api.model
    def _limit_minor(self, order, *, gives_back=False):
        """The most that cards may bring in for an order (pay out on a refund), in minor units."""
        currency = order.currency_id.name
        total = to_minor(order.amount_total, currency)
        rounding = to_minor(order.config_id.rounding_method.rounding or 0, currency)
        return (-total if gives_back else total) + rounding

    # -- refused ---------------------------------------------------------------------------------

    @api.model
    def _known_or_refused(self, request, refusal):
        known = self._status_of([request["attempt"]])
        if known:
            return known[0]
        if isinstance(refusal, Refused):
            return self._refused_status(request, refusal)
        raise refusal

    @api.model
    def _refused_status(self, request, refusal):
        blocking = self._statuses([refusal.blocking])[0] if refusal.blocking else None
        return {
            "attempt": request["attempt"],
            "operation": request["operation"],
            "via": request["via"],
            "protocol": "",
            "word": "",
            "offline": False,
            "cannot_cancel": "",
            "app": None,
            "parent_attempt": request["parent_attempt"],
            "executed": "",
            "payment_uuid": request["payment_uuid"],
            "order_uuid": request["order_uuid"],
            "order_reference": "",
            "state": "refused",
            "final": True,
            "charged": False,
            "forced": False,
            "reason": refusal.reason,
            "message": str(refusal),
            "terminal": None,
            "amount_minor": request["amount_minor"],
            "approved_minor": 0,
            "left_minor": 0,
            "tip_minor": 0,
            "tip_booking": "",
            "surcharge_minor": 0,
            "installments": 0,
            "hold": None,
            "choices": refusal.choices,
            "currency": "",
            "digits": 0,
            "asked_at": False,
            "age_s": 0,
            "poll_ms": 0,
            "can_cancel": False,
            "can_check": False,
            "can_force": False,
            "silent": refusal.reason == "silent",
            "demo": False,
            "abort_asked": False,
            "result": {},
            "blocking": blocking,
        }
