"""What a payment's state means, in the words of the person at the till."""

from odoo import models

from ..drivers import to_minor
from .viva_transaction import GIVES_BACK, TAKES_MONEY
from .ways import APP, LAN


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    def _words(self):
        """One or two short sentences: what is the case and what to do next."""
        self.ensure_one()
        if not self.state:
            return ""
        if self.is_contradicted:
            return self._words_contradicted()
        return getattr(self, f"_words_{self.state}")()

    def _words_contradicted(self):
        """Viva says something else than what counts here."""
        if self.is_forced:
            return self.env._(
                "Viva reports something else than was decided by hand. Tell a manager."
            )
        if self.word == "gateway":
            return self.env._(
                "Viva lists something else than the terminal has told. Look into Viva's portal; tell a manager."
            )
        if self.operation in TAKES_MONEY:
            return self.env._(
                "Booked as paid, but Viva says that the card was not charged. Tell a manager."
            )
        return self.env._(
            "Accepted as done, but Viva says that it was not carried out. Tell a manager."
        )

    def _words_draft(self):
        return self.env._("Prepared, not sent yet.")

    def _words_sent(self):
        if self.via == "api":
            return self.env._("Asking Viva …")
        if self.protocol == APP:
            return self.env._("Opening the viva.com | Terminal app …")
        return self.env._("Sending to terminal %s …", self.terminal_id.display_name)

    def _words_pending(self):
        terminal = self.terminal_id.display_name
        if self.abort_asked_at and not self.abort_refused:
            if self.protocol == APP:
                return self.env._("Cancelling in the viva.com | Terminal app …")
            return self.env._("Cancelling on terminal %s …", terminal)
        if self.protocol == APP:
            return self._words_pending_in_app()
        return {
            "preauth": self.env._("Waiting for the card on terminal %s", terminal),
            "capture": self.env._("Capturing the hold on terminal %s …", terminal),
            "refund": self.env._("Refunding on terminal %s …", terminal),
            "void": self.env._("Voiding on terminal %s …", terminal),
            "release": self.env._("Releasing the hold on terminal %s …", terminal),
        }.get(self.operation, self.env._("Waiting for the card on terminal %s", terminal))

    def _words_pending_in_app(self):
        """The app is open on the till's own device, or should be."""
        if (self.app_answer or {}).get("status"):
            return self.env._("The app has returned. Asking Viva what became of it …")
        return self.env._("Waiting for the viva.com | Terminal app on this device")

    def _words_of_gateway_word(self, words):
        """The terminal has told it; Viva itself has not confirmed it yet."""
        if self.word != "gateway" or self.is_forced:
            return words
        if self.is_offline:
            return self.env._(
                "%s · the terminal works offline: the bank has not seen it yet", words
            )
        return self.env._("%s · the terminal says; not confirmed by Viva yet", words)

    def _words_approved(self):
        if self.operation not in TAKES_MONEY:
            return self._words_carried_out()
        if self.forced_by and not self.viva_transaction_id:
            return self.env._("Accepted by %s. Viva has not confirmed it yet.", self.forced_by.name)
        card = " ".join(filter(None, [self.card_brand, self.card_last4 and f"••{self.card_last4}"]))
        if self._reported_reversals():
            return self.env._("Viva reports that it gave this payment back. Call a manager.")
        if self.reason == "approved_after_cancel":
            return self.env._(
                "Approved after you cancelled: the customer WAS charged (%s). Keep the payment, or give the money back.",
                card,
            )
        words = self.env._("Approved · %s", card) if card else self.env._("Approved")
        words = self._words_of_gateway_word(words)
        if self.reversed_amount:
            money = self.currency_id.format(self.reversed_amount)
            words = self.env._("%(approved)s · %(money)s given back", approved=words, money=money)
        return words

    def _words_carried_out(self):
        """An operation that takes no money; a void is never called a refund, nor the reverse."""
        if self.forced_by and not self.viva_transaction_id:
            return self.env._("Accepted by %s. Viva has not confirmed it yet.", self.forced_by.name)
        card = " ".join(filter(None, [self.card_brand, self.card_last4 and f"••{self.card_last4}"]))
        money = self.currency_id.format(self.approved_amount)
        if self.operation == "preauth":
            return self.env._("On hold: %(money)s · %(card)s", money=money, card=card)
        if self.operation == "release":
            return self.env._("Released: nothing is held any more.")
        if self.executed == "void":
            return self.env._(
                "Voided: %(money)s stays off the card · %(card)s", money=money, card=card
            )
        return self.env._(
            "Refunded: %(money)s goes back to the card · %(card)s", money=money, card=card
        )

    def _words_declined(self):
        if self._gives_back():
            return self.env._("Viva has declined it. No money was given back.")
        return {
            "insufficient_funds": self.env._(
                "Declined: not enough money on the card. Try another card."
            ),
            "card_expired": self.env._("Declined: the card has expired. Try another card."),
            "limit_exceeded": self.env._(
                "Declined: the card's limit is exceeded. Try another card."
            ),
            "invalid_card": self.env._("Declined: this card is not valid here. Try another card."),
            "wrong_cvv": self.env._(
                "Declined: wrong card security code. Try again or take another card."
            ),
            "declined_by_card": self.env._("Declined by the card. Try another card."),
            "try_other_card": self.env._("Declined. Try another card."),
        }.get(
            self.reason, self.env._("Declined by the bank. Nothing was charged. Try another card.")
        )

    def _words_cancelled(self):
        if self._gives_back():
            return self.env._("Cancelled. No money was given back.")
        if self.reason == "never_sent":
            return self.env._("The request was never sent. Nothing was charged. Try again.")
        if self.reason == "aborted":
            if self.booking_id:
                return self.env._("Cancelled in Odoo. Nothing was charged.")
            return self.env._("Cancelled by the till. Nothing was charged.")
        return self.env._("Cancelled on the terminal. Nothing was charged.")

    def _words_failed(self):
        terminal = self.terminal_id.display_name
        words = self._words_of_gateway() if self.protocol in LAN else ""
        if not words and self._gives_back() and self.reason == "app_never_paid":
            words = self.env._(
                "No money was given back in the viva.com | Terminal app: Viva lists nothing. Try again."
            )
        if not words and self.parent_id:
            words = self._words_failed_with_parent()
        return words or {
            "no_card": self.env._("No card was presented in time. Nothing was charged. Try again."),
            "expired": self.env._(
                "The request has expired on the terminal. Nothing was charged. Try again."
            ),
            "terminal_busy": self.env._(
                "Terminal %s is busy with another payment. Try again in a moment.", terminal
            ),
            "terminal_offline": self.env._(
                "Terminal %s has no connection. Check its network and try again.", terminal
            ),
            "terminal_connection": self.env._(
                "Terminal %s lost its connection. Nothing was charged. Check its network and try again.",
                terminal,
            ),
            "location_off": self.env._(
                "Switch on location services on terminal %s and try again.", terminal
            ),
            "stored_transactions": self.env._(
                "Terminal %s holds stored payments that have to be voided first. Ask a manager.",
                terminal,
            ),
            "offline_mode": self.env._(
                "Terminal %s works offline and cannot take this payment now.", terminal
            ),
            "unreachable": self.env._(
                "Viva cannot be reached. Nothing was sent to the terminal. Check the internet connection, try again, "
                "or take another payment method."
            ),
            "never_arrived": self.env._(
                "The request never reached Viva. Nothing was charged. Try again."
            ),
            "credentials": self.env._(
                "Viva refuses the account's credentials. Nothing was charged. Ask an administrator."
            ),
            "permission": self.env._(
                "Viva does not allow this account to take payments. Ask an administrator."
            ),
            "bad_request": self.env._(
                "Viva refused the request: %s. Nothing was charged.", self.viva_message or "?"
            ),
            "not_found": self.env._(
                "Viva does not know terminal %s. Nothing was charged. Ask an administrator.",
                terminal,
            ),
            "configuration": self.env._(
                "Terminal %s is not set up for this payment. Nothing was charged. Ask an administrator.",
                terminal,
            ),
            "installments_not_enabled": self.env._(
                "Installments are not enabled for this terminal. Nothing was charged. Send it again without them."
            ),
            "tip_not_enabled": self.env._(
                "Tips are not enabled for this terminal. Nothing was charged. Ask an administrator."
            ),
            "not_enabled": self.env._(
                "Viva has not enabled this kind of payment for the terminal. Ask an administrator."
            ),
            "invalid_amount": self.env._("Viva does not accept this amount. Nothing was charged."),
            "person": self.env._("Marked as not charged by %s.", self.forced_by.name or ""),
            "app_never_paid": self.env._(
                "Nothing was paid in the viva.com | Terminal app: Viva lists nothing. Try again."
            ),
        }.get(
            self.reason,
            self.env._(
                "The payment failed on the terminal (%s). Nothing was charged. Try again.",
                self.viva_message or "?",
            ),
        )

    def _words_failed_with_parent(self):
        """Why money was not given back, captured or released; empty: as for any other operation."""
        words = {
            "partial_too_early": self._partial_too_early_words(),
            "not_reversible": self.env._(
                "Viva says that this payment cannot be given back (any more)."
            ),
            "refunds_disabled": self.env._(
                "Viva has not enabled refunds for this account. Ask an administrator to write to Viva."
            ),
            "action_disabled": self.env._(
                "This is switched off in Viva's portal: Settings > API Access. Ask an administrator to switch on "
                "refunds, or captures of holds, by API."
            ),
            "merchant_funds": self.env._(
                "There is not enough money on the Viva account to give it back. Ask the accountant."
            ),
            "insufficient_funds_account": self.env._(
                "There is not enough money on the Viva account to give it back. Ask the accountant."
            ),
            "capture_amount": self.env._("Viva does not capture more than is on hold."),
            "parent_unknown": self.env._("Viva does not find the original payment. Ask a manager."),
            "not_found": self.env._("Viva does not find the original payment. Ask a manager."),
            "never_arrived": self.env._(
                "The request never reached Viva. Nothing was done. Try again."
            ),
            "person": self.env._("Marked as not done by %s.", self.forced_by.name or ""),
        }.get(self.reason, "")
        if words or self.operation == "capture":
            return words
        if self.reason in ("terminal_error", "other", "invalid_amount"):
            return self.env._(
                "The terminal did not give the money back (%s). Nothing was given back.",
                self.viva_message or "?",
            )
        return ""

    def _partial_too_early_words(self):
        return self.env._(
            "Viva gives back a part only after clearing, about 24 hours after the sale. Nothing was given back."
        )

    def _gives_back(self):
        """Whether it gives money back, or what is on hold: then nobody speaks of charging."""
        return self.operation in (*GIVES_BACK, "release")

    def _differences(self):
        """By reason: what is told in place of what was asked for."""
        return {
            "amount": self.env._("another amount"),
            "currency": self.env._("another currency"),
            "terminal": self.env._("another terminal"),
            "reference": self.env._("another reference"),
            "type": self.env._("another kind of payment"),
            "session": self.env._("another payment"),
            "twice": self.env._("two payments"),
            "answer": self.env._("a contradictory answer"),
            "transaction_id": self.env._("a payment that is booked already"),
        }

    def _difference(self, state, reason):
        """In words for a person: what is told about it, as a verdict's state and reason."""
        if state == "approved":
            # It counts as another amount, or as none.
            return self.env._("another amount") if self.state == state else self.env._("approved")
        if state == "unknown":
            return self._differences().get(reason) or self.env._("a contradictory answer")
        return self.env._("not carried out")

    def _words_unknown(self):
        differs = self._differences()
        if self.protocol in LAN and (words := self._words_of_gateway()):
            return words
        if self.protocol == APP and self.reason in ("no_callback", "app_unconfirmed"):
            return self._words_unknown_in_app()
        if self.reason == "reversal":
            return self.env._(
                "Viva reports that this money was given back. Look into Viva's portal, then decide."
            )
        if self.reason in differs:
            if self._gives_back():
                return self.env._(
                    "Viva reports %s than was asked for. The money may have been given back: call a manager.",
                    differs[self.reason],
                )
            return self.env._(
                "Viva reports %s than was asked for. The customer may have been charged: call a manager.",
                differs[self.reason],
            )
        if self._gives_back():
            return self.env._(
                "Nobody knows yet whether the money was given back. Do not give it back again; Viva is being asked."
            )
        return self.env._(
            "Look at terminal %s: it may have charged the customer. Do not charge the card again; "
            "Viva is being asked.",
            self.terminal_id.display_name,
        )

    def _words_unknown_in_app(self):
        if self.reason == "app_unconfirmed":
            return self.env._(
                "The app says that it was carried out; Viva has not listed it yet. Do not do it again: Viva is being "
                "asked."
            )
        if self._gives_back():
            return self.env._(
                "The app has not told what became of it. Open viva.com | Terminal and look at its transactions: the "
                "money may have been given back. Do not give it back again. Viva is being asked."
            )
        return self.env._(
            "The app has not told what became of it. Open viva.com | Terminal and look at its transactions; do not "
            "charge the card again. Viva is being asked."
        )

    def _headline(self):
        """The payment in one line, for lists of what is open."""
        self.ensure_one()
        state = dict(self._fields["state"]._description_selection(self.env))[self.state]
        what = "" if self.operation == "sale" else f"{self._kind_label()} · "
        return f"{self.name} · {what}{self.order_reference or '-'} · {self.currency_id.format(self.amount)} · {state}"

    def _slip(self):
        """The lines that the card schemes want on the customer's receipt. Empty unless approved."""
        self.ensure_one()
        if self.state != "approved":
            return ""
        rows = [
            self.is_demo and self.env._("DEMO – NO MONEY MOVES"),
            self.operation != "sale"
            and f"{self._kind_label()}: {self.currency_id.format(self.approved_amount)}",
            " ".join(filter(None, [self.application_label or self.card_brand, self.card_masked])),
            self.authorisation_code
            and self.env._("Authorisation code: %s", self.authorisation_code),
            self.rrn and self.env._("RRN: %s", self.rrn),
            self.env._("Terminal: %s", self.tid or self.terminal_viva_id),
            self.verification_method,
        ]
        if self.tip_amount:
            rows.append(self.env._("Tip: %s", self.currency_id.format(self.tip_amount)))
        if self.surcharge_amount:
            rows.append(self.env._("Surcharge: %s", self.currency_id.format(self.surcharge_amount)))
        if self.installments > 1:
            rows.append(self.env._("Installments: %s", self.installments))
        if self.dcc_details:
            rows.append(self._dcc_words())
        return "\n".join(row for row in rows if row)

    def _dcc_words(self):
        """What the customer's bank charges in another currency; the inner shape is UNVERIFIED, so any part may lack."""
        details = self.dcc_details if isinstance(self.dcc_details, dict) else {}
        parts = [
            str(details[name])
            for name in ("amount", "currency", "currencyCode", "rate")
            if isinstance(details.get(name), str | int | float)
        ]
        return self.env._("Converted by the customer's choice: %s", " ".join(parts) or "?")

    def _result(self):
        """The result part of the till's Status."""
        self.ensure_one()
        if self.state != "approved":
            return {}
        return {
            "transaction_id": self.viva_transaction_id or "",
            "card_brand": self.card_brand or self.application_label or "",
            "card_last4": self.card_last4 or "",
            "card_masked": self.card_masked or "",
            "authorisation_code": self.authorisation_code or "",
            "rrn": self.rrn or "",
            "tid": self.tid or self.terminal_viva_id,
            "entry_mode": self.entry_mode or "",
            "order_code": self.order_code or "",
            "installments": self.installments,
            "tip_minor": to_minor(self.tip_amount, self.currency_id.name),
            "slip": self._slip(),
        }

    def _finding(self):
        """Why this payment stands in the way of closing the session."""
        self.ensure_one()
        if self.is_unsettled:
            if self._gives_back():
                return self.env._(
                    "%s: it is not known whether the money was given back", self._headline()
                )
            return self.env._(
                "%s: it is not known whether the customer was charged", self._headline()
            )
        if self.is_attached and self._has_open_tip():
            return self.env._(
                "%(payment)s: nobody has decided how the tip of %(tip)s is booked",
                payment=self._headline(),
                tip=self.currency_id.format(self.tip_amount),
            )
        if self.operation == "refund":
            return self.env._(
                "%s: the money was given back, but no settled refund has this payment",
                self._headline(),
            )
        return self.env._(
            "%s: the customer was charged, but no paid order has this payment", self._headline()
        )
