import { RPCError } from "@web/core/network/rpc";

const MODEL = "viva.transaction";
// The server answers within 12 s; what lasts longer is treated as lost and asked for again.
const CHARGE_MS = 20000;
const QUESTION_MS = 15000;

/** The server did not answer in time. Whether it has done what was asked is not known. */
export class NoAnswer extends Error {}

/**
 * The six questions that the till may ask. Each returns the Status of `viva.transaction` (a list of them
 * for `check` and `find`) and raises `RPCError` when Odoo refused, anything else when there was no answer.
 */
export class VivaServer {
    constructor(orm) {
        this.orm = orm;
    }

    charge(request) {
        return this._ask("pos_charge", [request], CHARGE_MS);
    }

    abandon(request) {
        return this._ask("pos_abandon", [request], QUESTION_MS);
    }

    check(attempts) {
        return this._ask("pos_check", [attempts], QUESTION_MS);
    }

    abort(attempt) {
        return this._ask("pos_abort", [attempt], QUESTION_MS);
    }

    force(attempt, reason, credentials) {
        const args = credentials ? [attempt, reason, credentials] : [attempt, reason];
        return this._ask("pos_force", args, QUESTION_MS);
    }

    find(orderUuids) {
        return this._ask("pos_find", [orderUuids], QUESTION_MS);
    }

    async _ask(method, args, limitMs) {
        const answer = this.orm.silent.call(MODEL, method, args);
        let timer;
        const limit = new Promise((_resolve, reject) => {
            timer = setTimeout(() => {
                answer.abort?.(false);
                reject(new NoAnswer(method));
            }, limitMs);
        });
        try {
            return await Promise.race([answer, limit]);
        } finally {
            clearTimeout(timer);
        }
    }
}

/** Odoo's own words when it refused, an empty string when there was no answer at all. */
export function refusalWords(error) {
    return error instanceof RPCError ? error.data?.message || error.message || "" : "";
}
