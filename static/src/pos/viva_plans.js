import { isPaidLine } from "./odoo_glue";
import { operationOf, parentOf } from "./viva_attempt";

/**
 * What a payment line is to become, as far as its amount does not say it. Kept in the order's UI state, which
 * survives a reload: a line that gives money back must never be taken for a sale.
 *
 * @typedef {Object} VivaPlan
 * @property {"sale"|"capture"|"refund"} operation
 * @property {string} parent attempt of the payment that is captured or given back; "" = none
 * @property {string} card that payment's card in words, e.g. "Visa ••0133"; "" = none
 * @property {number} leftMinor the most that may be asked for; 0 = no limit
 * @property {number} [wholeMinor] all that may be given back, as the order carries it
 * @property {"terminal"|"api"} via "api": Viva is asked without card and terminal
 * @property {boolean} unreferenced money back without a payment that it belongs to
 * @property {number} [maxInstallments] 0 = none; not there = the cashier has not been asked yet
 * @property {number} [askedForMinor] the amount for which he has been asked
 * @property {boolean} [chargeRest] everything goes back, what the customer keeps is charged anew
 */
export const SALE = Object.freeze({
    operation: "sale",
    parent: "",
    card: "",
    leftMinor: 0,
    via: "terminal",
    unreferenced: false,
});

export class VivaPlans {
    /** @param {import("./viva_till").VivaTill} till */
    constructor(till) {
        this.till = till;
    }

    /** @returns {VivaPlan|undefined} nothing: the line has not been planned */
    of(line) {
        return line.pos_order_id?.uiState?.vivaPlans?.[line.uuid] || this._ofAttempt(line);
    }

    set(line, values) {
        const { uiState } = line.pos_order_id;
        uiState.vivaPlans = {
            ...uiState.vivaPlans,
            [line.uuid]: { ...SALE, ...this.of(line), ...values },
        };
    }

    /**
     * The line's plan, made now where it is missing. May ask the cashier.
     *
     * @returns {Promise<VivaPlan|undefined>} nothing: it is not to be sent
     */
    async complete(line) {
        const plan = this.of(line) || SALE;
        if (plan.operation === "refund" && line.amount > 0) {
            line.setAmount(-line.amount); // whatever was typed: it was meant as money back
        }
        if (line.amount < 0) {
            return this._completeMoneyBack(line);
        }
        return plan.operation === "sale" ? this.till.installments.complete(line, plan) : plan;
    }

    async _completeMoneyBack(line) {
        if (this.of(line)?.operation !== "refund") {
            const order = line.pos_order_id;
            const plan = await this.till.moneyBack.propose(order, line.payment_method_id);
            if (!plan || !this.till.lines.find(line.uuid) || isPaidLine(line)) {
                return undefined;
            }
            this.set(line, plan);
        }
        return this.of(line);
    }

    /** Another device has sent it, or the tab has lost its memory: what the server knows of it. */
    _ofAttempt(line) {
        const attempt = this.till.attemptOf(line);
        if (!attempt?.status || operationOf(attempt) === "sale") {
            return undefined;
        }
        return {
            ...SALE,
            operation: operationOf(attempt),
            parent: parentOf(attempt),
            via: attempt.status.via || "terminal",
            unreferenced: operationOf(attempt) === "refund" && !parentOf(attempt),
        };
    }
}
