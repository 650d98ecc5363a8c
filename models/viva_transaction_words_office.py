"""What the state of a card payment of the back office means, and its tasks: no till and no order is spoken of there."""

from odoo import models

from .viva_transaction import TAKES_MONEY


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    # -- states ----------------------------------------------------------------------------------

    def _words_contradicted(self):
        if not self.booking_id:
            return super()._words_contradicted()
        if self.is_forced:
            return self.env._(
                "Viva reports something else than was decided by hand. Look into Viva's portal, then correct the books."
            )
        if self.word == "gateway":
            return self.env._(
                "Viva lists something else than the terminal has told. Look into Viva's portal, then correct the books."
            )
        if self.operation in TAKES_MONEY:
            return self.env._(
                "Booked as paid, but Viva says that the card was not charged. Reset its payment to draft and cancel it: "
                "then the invoice is open again."
            )
        return self.env._(
            "Accepted as done, but Viva says that it was not carried out. If it has a payment, reset that to draft and "
            "cancel it."
        )

    def _words_approved(self):
        words = super()._words_approved()
        is_own_word = self.forced_by and not self.viva_transaction_id
        if (
            self.booking_id
            and self.operation in TAKES_MONEY
            and not is_own_word
            and self._reported_reversals()
        ):
            return self.env._(
                "Viva reports that it gave this payment back. An accountant opens the reversal below and decides on it."
            )
        return words

    def _words_failed(self):
        if self.booking_id and self.reason == "stored_transactions":
            return self.env._(
                "Terminal %s holds stored payments that have to be voided there first. Then try again.",
                self.terminal_id.display_name,
            )
        return super()._words_failed()

    def _words_failed_with_parent(self):
        if self.booking_id and self.reason in ("parent_unknown", "not_found"):
            return self.env._("Viva does not find the original payment. Look into Viva's portal.")
        return super()._words_failed_with_parent()

    def _words_unknown(self):
        if not self.booking_id:
            return super()._words_unknown()
        differs = self._differences().get(self.reason)
        if not differs:
            return " ".join((super()._words_unknown(), self._words_of_decision()))
        if self._gives_back():
            words = self.env._(
                "Viva reports %s than was asked for. The money may have been given back: look into Viva's portal.",
                differs,
            )
        else:
            words = self.env._(
                "Viva reports %s than was asked for. The customer may have been charged: look into Viva's portal.",
                differs,
            )
        return " ".join((words, self._words_of_decision()))

    def _words_of_decision(self):
        """Who ends the doubt when Viva does not."""
        return self.env._(
            "If it stays so, an accountant opens the card payment and presses Decide."
        )

    def _words_of_busy_terminal(self):
        if not self.booking_id:
            return super()._words_of_busy_terminal()
        return self.env._(
            "Terminal %(terminal)s is busy with %(documents)s, for which the office has asked. Wait until it is free, or "
            "choose another one.",
            terminal=self.terminal_id.display_name,
            documents=self.order_reference or self.name,
        )

    # -- tasks -----------------------------------------------------------------------------------

    def _alarm_if_void_crossed(self):
        if not self.booking_id:
            return super()._alarm_if_void_crossed()
        if self.parent_id.is_attached:
            self._alarm(
                self.env._("Voided, but it is in the books"),
                self.env._(
                    "The money of %(payment)s (%(documents)s) went back to the card after it had been booked. Open the "
                    "void's booking and press Post: an outgoing payment takes it back.",
                    payment=self.parent_id.name,
                    documents=self.order_reference or "-",
                ),
            )
        return None

    def _alarm_late(self, old):
        if not self.booking_id:
            return super()._alarm_late(old)
        said = dict(self._fields["state"]._description_selection(self.env))[old]
        if self.operation in TAKES_MONEY:
            self._alarm(
                self.env._("Charged after all"),
                self.env._(
                    "Viva first said no (%(old)s) and has charged the customer (%(documents)s). If that is still open, it "
                    "is booked by itself. Else give the money back, or post it as a credit of the customer.",
                    old=said,
                    documents=self.order_reference or "-",
                ),
            )
            return None
        self._alarm(
            self.env._("Carried out after all"),
            self.env._(
                "Viva first said no (%(old)s) and has carried it out all the same: %(what)s. Look whether the books are "
                "right.",
                old=said,
                what=self._headline(),
            ),
        )
        return None

    def _has_open_tip(self):
        """A tip is booked with its payment: there is nothing to decide."""
        return not self.booking_id and super()._has_open_tip()
