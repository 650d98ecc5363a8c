import { PosConfig } from "@point_of_sale/../tests/unit/data/pos_config.data";
import { PosPaymentMethod } from "@point_of_sale/../tests/unit/data/pos_payment_method.data";
import { getFilledOrder, setupPosEnv } from "@point_of_sale/../tests/unit/utils";
import { advanceTime, after, animationFrame, expect, microTick } from "@odoo/hoot";
import { patchWithCleanup } from "@web/../tests/web_test_helpers";
import { ConnectionLostError } from "@web/core/network/rpc";
import { device } from "@viva_payments/pos/viva_device";

import { VivaTerminal } from "./data/viva_terminal.data";

const METHOD_ID = 10;

/** What `viva.transaction` would say; `values` differ from a payment that waits for its card. */
export function makeStatus(values = {}) {
    const state = values.state || "pending";
    const final = ["refused", "approved", "declined", "cancelled", "failed"].includes(state);
    return {
        attempt: "attempt-0000",
        payment_uuid: "payment-0000",
        order_uuid: "order-0000",
        order_reference: "0001",
        state,
        final,
        charged: state === "approved",
        forced: false,
        reason: "",
        message: `words of ${state}`,
        terminal: { id: 1, viva_id: "16000010", name: "Bar (16000010)" },
        amount_minor: 1785,
        approved_minor: state === "approved" ? 1785 : 0,
        currency: "USD",
        digits: 2,
        asked_at: "2025-01-01 10:00:00",
        age_s: 3,
        poll_ms: 1000,
        can_cancel: !final,
        can_check: !final,
        can_force: false,
        silent: false,
        demo: true,
        abort_asked: false,
        result: {},
        operation: "sale",
        via: "terminal",
        parent_attempt: "",
        executed: "",
        left_minor: state === "approved" ? 1785 : 0,
        tip_minor: 0,
        tip_booking: "",
        surcharge_minor: 0,
        installments: 0,
        hold: null,
        choices: [],
        protocol: "cloud",
        word: "",
        offline: false,
        cannot_cancel: "",
        app: null,
        ...values,
    };
}

/** What `pos_start` adds where the card is presented to the device itself; later answers have no `uri`. */
export const APP = {
    uri: "vivapayclient://pay/v1?action=sale",
    foreground: "vivapayclient://pay/v1?action=foreground",
    details: "vivapayclient://pay/v1?action=transactionDetails",
    abort: "vivapayclient://pay/v1?action=abort",
};

export const CARD = {
    transaction_id: "11111111-aaaa-bbbb-cccc-000000000001",
    card_brand: "Visa",
    card_last4: "0133",
    card_masked: "414746******0133",
    authorisation_code: "831000",
    rrn: "123456789012",
    tid: "16000010",
    entry_mode: "CONTACTLESS",
    slip: "Visa 414746******0133\nAuthorisation code: 831000\nRRN: 123456789012\nTerminal: 16000010",
};

/** A card of `pos_panel` or `pos_payments_of`. */
export function makeCard(values = {}) {
    return {
        ...makeStatus({ state: "approved", ...values }),
        at: "2025-01-01 10:00:00",
        title: "Visa ••0133",
        kind_label: "Sale",
        state_label: "Approved",
        order_id: 7,
        order_state: "paid",
        captured_minor: 0,
        given_back_minor: 0,
        children: [],
        actions: [],
        slip: CARD.slip,
        ...values,
    };
}

/** An action of a card or hold. */
export function makeAction(name, values = {}) {
    return { name, label: name, possible: true, reason: "", needs_manager: false, ...values };
}

/** A hold of `pos_panel`. */
export function makeHold(values = {}) {
    return {
        id: 3,
        name: "VP0003",
        attempt: "attempt-hold",
        state: "open",
        state_label: "On hold",
        partner: "",
        reference: "Table 7",
        title: "Visa ••0133",
        terminal: { id: 1, viva_id: "16000010", name: "Bar (16000010)" },
        amount_minor: 10000,
        left_minor: 10000,
        digits: 2,
        currency: "USD",
        expires_on: "2025-01-08",
        expires_soon: false,
        order_uuid: "",
        order_reference: "",
        parked: false,
        actions: ["capture", "release"].map((name) => makeAction(name)),
        ...values,
    };
}

