import { _t } from "@web/core/l10n/translation";

import { LINE, isPaidLine } from "./odoo_glue";
import {
    givesMoneyBack,
    isLineAttempt,
    isOpen,
    operationOf,
    parentOf,
    phaseOf,
} from "./viva_attempt";
import { confirm, tell } from "./viva_confirm/viva_confirm";
import { paidTitle } from "./viva_words";

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
        this.till.moneyBack.offerChoices(attempt);
        if (!isLineAttempt(attempt)) {
            this._reviewParent(attempt);
            return;
        }
        const line = this.lines.of(attempt);
        if (!line) {
            return;
        }
        if (isPaidLine(line)) {
            this._withdraw(attempt, line);
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

    /**
     * What was paid does not count any more: Viva has denied what a manager accepted, or it was voided elsewhere. The
     * open order must not be validated with it. While this till voids it, the void says what becomes of the line.
     */
    _withdraw(attempt, line) {
        const child = this.till.childOf(attempt.id);
        if (child && isOpen(child)) {
            return;
        }
        this.lines.unbook(line);
        // Should this have been an old answer that came late, the next one puts it right.
        this.till.watch.follow(attempt.id, attempt.status?.poll_ms);
        const values = {
            order: line.pos_order_id.pos_reference,
            money: this._money(attempt),
            message: attempt.status?.message || attempt.refusal,
        };
        if (givesMoneyBack(attempt)) {
            this.say(
                _t("This refund does not count any more"),
                _t(
                    "Order %(order)s, %(money)s: %(message)s Send it again from its line, or remove the line and give " +
                        "the money back another way.",
                    values
                )
            );
        } else {
            this.say(
                _t("This payment does not count any more"),
                _t(
                    "Order %(order)s, %(money)s: %(message)s Send it again from its line, or remove the line and take " +
                        "another payment method.",
                    values
                )
            );
        }
    }

    /** A void has failed: the payment may have gone another way meanwhile. */
    _reviewParent(attempt) {
        const parent = this.till.attempts[parentOf(attempt)];
        const line = parent && phaseOf(parent) === "unpaid" && this.lines.of(parent);
        if (line && isPaidLine(line)) {
            this._withdraw(parent, line);
        }
    }

    paid(attempt) {
        if (operationOf(attempt) === "void") {
            this._voided(attempt);
        } else if (isLineAttempt(attempt)) {
            this._paidLine(attempt);
        }
    }

    _paidLine(attempt) {
        const line = this.lines.find(attempt.paymentUuid);
        if (!line || this.lines.attemptId(line) !== attempt.id) {
            this._withoutLine(attempt, line);
        } else if (!isPaidLine(line) && !line.pos_order_id.finalized) {
            this.lines.assign(line, attempt);
            this.lines.book(attempt, line);
            if (attempt.deniedBefore || attempt.removeLine || attempt.status.abort_asked) {
                const values = { money: this._money(attempt) };
                this._alarm(
                    attempt,
                    givesMoneyBack(attempt)
                        ? _t(
                              "%(money)s was given back to the card although the refund had been cancelled. It " +
                                  "stays on the order.",
                              values
                          )
                        : _t(
                              "%(money)s was taken from the card although the payment had been cancelled. The payment " +
                                  "stays on the order. Press Void on it to give the money back.",
                              values
                          )
                );
            }
        } else {
            attempt.booked = true;
        }
        const standing = this.lines.of(attempt);
        if (standing) {
            this.till.tips.take(attempt, standing);
        }
    }

    /** An approved payment of an open order has gone back to the card: its line goes, the cashier is told how. */
    _voided(attempt) {
        const line = this.lines.standingFor(parentOf(attempt));
        if (line) {
            this.lines.removeVoided(line);
        }
        const parent = this.till.attempts[parentOf(attempt)];
        if (parent?.status) {
            // Its own Status is asked for with the next question; until then it must not look charged.
            Object.assign(parent, {
                status: { ...parent.status, charged: false, left_minor: 0 },
                booked: true,
            });
        }
        if (!attempt.told && (line || attempt.request)) {
            attempt.told = true;
            this.pos.notification.add(
                _t("%(what)s (%(money)s). The payment has been removed from the order.", {
                    what: paidTitle(attempt),
                    money: this._money(attempt),
                }),
                { type: "success", autocloseDelay: 6000 }
            );
        }
    }

    say(title, body) {
        tell(this.pos.dialog, title, body);
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
        const isBack = givesMoneyBack(attempt);
        if (!order || order.finalized || isPaidLine(line)) {
            this._alarm(
                attempt,
                isBack
                    ? _t(
                          "%(money)s was given back to the card, but order %(order)s is closed already. Tell a " +
                              "manager.",
                          values
                      )
                    : _t(
                          "%(money)s was taken from the card, but order %(order)s is paid already. Ask a manager to " +
                              "give the money back.",
                          values
                      )
            );
        } else if (other && isOpen(other)) {
            this._alarm(
                attempt,
                isBack
                    ? _t(
                          "%(money)s was given back to the card by the earlier refund. Do not give it back again: the " +
                              "new request is being cancelled.",
                          values
                      )
                    : _t(
                          "%(money)s was taken from the card by the earlier payment. Do not let the customer pay " +
                              "again: the new request is being cancelled.",
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
        const isBack = givesMoneyBack(attempt);
        const addBack = await confirm(this.pos.dialog, {
            title: this._alarmTitle(attempt),
            body: isBack
                ? _t(
                      "%(money)s was given back to the card for order %(order)s after its payment line had been " +
                          "removed. Add the refund back to the order, or tell a manager.",
                      values
                  )
                : _t(
                      "%(money)s was taken from the card for order %(order)s after its payment line had been removed. " +
                          "Add the payment back to the order, or ask a manager to give the money back.",
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
        const values = { money: this._money(attempt) };
        this._alarm(
            attempt,
            givesMoneyBack(attempt)
                ? _t("%(money)s was given back after all. The refund is on the order now.", values)
                : _t(
                      "%(money)s was taken from the card after all. The payment is on the order now.",
                      values
                  )
        );
    }

    /** The order has an older card payment: show that one instead of asking for another. */
    _showBlocking(attempt, line) {
        const { blocking, message } = attempt.status;
        if (blocking.order_uuid !== attempt.orderUuid) {
            return; // the terminal is busy with another order: the words on the line are enough
        }
        const order = line.pos_order_id;
        this.till.learn(blocking);
        const older = this.till.attempts[blocking.attempt];
        if (!isLineAttempt(older)) {
            return; // a void or a hold of this order: the words on the line say it
        }
        if (blocking.payment_uuid !== attempt.paymentUuid) {
            this.lines.remove(line.uuid);
        }
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
            this.say(this._alarmTitle(attempt), body);
        }
    }

    _alarmTitle(attempt) {
        return givesMoneyBack(attempt)
            ? _t("The money WAS given back")
            : _t("The customer WAS charged");
    }

    _money({ status }) {
        return this.till.money(status.approved_minor || status.amount_minor, status.digits);
    }
}
