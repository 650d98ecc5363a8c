import { RPCError } from "@web/core/network/rpc";

// The server answers within 12 s; what lasts longer is treated as lost and asked for again.
export const START_MS = 20000;
export const QUESTION_MS = 15000;

/** The server did not answer in time. Whether it has done what was asked is not known. */
export class NoAnswer extends Error {}

/**
 * Call a method of a model, without Odoo's own loading signs.
 *
 * @param {number} limitMs how long the answer is waited for
 * @throws {RPCError} when Odoo refused; anything else when there was no answer
 */
export async function ask(orm, model, method, args, limitMs = QUESTION_MS) {
    const answer = orm.silent.call(model, method, args);
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

/** Odoo's own words when it refused, an empty string when there was no answer at all. */
export function refusalWords(error) {
    return error instanceof RPCError ? error.data?.message || error.message || "" : "";
}

/** Whether Odoo refused because the person may not do this. */
export function isDenied(error) {
    return error instanceof RPCError && error.data?.name === "odoo.exceptions.AccessError";
}
