import { Mutex } from "@web/core/utils/concurrency";
import { RPCError } from "@web/core/network/rpc";

import { refusalWords } from "../../shared/ask";
import { VivaWatch } from "../../shared/viva_watch";

// Whoever has pressed the button is not there any more after that: the terminal does not light up by itself.
const PRESS_LASTS_MS = 60000;
const LONGEST_RETRY_MS = 15000;
// Nothing runs, but another window may start it.
const READY_MS = 5000;

const SETTLED = ["booked", "not_done", "to_post"];
const IN_WORDS = ["UserError", "AccessError", "ValidationError", "MissingError"].map(
    (name) => `odoo.exceptions.${name}`
);

/**
 * @typedef {Object} BookingState
 * @property {string} attempt
 * @property {Object|null} status the server's last Status, with its `booking`
 * @property {string} refusal why there is nothing to show: Odoo does not know it, or not for this person
 * @property {string} words what Odoo said to the last press of a button, when it refused
 * @property {boolean} contact the last question to Odoo was answered
 * @property {boolean} loggedOut … with: log in first
 * @property {boolean} willStart it is sent as soon as Odoo says that it was not sent yet
 * @property {string} busy which button is being carried out: "", "start", "abort", "check", "again" or "post"
 * @property {number} askedAt milliseconds since 1970, by this device's clock
 * @property {number} heardAt the same, of `status`
 */

/**
 * @param {BookingState} state
 * @returns {"opening"|"ready"|"sending"|"waiting"|"cancelling"|"unknown"|"booking"|"done"|"to_post"|"not_done"|"refused"}
 *   "booking": the money has moved, the books follow; "refused": nothing was recorded, nothing was sent
 */
export function phaseOf({ status, refusal, busy, willStart }) {
    if (refusal) {
        return "refused";
    }
    if (!status) {
        return "opening";
    }
    const { state } = status.booking;
    if (state === "booked") {
        return "done";
    }
    if (state === "to_post") {
        return "to_post";
    }
    if (status.state === "unknown" && !status.charged) {
        return "unknown";
    }
    if (state === "not_done") {
        return "not_done";
    }
    if (status.state === "refused") {
        return busy === "start" ? "sending" : "refused";
    }
    if (status.state === "prepared") {
        return busy === "start" || willStart ? "sending" : "ready";
    }
    if (status.charged) {
        return "booking";
    }
    if (status.final) {
        return "not_done";
    }
    return status.abort_asked ? "cancelling" : "waiting";
}

/** Whether nothing more comes by itself. */
export function isAtRest({ status, refusal }) {
    if (refusal || status?.state === "refused") {
        return true;
    }
    return Boolean(status?.final) && SETTLED.includes(status.booking.state);
}

/** Seconds since it was asked for, by the server's clock where it is known. */
export function ageOf({ status, askedAt, heardAt }, now) {
    const known = status?.age_s || 0;
    const since = known ? heardAt : askedAt;
    return Math.floor(known + Math.max(0, now - since) / 1000);
}

/**
 * One card payment of the back office as seen from a window: starts it once, asks until it has ended and is in the
 * books. One question at a time. Needs neither component nor page.
 */
export class BookingRun {
    /**
     * @param {import("./booking_server").BookingServer} server
     * @param {BookingState} state reactive, so that a component renders it
     */
    constructor(server, state) {
        this.server = server;
        this.state = state;
        this.mutex = new Mutex();
        this.lost = 0;
        this.watch = new VivaWatch({
            check: async ([attempt]) => [await this._inTurn(() => this.server.check(attempt))],
            onAnswer: ([attempt], [status]) => this._take(attempt, status),
            onSilence: ([attempt], error) => this._onSilence(attempt, error),
        });
    }

    /** Show this attempt; start it if it was prepared for that. */
    open(attempt) {
        this.watch.leave(this.state.attempt);
        Object.assign(this.state, {
            attempt,
            status: null,
            refusal: "",
            words: "",
            contact: true,
            loggedOut: false,
            willStart: true,
            askedAt: Date.now(),
            heardAt: Date.now(),
        });
        this.lost = 0;
        this.watch.follow(attempt);
        this.watch.poke();
    }

    stop() {
        this.stopped = true;
        this.watch.stop();
    }