/**
 * Stands in for the server: remembers charges and what was called, and answers from `ledger`.
 * Put a function into `faults.<method>` to have it answer (or raise) instead.
 */
export class FakeServer {
    constructor() {
        this.calls = [];
        this.ledger = {};
        this.faults = {};
        /** What the panel and `paymentsOf` answer. */
        this.cards = [];
        this.holds = [];
    }

    /** The requests that were started. */
    get started() {
        return this.calls.filter(([method]) => method === "start").map(([, request]) => request);
    }

    /** Their attempts. */
    get charged() {
        return this.started.map(({ attempt }) => attempt);
    }

    count(method) {
        return this.calls.filter(([called]) => called === method).length;
    }

    /** What became of this attempt, as the server will tell when it is asked next. */
    set(attempt, values) {
        const { payment_uuid, order_uuid, amount_minor, operation, via, parent_attempt } =
            this.ledger[attempt];
        this.ledger[attempt] = makeStatus({
            attempt,
            payment_uuid,
            order_uuid,
            amount_minor,
            operation,
            via,
            parent_attempt,
            approved_minor: values.state === "approved" ? amount_minor : 0,
            ...values,
        });
    }

    record({ attempt, payment_uuid, order_uuid, amount_minor, operation, via, parent_attempt }) {
        this.ledger[attempt] ||= makeStatus({
            attempt,
            payment_uuid: payment_uuid || attempt,
            order_uuid,
            amount_minor,
            operation: operation || "sale",
            via: via || "terminal",
            parent_attempt: parent_attempt || "",
        });
        return this.ledger[attempt];
    }

    start(request) {
        return this._answer("start", request, () => this.record(request));
    }

    panel(query) {
        return this._answer("panel", query, () => ({
            payments: this.cards,
            holds: this.holds,
            truncated: false,
        }));
    }

    paymentsOf(orderUuids) {
        return this._answer("paymentsOf", orderUuids, () => this.cards);
    }

    bookTip(attempt, booking) {
        return this._answer("bookTip", { attempt, booking }, () => {
            this.ledger[attempt] = { ...this.ledger[attempt], tip_booking: booking };
            return this.ledger[attempt];
        });
    }

    park(orderUuid) {
        return this._answer("park", orderUuid, () => ({ parked: true }));
    }

    recall(holdId, sessionId) {
        return this._answer("recall", { holdId, sessionId }, () => this.recalled);
    }

    abandon(request) {
        return this._answer("abandon", request, () => {
            if (!this.ledger[request.attempt]) {
                this.record(request);
                this.set(request.attempt, { state: "cancelled", reason: "never_sent" });
            }
            return this.ledger[request.attempt];
        });
    }

    check(attempts) {
        return this._answer("check", attempts, () =>
            attempts.map((attempt) => this.ledger[attempt]).filter(Boolean)
        );
    }

    /** Counts as `unopened`, too, when the till says that the app was never opened. */
    abort(attempt, unopened) {
        if (unopened) {
            this.calls.push(["unopened", attempt]);
        }
        return this._answer("abort", attempt, () => {
            this.ledger[attempt] = {
                ...this.ledger[attempt],
                abort_asked: true,
                can_cancel: false,
            };
            return this.ledger[attempt];
        });
    }

    force(attempt, reason) {
        return this._answer("force", { attempt, reason }, () => {
            this.set(attempt, { state: "approved", forced: true });
            return this.ledger[attempt];
        });
    }

    find(orderUuids) {
        return this._answer("find", orderUuids, () =>
            Object.values(this.ledger).filter((status) => orderUuids.includes(status.order_uuid))
        );
    }

