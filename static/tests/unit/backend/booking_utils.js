import { expect } from "@odoo/hoot";
import { advanceTime, animationFrame, microTick } from "@odoo/hoot-mock";
import { ConnectionLostError, RPCError } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";

export const ATTEMPT = "aaaaaaaa-0000-4000-8000-000000000001";
export const NEXT_ATTEMPT = "aaaaaaaa-0000-4000-8000-000000000002";

const FINAL = ["refused", "approved", "declined", "cancelled", "failed"];
const BOOKS = { prepared: "prepared", refused: "prepared", approved: "booked" };

/** What `viva.booking` answers; `values` differ from a charge of 1234.50 € that waits for its card. */
export function makeBooking(values = {}, books = {}) {
    const state = values.state || "pending";
    const final = FINAL.includes(state);
    const charged = state === "approved";
    const ended = final && !charged;
    const recorded = !["prepared", "refused"].includes(state);
    const bookState = books.state || BOOKS[state] || (ended ? "not_done" : "running");
    return {
        attempt: ATTEMPT,
        operation: "sale",
        via: "terminal",
        protocol: recorded ? "cloud" : "",
        word: "",
        offline: false,
        app: null,
        parent_attempt: "",
        executed: "",
        state,
        final,
        charged,
        forced: false,
        reason: "",
        message: `words of ${state}`,
        terminal: recorded ? { id: 1, viva_id: "16000010", name: "Counter (16000010)" } : null,
        amount_minor: 123450,
        approved_minor: charged ? 123450 : 0,
        left_minor: charged ? 123450 : 0,
        tip_minor: 0,
        surcharge_minor: 0,
        installments: 0,
        hold: null,
        choices: [],
        currency: "EUR",
        digits: 2,
        age_s: 3,
        poll_ms: recorded ? 1000 : 0,
        can_cancel: ["sent", "pending"].includes(state),
        cannot_cancel: "",
        can_check: !final,
        can_force: false,
        silent: false,
        demo: recorded,
        abort_asked: false,
        result: charged ? { card_brand: "Visa", card_last4: "0133" } : {},
        ...values,
        booking: {
            id: 7,
            state: bookState,
            state_label: bookState,
            message: bookState === "booked" ? "Booked as PBNK1/2026/00001." : "",
            reason: "",
            operation: values.operation || "sale",
            partner: "Deco Addict",
            documents: "INV/2026/00001, INV/2026/00002",
            amount_minor: 123450,
            digits: 2,
            currency: "EUR",
            payment_id: 5,
            payment_name: "PBNK1/2026/00001",
            payment_state: bookState === "booked" ? "in_process" : "draft",
            transaction_id: recorded ? 9 : false,
            user: "Billing User",
            can_start: bookState === "prepared",
            can_again: bookState === "not_done",
            can_post: false,
            ...books,
        },
    };
}

/**
 * Stands in for `viva.booking`: `now` is what the ledger knows of the attempt. Each call is a step of the test. Put a
 * function into `faults.<method>` to have it answer (or raise) instead, and set `quiet` for no steps.
 */
export class FakeBookings {
    constructor(now = makeBooking({ state: "prepared" })) {
        this.now = now;
        this.faults = {};
        this.asking = 0;
    }

    set(values, books) {
        this.now = makeBooking({ attempt: this.now.attempt, ...values }, books);
    }

    start(attempt) {
        return this._answer("start", attempt, () => {
            if (["prepared", "refused"].includes(this.now.state)) {
                this.set({});
            }
            return this.now;
        });
    }

    check(attempt) {
        return this._answer("check", attempt, () => this.now);
    }

    abort(attempt) {
        return this._answer("abort", attempt, () => {
            if (this.now.state === "prepared") {
                this.set({ state: "cancelled" });
            } else {
                this.set({ abort_asked: true, can_cancel: false });
            }
            return this.now;
        });
    }

    again(attempt) {
        return this._answer("again", attempt, () => {
            this.now = makeBooking({ attempt: NEXT_ATTEMPT, state: "prepared" });
            return NEXT_ATTEMPT;
        });
    }

    post() {
        return this._answer("post", this.now.attempt, () => {
            this.set({ state: "approved" });
            return true;
        });
    }

    async _answer(method, attempt, answer) {
        if (!this.quiet) {
            expect.step(attempt === ATTEMPT ? method : `${method} ${attempt.slice(-1)}`);
        }
        expect(this.asking).toBe(0, { message: "one question at a time" });
        this.asking += 1;
        try {
            return await (this.faults[method] ? this.faults[method](answer) : answer());
        } finally {
            this.asking -= 1;
        }
    }
}

/** The tests' bundle has the till as well: here its services do not start. Undone after each test. */
export function withoutTill() {
    const services = registry.category("services");
    const gone = new Set(["pos_data"]);
    for (let before = 0; before !== gone.size;) {
        before = gone.size;
        for (const [name, { dependencies = [] }] of services.getEntries()) {
            if (dependencies.some((other) => gone.has(other))) {
                gone.add(name);
            }
        }
    }
    for (const name of gone) {
        services.remove(name);
    }
}

/** Let answers arrive and, with `ms`, let that much time pass. */
export async function settle(ms = 0) {
    await advanceTime(ms);
    for (let i = 0; i < 5; i++) {
        await microTick();
        await animationFrame();
    }
}

export function connectionLost() {
    throw new ConnectionLostError("/web/dataset/call_kw");
}

/** Odoo refuses, with words for the person. */
export function refuse(words, name = "UserError") {
    return () => {
        const error = new RPCError(words);
        error.exceptionName = `odoo.exceptions.${name}`;
        error.data = { message: words, name: error.exceptionName };
        throw error;
    };
}