    /** Something may have happened: ask now. */
    poke() {
        if (!this.stopped && this.state.attempt && phaseOf(this.state) !== "done") {
            this.watch.follow(this.state.attempt);
            this.watch.poke();
        }
    }

    // -- buttons -----------------------------------------------------------------------------------

    /** Send what was not sent yet. */
    send() {
        if (!this.state.busy) {
            Object.assign(this.state, { words: "", willStart: true, askedAt: Date.now() });
            this.lost = 0;
            return this._start(this.state.attempt);
        }
    }

    cancel() {
        return this._press("abort", async (attempt) =>
            this._take(attempt, await this.server.abort(attempt))
        );
    }

    checkAgain() {
        return this._press("check", async (attempt) =>
            this._take(attempt, await this.server.check(attempt))
        );
    }

    /** The same once more, under an attempt of its own. Only when it is sure that this one came to nothing. */
    tryAgain() {
        const { status } = this.state;
        if (phaseOf(this.state) !== "not_done" || !status.booking.can_again) {
            return;
        }
        return this._press("again", async (attempt) => this.open(await this.server.again(attempt)));
    }

    post() {
        return this._press("post", async (attempt) => {
            await this.server.post(this.state.status.booking.id);
            this._take(attempt, await this.server.check(attempt));
        });
    }

    async _press(button, work) {
        const { attempt, busy } = this.state;
        if (busy) {
            return;
        }
        Object.assign(this.state, { busy: button, words: "" });
        try {
            await this._inTurn(() => work(attempt));
        } catch (error) {
            this._onRefusal(error);
            this.poke();
        } finally {
            this.state.busy = "";
        }
    }

    // -- server ------------------------------------------------------------------------------------

    _inTurn(work) {
        return this.mutex.exec(async () => (this.stopped ? undefined : work()));
    }

    async _start(attempt) {
        Object.assign(this.state, { busy: "start", willStart: false });
        try {
            const status = await this._inTurn(() => this.server.start(attempt));
            this.state.busy = "";
            this._take(attempt, status);
        } catch (error) {
            // It may have been recorded all the same: the next check tells, and only then it is sent again.
            this.state.busy = "";
            this.lost += 1;
            this.state.willStart = !this._onRefusal(error);
            this._follow(attempt, Math.min(1000 * 2 ** (this.lost - 1), LONGEST_RETRY_MS));
        }
    }

    _take(attempt, status) {
        if (
            this.stopped ||
            !status ||
            attempt !== this.state.attempt ||
            status.attempt !== attempt
        ) {
            return;
        }
        const { status: before } = this.state;
        // The server does not remember why it has refused.
        const isStillRefused = status.state === "prepared" && before?.state === "refused";
        Object.assign(this.state, {
            status: isStillRefused ? { ...before, booking: status.booking } : status,
            contact: true,
            loggedOut: false,
            heardAt: Date.now(),
        });
        if (isAtRest(this.state)) {
            this.state.willStart = false;
            this.watch.leave(attempt);
            return;
        }
        const isPrepared = status.state === "prepared";
        this.state.willStart &&= isPrepared && status.booking.can_start && this._isJustPressed();
        if (this.state.willStart && !this.state.busy) {
            this._start(attempt);
        } else {
            this._follow(attempt, isPrepared ? READY_MS : status.poll_ms);
        }
    }

    _follow(attempt, pauseMs) {
        if (!this.stopped) {
            this.watch.follow(attempt, pauseMs);
        }
    }

    _isJustPressed() {
        return Date.now() - this.state.askedAt < PRESS_LASTS_MS;
    }

    _onSilence(attempt, error) {
        if (attempt !== this.state.attempt) {
            return;
        }
        const isRefused = error instanceof RPCError && IN_WORDS.includes(error.exceptionName);
        if (isRefused && !this.state.status) {
            this.state.refusal = refusalWords(error);
            this.watch.leave(attempt);
            return;
        }
        this._loseContact(error);
    }

    /** @returns {boolean} whether Odoo has given a reason; else it was not heard */
    _onRefusal(error) {
        if (error instanceof RPCError && IN_WORDS.includes(error.exceptionName)) {
            this.state.words = refusalWords(error);
            return true;
        }
        this._loseContact(error);
        return false;
    }

    _loseContact(error) {
        this.state.contact = false;
        this.state.loggedOut = error.exceptionName === "odoo.http.SessionExpiredException";
    }
}
