import { uuidv4 } from "@point_of_sale/utils";

/** Operations that are a payment line of an order. The others change an earlier payment, or hold money. */
const LINE_OPERATIONS = ["sale", "capture", "refund"];
/** Operations that give money back. */
const MONEY_BACK = ["refund", "void"];

/**
 * What this tab knows about one press of a button (or one operation found again after a reload).
 * It addresses line and order by uuid only: the records may be replaced at any time.
 *
 * @typedef {Object} VivaAttempt
 * @property {string} id the attempt's uuid, unique at the server
 * @property {"sale"|"preauth"|"capture"|"refund"|"void"|"release"} operation
 * @property {string} parent the attempt that is captured, given back or released; else ""
 * @property {string} paymentUuid its payment line; "" for an operation that is none
 * @property {string} orderUuid
 * @property {number} [methodId] `pos.payment.method`; unknown when the server told us about the attempt
 * @property {Object} [request] what was, or would have been, sent to `pos_start`
 * @property {Object|null} status the server's last Status
 * @property {string} refusal why nothing happened, when the server has no record of the attempt
 * @property {boolean} asking the request is on its way
 * @property {boolean} doubt the answer to it was lost, or the tab was reloaded
 * @property {string} lostWords what Odoo said instead of an answer
 * @property {boolean} contact the last question to Odoo was answered
 * @property {string} busy which button is being carried out: "", "abort", "check" or "force"
 * @property {number} askedAt milliseconds since 1970, by this device's clock
 * @property {number} heardAt the same, of `status`
 * @property {boolean} removeLine the cashier deleted the line: it goes when it is known to be uncharged
 * @property {boolean} deniedBefore the cashier has been told that nothing happened
 * @property {boolean} booked its line has been marked as paid
 * @property {string} news "paid" until a payment screen has taken notice, then "seen"; else ""
 * @property {boolean} alarmed the cashier has been told about unexpected money
 * @property {boolean} told the cashier has been told how it ended
 */

/** @returns {VivaAttempt} */
export function newAttempt(values) {
    return {
        id: uuidv4(),
        operation: "sale",
        parent: "",
        status: null,
        refusal: "",
        asking: false,
        doubt: false,
        lostWords: "",
        contact: true,
        busy: "",
        askedAt: Date.now(),
        heardAt: Date.now(),
        removeLine: false,
        deniedBefore: false,
        booked: false,
        news: "",
        alarmed: false,
        told: false,
        ...values,
    };
}

export function operationOf({ status, operation }) {
    return status?.operation || operation;
}

export function parentOf({ status, parent }) {
    return status?.parent_attempt || parent;
}

/** Whether it is a payment line of an order. */
export function isLineAttempt(attempt) {
    return LINE_OPERATIONS.includes(operationOf(attempt));
}

export function givesMoneyBack(attempt) {
    return MONEY_BACK.includes(operationOf(attempt));
}

/**
 * @param {VivaAttempt} attempt
 * @returns {"sending"|"waiting"|"cancelling"|"unknown"|"paid"|"unpaid"} "paid": it has succeeded and still counts,
 *   whatever the operation; "unpaid": surely not, or not any more. Only the server's `charged` says so: what a manager
 *   has accepted stays `forced` for ever, also after it was voided or denied.
 */
export function phaseOf({ status, refusal, doubt }) {
    if (refusal) {
        return "unpaid";
    }
    if (!status) {
        return doubt ? "unknown" : "sending";
    }
    if (status.charged) {
        return "paid";
    }
    if (status.final || status.state === "refused") {
        return "unpaid";
    }
    if (status.state === "unknown") {
        return "unknown";
    }
    return status.abort_asked ? "cancelling" : "waiting";
}

/** Whether the end is still to come. */
export function isOpen(attempt) {
    return !["paid", "unpaid"].includes(phaseOf(attempt));
}

/** Seconds since it was asked for, by the server's clock where it is known. */
export function ageOf(attempt, now) {
    const known = attempt.status?.age_s || 0;
    const since = attempt.status ? attempt.heardAt : attempt.askedAt;
    return Math.floor(known + Math.max(0, now - since) / 1000);
}