    async _answer(method, argument, answer) {
        this.calls.push([method, argument]);
        return this.faults[method] ? this.faults[method](argument) : answer();
    }
}

/**
 * This device as the till sees it; what it opens are steps of the test, by the action in the URI.
 *
 * @param {Object} [values] `runsApps`, `isIos`, `isTapped`
 */
export function mockDevice(values = {}) {
    const mock = {
        runsApps: true,
        isIos: false,
        isTapped: true,
        openUri: (uri) => expect.step(`open ${new URL(uri).searchParams.get("action")}`),
        ...values,
    };
    for (const [name, value] of Object.entries(mock)) {
        patchProperty(device, name, value);
    }
}

function patchProperty(object, name, value) {
    const original = Object.getOwnPropertyDescriptor(object, name);
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
    after(() => Object.defineProperty(object, name, original));
}

/**
 * A till with a Viva method that has these terminals, and a server that is not there.
 *
 * @param {Object} [options]
 * @param {Object<number, Object[]>} [options.ways] `viva_ways` by terminal
 */
export async function setupViva({
    terminals = [1],
    ways = {},
    demo = true,
    method = {},
    config = {},
} = {}) {
    VivaTerminal._records = VivaTerminal._records.map((record) => ({
        ...record,
        ...(ways[record.id] && { viva_ways: ways[record.id] }),
    }));
    PosPaymentMethod._records = [
        ...PosPaymentMethod._records,
        {
            id: METHOD_ID,
            name: "Viva",
            is_cash_count: false,
            use_payment_terminal: "viva",
            split_transactions: false,
            type: "bank",
            image: false,
            sequence: 5,
            payment_method_type: "terminal",
            default_qr: false,
            viva_terminal_ids: terminals,
            viva_demo: demo,
            viva_installment_bands: [],
            viva_tip_policy: "ask",
            ...method,
        },
    ];
    PosConfig._records = PosConfig._records.map((record) => ({
        ...record,
        payment_method_ids: [...record.payment_method_ids, METHOD_ID],
        viva_digits: 2,
        ...config,
    }));
    const store = await setupPosEnv();
    const server = new FakeServer();
    store.viva.server = server;
    return { store, server, method: store.models["pos.payment.method"].get(METHOD_ID) };
}

/** An order of 17.85 with a Viva line that has not been sent. */
export async function makeOrder(store, method) {
    const order = await getFilledOrder(store);
    const { data: line } = order.addPaymentline(method);
    return { order, line };
}

/** Let answers arrive and, with `ms`, let that much time pass. */
export async function settle(ms = 0) {
    for (let i = 0; i < 5; i++) {
        await animationFrame();
    }
    if (ms) {
        await advanceTime(ms);
        await microTick();
        await animationFrame();
    }
}

/**
 * Press the button and let the request reach the server.
 *
 * @returns {{attempt: string, ended: () => boolean|undefined}} `ended()` is the result once there is one
 */
export async function press(store, line) {
    let result;
    store.viva.charge(line.uuid).then((paid) => (result = paid));
    await settle();
    return { attempt: store.viva.lines.attemptId(line), ended: () => result };
}

export function connectionLost() {
    throw new ConnectionLostError("/web/dataset/call_kw");
}

/**
 * Answers the dialogs in the order in which they open: true or false a question, anything else as its payload;
 * undefined closes it.
 *
 * @returns {Object[]} the props of the dialogs that were opened
 */
export function answerDialogs(store, answers) {
    const asked = [];
    patchWithCleanup(store.dialog, {
        add: (component, props, { onClose } = {}) => {
            asked.push(props);
            const answer = answers.shift();
            if (answer === true) {
                props.confirm?.();
            } else if (answer === false) {
                props.cancel?.();
            } else if (answer !== undefined) {
                props.getPayload(answer);
            }
            onClose?.();
        },
    });
    return asked;
}

/** Words with money in them: Odoo puts spaces between number and sign that do not break. */
export function plain(words) {
    return words.toString().replaceAll("\u00a0", " ");
}
