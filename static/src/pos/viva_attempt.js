import { uuidv4 } from "@point_of_sale/utils";

/**
 * What this tab knows about one press of the button (or one charge found again after a reload).
 * It addresses line and order by uuid only: the records may be replaced at any time.
 *
 * @typedef {Object} VivaAttempt
 * @property {string} id the attempt's uuid, unique at the server
 * @property {string} paymentUuid
 * @property {string} orderUuid
 * @property {number} [methodId] `pos.payment.method`; unknown when the server told us about the attempt
 * @property {Object} [request] what was, or would have been, sent to `pos_charge`
 * @property {Object|null} status the server's last Status
 * @property {string} refusal why nothing was charged, when the server has no record of the attempt
 * @property {boolean} asking the request to charge is on its way
 * @property {boolean} doubt the answer to it was lost, or the tab was reloaded
 * @property {string} lostWords what Odoo said instead of an answer
 * @property {boolean} contact the last question to Odoo was answered
 * @property {string} busy which button is being carried out: "", "abort", "check" or "force"
 * @property {number} askedAt milliseconds since 1970, by this device's clock
 * @property {number} heardAt the same, of `status`
 * @property {boolean} removeLine the cashier deleted the line: it goes when it is known to be uncharged
 * @property {boolean} deniedBefore the cashier has been told that nothing was charged
 * @property {boolean} booked its line has been marked as paid
 * @property {string} news "paid" until a payment screen has taken notice, then "seen"; else ""
 * @property {boolean} alarmed the cashier has been told about unexpected money
 */

/** @returns {VivaAttempt} */
export function newAttempt(values) {
    return {
        id: uuidv4(),
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
        ...values,
    };
}

/**
 * @param {VivaAttempt} attempt
 * @returns {"sending"|"waiting"|"cancelling"|"unknown"|"paid"|"unpaid"}
 */
export function phaseOf({ status, refusal, doubt }) {
    if (refusal) {
        return "unpaid";
    }
    if (!status) {
        return doubt ? "unknown" : "sending";
    }
    if (status.charged || (status.forced && status.state === "approved")) {
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

/** Seconds since the charge was asked for, by the server's clock where it is known. */
export function ageOf(attempt, now) {
    const known = attempt.status?.age_s || 0;
    const since = attempt.status ? attempt.heardAt : attempt.askedAt;
    return Math.floor(known + Math.max(0, now - since) / 1000);
}
