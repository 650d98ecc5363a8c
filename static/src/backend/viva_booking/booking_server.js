import { START_MS, ask } from "../../shared/ask";

const MODEL = "viva.booking";

/**
 * What the dialog may ask of `viva.booking`; amounts in minor units. Raises `RPCError` when Odoo refused, anything else
 * when there was no answer.
 */
export class BookingServer {
    constructor(orm) {
        this.orm = orm;
    }

    /** Send what was prepared. The same attempt is never sent twice. @returns {Promise<Object>} Status */
    start(attempt) {
        return ask(this.orm, MODEL, "start", [attempt], START_MS);
    }

    /** @returns {Promise<Object>} Status */
    check(attempt) {
        return ask(this.orm, MODEL, "check", [attempt]);
    }

    /** @returns {Promise<Object>} Status */
    abort(attempt) {
        return ask(this.orm, MODEL, "abort", [attempt]);
    }

    /** Prepare the same anew. @returns {Promise<string>} the new attempt */
    again(attempt) {
        return ask(this.orm, MODEL, "again", [attempt]);
    }

    /** An accountant books what has moved. */
    post(id) {
        return ask(this.orm, MODEL, "action_post", [[id]], START_MS);
    }
}
