import { QUESTION_MS, START_MS, ask } from "../shared/ask";

const MODEL = "viva.transaction";

/**
 * What the till may ask of `viva.transaction`. The answer is a Status (a list of them for `check` and
 * `find`) where nothing else is said. Raises `RPCError` when Odoo refused, anything else when there was no answer.
 */
export class VivaServer {
    constructor(orm) {
        this.orm = orm;
    }

    /** Send an operation to a terminal. The same attempt is never sent twice. */
    start(request) {
        return this._ask("pos_start", [request], START_MS);
    }

    abandon(request) {
        return this._ask("pos_abandon", [request], QUESTION_MS);
    }

    check(attempts) {
        return this._ask("pos_check", [attempts], QUESTION_MS);
    }

    /** @param {boolean} [unopened] the app that was to take it was never opened, and will not be */
    abort(attempt, unopened) {
        return this._ask("pos_abort", unopened ? [attempt, true] : [attempt], QUESTION_MS);
    }

    force(attempt, reason, credentials) {
        const args = credentials ? [attempt, reason, credentials] : [attempt, reason];
        return this._ask("pos_force", args, QUESTION_MS);
    }

    find(orderUuids) {
        return this._ask("pos_find", [orderUuids], QUESTION_MS);
    }

    /** @returns {Promise<{payments: Object[], holds: Object[], truncated: boolean}>} what the panel shows */
    panel(query) {
        return this._ask("pos_panel", [query], QUESTION_MS);
    }

    /** @returns {Promise<Object[]>} the card payments of these orders, those with something left first */
    paymentsOf(orderUuids) {
        return this._ask("pos_payments_of", [orderUuids], QUESTION_MS);
    }

    /** @param {"product"|"account"} booking where the customer's tip goes */
    bookTip(attempt, booking) {
        return this._ask("pos_book_tip", [attempt, booking], QUESTION_MS);
    }

    /** Take a saved order with its hold out of the session. */
    park(orderUuid) {
        return this._ask("pos_park", [orderUuid], QUESTION_MS);
    }

    /** @returns {Promise<{order_id: number, order_uuid: string}>} the parked order, in this session again */
    recall(holdId, sessionId) {
        return this._ask("pos_recall", [holdId, sessionId], QUESTION_MS);
    }

    _ask(method, args, limitMs) {
        return ask(this.orm, MODEL, method, args, limitMs);
    }
}
