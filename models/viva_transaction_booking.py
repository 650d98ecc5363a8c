"""Card operations of the back office: a booking says what is asked, everything else is derived from it here."""

from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..drivers import FINAL, VIVA_CURRENCIES, to_major, to_minor
from .refused import Refused
from .viva_booking import NEEDS_PARENT
from .viva_transaction import TAKES_MONEY
from .viva_transaction_pos import _printable
from .viva_transaction_record import Limits
from .ways import APP


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    booking_id = fields.Many2one(
        "viva.booking", readonly=True, ondelete="restrict", index="btree_not_null"
    )

    # -- start -----------------------------------------------------------------------------------

    @api.model
    def _start_booking(self, booking):
        """Record and send what was prepared. The same attempt never sends twice.

        :return: Status, or that of a refusal
        """
        try:
            recorded = self._record(*self._derive_booking(booking))
        except (Refused, AccessError) as refusal:
            return self._booking_refused(booking, refusal)
        status = self._send(recorded) if recorded.is_new else None
        return status or self._statuses([recorded.id])[0]

    @api.model
    def _abandon_booking(self, booking):
        """Nobody will start it: a request that arrives later finds it cancelled."""
        values, _limits = self._derive_booking(booking, abandoned=True)
        self._record(values, Limits(), abandoned=True)

    @api.model
    def _booking_refused(self, booking, refusal):
        known = booking._ledger_id()
        if known:
            return self._statuses([known])[0]
        if isinstance(refusal, Refused):
            return self._refused_status(booking._as_request(), refusal)
        raise refusal

    @api.model
    def _derive_booking(self, booking, *, abandoned=False):
        """The values of the new transaction and its limits.

        :raise Refused: it is not to be
        """
        booking = booking.sudo()
        parent = booking.parent_id
        if not abandoned:
            self._refuse_booking(booking, parent)
        terminal, protocol = self._way_of_booking(booking, parent, abandoned)
        company = booking.company_id
        values = {
            "booking_id": booking.id,
            "attempt": booking.attempt,
            "operation": booking.operation,
            "via": "terminal" if protocol else "api",
            "protocol": protocol,
            **terminal._values_of_way(protocol),
            "terminal_id": terminal.id,
            "terminal_viva_id": terminal.viva_id,
            "environment": terminal.environment_key,
            "account_id": terminal.account_id.id,
            "company_id": terminal.company_id.id,
            "cash_register_id": f"odoo-office-{company.id}",
            "amount": booking.amount,
            "currency_id": booking.currency_id.id,
            "document_key": f"viva.booking/{booking.attempt}",
            "order_reference": _printable(booking.documents or booking.partner_id.name or ""),
            "order_uuid": False,
            "payment_uuid": booking.attempt,
            "parent_id": parent.id,
        }
        if abandoned:
            return values, Limits()
        return getattr(self, f"_derive_booking_{booking.operation}")(values, booking, parent)

    def _derive_booking_sale(self, values, booking, _parent):
        asked = booking.max_installments
        minor = to_minor(booking.amount, booking.currency_id.name)
        if asked > 1 and asked > booking.account_id.installment_ids._most(minor):
            raise Refused(
                self.env._("So many installments are not offered for this amount. Choose again."),
                "installments",
            )
        values["max_installments"] = asked
        return values, Limits()

    def _derive_booking_preauth(self, values, booking, _parent):
        values["hold"] = {
            "partner_id": booking.partner_id.id,
            "reference": booking.hold_reference or values["order_reference"],
            **booking._values_of_hold(),
        }
        return values, Limits()

    def _derive_booking_capture(self, values, booking, parent):
        values["hold_id"] = parent.hold_id.id
        return values, Limits(parent=True)

    def _derive_booking_release(self, values, booking, parent):
        values |= {
            "hold_id": parent.hold_id.id,
            "amount": parent._left() or parent.approved_amount,
        }
        return values, Limits(parent=True)

    def _derive_booking_void(self, values, booking, parent):
        left = parent._left() or parent.approved_amount
        values |= {**parent._extras(left), "amount": left}
        return values, Limits(parent=True)

    def _derive_booking_refund(self, values, booking, parent):
        net = parent.currency_id.round(parent._net_amount())
        if parent.currency_id.compare_amounts(values["amount"], net) == 0:
            # All of it: what the customer paid beyond it goes back as well.
            extras = parent._extras(parent._left())
            values |= extras
            values["amount"] = parent.currency_id.round(
                net + extras["tip_amount"] + extras["surcharge_amount"]
            )
        elif values["via"] == "terminal":
            parent._refuse_partial_too_early()
        return values, Limits(parent=True)

    # -- what stands in the way ------------------------------------------------------------------

    @api.model
    def _refuse_booking(self, booking, parent):
        """:raise Refused: what was prepared does not hold any more"""
        if booking.operation in NEEDS_PARENT:
            self._refuse_parent(booking, parent)
        if booking.state != "prepared":
            raise Refused(self.env._("This was ended already. Ask for the card anew."), "ended")
        account = booking.account_id
        refusal = booking._refusal_of_journal(account, booking.journal_id)
        if booking.journal_id and refusal:
            raise Refused(refusal, "journal")
        if booking.terminal_id.account_id != account:
            raise Refused(
                self.env._(
                    "Terminal %s belongs to another Viva account by now. Nothing was charged. Begin again.",
                    booking.terminal_id.display_name,
                ),
                "terminal",
            )
        currency = booking.currency_id
        if currency.name not in VIVA_CURRENCIES:
            raise Refused(
                self.env._(
                    "Viva does not take %(currency)s. It takes: %(list)s.",
                    currency=currency.name,
                    list=", ".join(VIVA_CURRENCIES),
                ),
                "currency",
            )
        refusal = booking._refusal_of_currency(booking.terminal_id, currency)
        if refusal:
            raise Refused(refusal, "currency")
        minor = to_minor(booking.amount, currency.name)
        if float(to_major(minor, currency.name)) != booking.amount:
            raise Refused(
                self.env._("Odoo rounds this amount. Nothing was charged. Correct the amount."),
                "amount",
            )

    @api.model
    def _refuse_parent(self, booking, parent):
        if not parent or parent.state != "approved":
            raise Refused(
                self.env._("The original payment did not succeed: %s", parent.message or ""),
                "parent",
            )
        if parent.company_id.root_id != booking.company_id.root_id:
            raise Refused(self.env._("The original payment belongs to another company."), "parent")
        if parent.currency_id != booking.currency_id:
            raise Refused(
                self.env._("The original payment was made in another currency."), "currency"
            )
        if booking.operation in ("capture", "release"):
            if parent.operation != "preauth":
                raise Refused(self.env._("Only a hold can be captured or released."), "parent")
            if parent.hold_id.state == "lapsed":
                raise Refused(self.env._("It has lapsed: nothing is held any more."), "parent")
        elif parent.operation not in TAKES_MONEY:
            raise Refused(self.env._("Only money that was taken can be given back."), "parent")
        elif booking.operation == "refund" and not parent.is_attached:
            raise Refused(
                self.env._("It is not in the books yet: give back all of it instead."), "parent"
            )
        elif booking.operation == "void" and parent.is_attached:
            raise Refused(self.env._("It is in the books: refund it instead."), "parent")

    @api.model
    def _way_of_booking(self, booking, parent, abandoned):
        """Terminal and protocol; without a protocol it goes through Viva's transactions API."""
        operation = booking.operation
        via = parent.account_id.release_by if operation == "release" else booking.via
        if via == "api":
            refusal = "" if abandoned else parent._refusal_of_api_now()
            if refusal:
                raise Refused(refusal, "api")
            return parent.terminal_id, False
        terminal = booking.terminal_id
        protocol = terminal.protocol
        if abandoned:
            return terminal, protocol
        refusal = terminal._refusal()
        if refusal:
            raise Refused(refusal, "terminal")
        if parent and parent.account_id != terminal.account_id:
            raise Refused(
                self.env._(
                    "The original payment was made with another Viva account. Choose one of its terminals: %s.",
                    parent.terminal_id.display_name,
                ),
                "terminal",
            )
        if protocol == APP:
            raise Refused(
                self.env._(
                    "The viva.com | Terminal app opens on the till's own device. Choose a terminal that Odoo reaches."
                ),
                "ability",
            )
        terminal._refuse_other_currency(protocol, booking.currency_id)
        obstacle = terminal._obstacle_to(booking._as_request(), protocol, parent)
        if obstacle and parent and parent._goes_by_api(operation):
            return parent.terminal_id, False
        terminal._refuse_way(protocol)
        if obstacle:
            raise Refused(obstacle, "ability")
        return terminal, protocol

    # -- under the ledger's locks ----------------------------------------------------------------

    @api.model
    def _claim_documents(self, values):
        """The invoices of a booking are its own from now on. In the same database transaction as the record itself.

        :raise Refused: somebody else is charging one of them, or they are paid meanwhile
        """
        booking = self.env["viva.booking"].browse(values.get("booking_id") or [])
        if booking:
            booking._claim()

    # -- hooks of the ledger ---------------------------------------------------------------------

    def _move(self, state, **options):
        moved = super()._move(state, **options)
        if moved and self.booking_id and state in FINAL:
            # The books follow although every browser may be closed.
            self.env.ref("viva_payments.cron_settle")._trigger()
        return moved

    def _tell(self):
        self.booking_id._tell()
        return super()._tell()

    def _compute_document(self):
        result = super()._compute_document()
        for transaction in self.filtered("booking_id"):
            # In the books: nothing has to be found for it any more.
            transaction.is_attached = (
                transaction.booking_id.state == "booked" and transaction.operation != "preauth"
            )
        return result
