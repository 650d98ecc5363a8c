import { ask } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { AlertDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { _t } from "@web/core/l10n/translation";

import { toMajor } from "./minor_units";
import { LINE, isPaidLine } from "./odoo_glue";
import { isOpen, phaseOf } from "./viva_attempt";

/**
 * What becomes of the order when an attempt has ended: the line is paid, may be tried again, or there is
 * money without a line, which nobody may overlook.
 */
export class VivaOutcome {
    /** @param {import("./viva_till").VivaTill} till */
    constructor(till) {
        this.till = till;
        this.pos = till.pos;
        this.lines = till.lines;
    }

    unpaid(attempt) {
        attempt.deniedBefore = true;
        const line = this.lines.of(attempt);
        if (!line || isPaidLine(line)) {
            return;
        }
        line.setPaymentStatus(LINE.retry);
        const charged = this._chargedBefore(attempt);
        if (charged) {
            this._takeOver(charged, line);
        } else if (attempt.removeLine) {
            this.lines.remove(line.uuid);
        } else if (attempt.status?.blocking) {
            this._showBlocking(attempt, line);
        }
    }

    paid(attempt) {
        const line = this.lines.find(attempt.paymentUuid);
        if (!line || this.lines.attemptId(line) !== attempt.id) {
            this._withoutLine(attempt, line);
        } else if (!isPaidLine(line) && !line.pos_order_id.finalized) {
            this.lines.assign(line, attempt);
            this.lines.book(attempt, line);
            if (attempt.deniedBefore || attempt.removeLine || attempt.status.abort_asked) {
                this._alarm(
                    attempt,
                    _t(
                        "%(money)s was taken from the card although the payment had been cancelled. The payment " +
                            "stays on the order. To give the money back, ask a manager.",
                        { money: this._money(attempt) }
                    )
                );
            }
        } else {
            attempt.booked = true;
        }
    }

    say(title, body) {
        this.pos.dialog.add(AlertDialog, { title, body });
    }

    // -- money without a line --------------------------------------------------------------------

    async _withoutLine(attempt, line) {
        if (attempt.alarmed || attempt.booked) {
            return;
        }
        const order = this.lines.order(attempt);
        const values = {
            money: this._money(attempt),
            order: attempt.status.order_reference || order?.pos_reference || "",
        };
        const other = line && this.till.attempts[this.lines.attemptId(line)];
        if (!order || order.finalized || isPaidLine(line)) {
            this._alarm(
                attempt,
                _t(
                    "%(money)s was taken from the card, but order %(order)s is paid already. Ask a manager to give " +
                        "the money back.",
                    values
                )
            );
        } else if (other && isOpen(other)) {
            this._alarm(
                attempt,
                _t(
                    "%(money)s was taken from the card by the earlier payment. Do not let the customer pay again: " +
                        "the new request is being cancelled.",
                    values
                )
            );
            this.till.buttons.cancel(line.uuid);
        } else if (line) {
            this._takeOver(attempt, line);
        } else {
            attempt.alarmed = true;
            await this._offerToAddBack(attempt, order, values);
        }
    }

    async _offerToAddBack(attempt, order, values) {
        const addBack = await ask(this.pos.dialog, {
            title: _t("The customer WAS charged"),
            body: _t(
                "%(money)s was taken from the card for order %(order)s after its payment line had been removed. Add " +
                    "the payment back to the order, or ask a manager to give the money back.",
                values
            ),
            confirmLabel: _t("Add it back"),
            cancelLabel: _t("Ask a manager"),
        });
        if (addBack && !order.finalized && !this.lines.find(attempt.paymentUuid)) {
            this.lines.book(attempt, this.lines.putBack(attempt, order));
        }
    }

    /** An earlier attempt of the same line that was charged although we had been told otherwise. */
    _chargedBefore(attempt) {
        return Object.values(this.till.attempts).find(
            (other) =>
                other.id !== attempt.id &&
                other.paymentUuid === attempt.paymentUuid &&
                phaseOf(other) === "paid"
        );
    }

    _takeOver(attempt, line) {
        this.lines.assign(line, attempt);
        this.lines.book(attempt, line);
        this._alarm(
            attempt,
            _t("%(money)s was taken from the card after all. The payment is on the order now.", {
                money: this._money(attempt),
            })
        );
    }

    /** The order has an older card payment: show that one instead of asking for another. */
    _showBlocking(attempt, line) {
        const { blocking, message } = attempt.status;
        if (blocking.order_uuid !== attempt.orderUuid) {
            return; // the terminal is busy with another order: the words on the line are enough
        }
        const order = line.pos_order_id;
        if (blocking.payment_uuid !== attempt.paymentUuid) {
            this.lines.remove(line.uuid);
        }
        this.till.learn(blocking);
        const older = this.till.attempts[blocking.attempt];
        if (!isOpen(older)) {
            return;
        }
        const olderLine = this.lines.find(older.paymentUuid) || this.lines.putBack(older, order);
        this.lines.assign(olderLine, older);
        this.lines.show(older, olderLine);
        this.say(_t("This order has an open card payment"), message);
    }

    _alarm(attempt, body) {
        if (!attempt.alarmed) {
            attempt.alarmed = true;
            this.say(_t("The customer WAS charged"), body);
        }
    }

    _money({ status }) {
        const amount = toMajor(status.approved_minor || status.amount_minor, status.digits);
        return this.pos.env.utils.formatCurrency(amount);
    }
}
