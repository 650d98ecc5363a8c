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
 * @property {string} appUri opens the app that takes it, once; "" = not (any more) to be opened from here
 * @property {boolean} opened the app was opened with it
 * @property {boolean} canStopApp it is cancelled at the server, the app on this device has not been told
 * @property {boolean} stayed the page is still here although the app was opened
 * @property {boolean} gaveUp the app could not be opened, so it has been cancelled
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
        appUri: "",
        opened: false,
        canStopApp: false,
        stayed: false,
        gaveUp: false,
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

/** Whether the card is presented to a device that runs a till itself, in an app. */
export function isInApp({ status, request }) {
    return Boolean(status?.app || request?.protocol);
}

/** Whether this page has asked for it, and has not let the app begin. Nobody else can. */
export function isUnopened(attempt) {
    return isInApp(attempt) && Boolean(attempt.request) && !attempt.opened;
}

/** Whether Viva is asked without a terminal. What was not said is decided by the server: without. */
export function isWithoutTerminal({ status, request }) {
    const via = status ? status.via : request && (request.via || "api");
    return via === "api";
}

/** Whether it can be cancelled from here now. */
export function canCancel(attempt) {
    const { can_cancel, cannot_cancel } = attempt.status || {};
    return isOpen(attempt) && Boolean(can_cancel) && !cannot_cancel;
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
