import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { getFilledOrder } from "@point_of_sale/../tests/unit/utils";
import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";
import OrderPaymentValidation from "@point_of_sale/app/utils/order_payment_validation";
import { click, describe, expect, queryAllTexts, queryText, test } from "@odoo/hoot";
import {
    makeServerError,
    mountWithCleanup,
    patchWithCleanup,
} from "@web/../tests/web_test_helpers";

import {
    CARD,
    answerDialogs,
    connectionLost,
    makeAction,
    makeCard,
    makeOrder,
    plain,
    press,
    settle,
    setupViva,
} from "./utils";

definePosModels();
describe.current.tags("desktop");

/** An order that gives everything of a paid one (17.85) back, on the payment screen. */
async function refundScreen({ cards = [makeCard()], config, ...options } = {}) {
    const till = await setupViva({ config: { viva_may_give_back: true, ...config }, ...options });
    patchWithCleanup(OrderPaymentValidation.prototype, {
        async validateOrder() {
            expect.step("validated");
        },
    });
    const { store, server } = till;
    server.cards = cards;
    const sale = await getFilledOrder(store);
    await store.syncAllOrders({ orders: [sale] });
    sale.state = "paid";
    const order = store.addNewOrder({ is_refund: true, refunded_order_id: sale });
    for (const line of sale.lines) {
        store.models["pos.order.line"].create({
            qty: -line.qty,
            price_unit: line.price_unit,
            product_id: line.product_id,
            order_id: order,
            tax_ids: line.tax_ids.map((tax) => ["link", tax]),
            refunded_orderline_id: line,
            price_type: "automatic",
        });
    }
    const screen = await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
    return { ...till, sale, order, screen };
}

async function paidLine(options) {
    const till = await setupViva(options);
    const { order, line } = await makeOrder(till.store, till.method);
    const { attempt } = await press(till.store, line);
    till.server.set(attempt, { state: "approved", result: CARD });
    await settle(1000);
    return { ...till, order, line, attempt };
}

describe("void of an open order's payment", () => {
    test("confirmed with the amount; the line goes when the money is back", async () => {
        const { store, server, order, line, attempt } = await paidLine();
        const asked = answerDialogs(store, [true]);
        const notes = [];
        patchWithCleanup(store.notification, { add: (words) => notes.push(plain(words)) });
        let ended;
        store.viva.moneyBack.voidLine(line.uuid).then((value) => (ended = value));
        await settle();
        expect(plain(asked[0].confirmLabel)).toBe("Give back $ 17.85");
        const request = server.started.at(-1);
        expect(request).toEqual({
            attempt: request.attempt,
            operation: "void",
            payment_uuid: "",
            order_uuid: order.uuid,
            parent_attempt: attempt,
            pos_session_id: 1,
            payment_method_id: 10,
            amount_minor: 1785,
            terminal_id: 1,
            via: "terminal",
        });
        expect(order.payment_ids).toHaveLength(1);
        expect(ended).toBe(undefined);
        server.set(request.attempt, { state: "approved", executed: "void" });
        await settle(1000);
        expect(ended).toBe(true);
        expect(order.payment_ids).toHaveLength(0);
        expect(notes).toEqual([
            "Voided: nothing stays on the card ($ 17.85). The payment has been removed from the order.",
        ]);
        // Told twice, it acts and speaks once.
        store.viva.learn(server.ledger[request.attempt]);
        store.viva.learn({ ...server.ledger[attempt], charged: false });
        expect(notes).toHaveLength(1);
        expect(order.payment_ids).toHaveLength(0);
        // The order can be paid by card again.
        const { data: again } = order.addPaymentline(
            line.payment_method_id || store.viva.lines.methods[0]
        );
        const next = await press(store, again);
        expect(server.started.at(-1).operation).toBe("sale");
        expect(next.ended()).toBe(undefined);
    });

    test("what Viva made of it is told by its own name", async () => {
        const { store, server, line } = await paidLine();
        answerDialogs(store, [true]);
        const notes = [];
        patchWithCleanup(store.notification, { add: (words) => notes.push(plain(words)) });
        store.viva.moneyBack.voidLine(line.uuid);
        await settle();
        server.set(server.charged.at(-1), {
            state: "approved",
            executed: "refund",
            result: CARD,
        });
        await settle(1000);
        expect(notes[0]).toMatch(/^Refunded · Visa ••0133 \(/);
    });

    test("not confirmed: nothing is sent", async () => {
        const { store, server, line } = await paidLine();
        answerDialogs(store, [false]);
        expect(await store.viva.moneyBack.voidLine(line.uuid)).toBe(false);
        expect(server.started).toHaveLength(1);
    });

    test("pressed twice it is sent once; refused, the payment stays", async () => {
        const { store, server, order, line } = await paidLine();
        answerDialogs(store, [true]);
        store.viva.moneyBack.voidLine(line.uuid);
        await settle();
        store.viva.moneyBack.voidLine(line.uuid);
        await settle();
        expect(server.started).toHaveLength(2);
        server.set(server.charged.at(-1), { state: "failed" });
        await settle(1000);
        expect(order.payment_ids).toEqual([line]);
        expect(line.payment_status).toBe("done");
    });

    test("the answer is lost: unknown, watched, never sent again", async () => {
        const { store, server, order, line } = await paidLine();
        answerDialogs(store, [true]);
        server.faults.start = (request) => {
            server.record(request);
            connectionLost();
        };
        store.viva.moneyBack.voidLine(line.uuid);
        await settle();
        server.set(server.charged.at(-1), { state: "unknown" });
        await settle(5000);
        expect(server.started).toHaveLength(2);
        expect(order.payment_ids).toHaveLength(1);
        server.set(server.charged.at(-1), { state: "approved", executed: "void" });
        await settle(5000);
        expect(order.payment_ids).toHaveLength(0);
    });

    test("an order whose money is going back is not validated", async () => {
        const { store, server, order, line } = await paidLine();
        const asked = answerDialogs(store, [true]);
        store.viva.moneyBack.voidLine(line.uuid);
        await settle();
        const validation = new OrderPaymentValidation({ pos: store, orderUuid: order.uuid });
        expect(await validation.askBeforeValidation()).toBe(false);
        expect(asked[1].title.toString()).toBe("Money of this order is going back");
        server.set(server.charged.at(-1), { state: "failed" });
        await settle(1000);
        expect(await validation.askBeforeValidation()).toBe(true);
    });

    test("succeeded while the tab was away: the line goes when the server tells", async () => {
        const { store, server, order, line, attempt } = await paidLine();
        await store.syncAllOrders({ orders: [order] });
        store.viva.attempts = { [attempt]: store.viva.attempts[attempt] };
        server.record({
            attempt: "void-0000",
            operation: "void",
            parent_attempt: attempt,
            order_uuid: order.uuid,
            amount_minor: 1785,
        });
        server.set("void-0000", { state: "approved", executed: "void" });
        server.set(attempt, { state: "approved", charged: false });
        expect(line.payment_status).toBe("done");
        await store.viva.recover();
        expect(order.payment_ids).toHaveLength(0);
    });

    test("a validated order is not touched", async () => {
        const { store, server, order, line } = await paidLine();
        order.state = "paid";
        expect(await store.viva.moneyBack.voidLine(line.uuid)).toBe(false);
        expect(server.started).toHaveLength(1);
    });

    test("Odoo's Reverse does the same", async () => {
        const { store, server, method, line } = await paidLine();
        answerDialogs(store, [true]);
        expect(method.payment_terminal.supports_reversals).toBe(true);
        method.payment_terminal.sendPaymentReversal(line.uuid);
        await settle();
        expect(server.started.at(-1).operation).toBe("void");
    });

    test("the cashier may not: a manager identifies himself, and the same attempt is sent again", async () => {
        const { store, server, line } = await paidLine();
        answerDialogs(store, [true]);
        patchWithCleanup(store.viva.buttons, {
            askCredentials: async (attempt) => {
                expect.step(`ask for ${attempt.operation}`);
                return { employee_id: 7, pin: "4711" };
            },
        });
        server.faults.start = (request) => {
            if (!request.credentials) {
                throw makeServerError({ type: "AccessError", message: "Call a manager." });
            }
            return server.record(request);
        };
        store.viva.moneyBack.voidLine(line.uuid);
        await settle();
        expect.verifySteps(["ask for void"]);
        const [, first, second] = server.started;
        expect(second).toEqual({ ...first, credentials: { employee_id: 7, pin: "4711" } });
        expect(store.viva.attempts[first.attempt].request).not.toInclude("credentials");
    });

    test("the cashier may not, and nobody stands by: Odoo's words", async () => {
        const { store, server, line } = await paidLine();
        answerDialogs(store, [true]);
        server.faults.start = () => {
            throw makeServerError({ type: "AccessError", message: "Call a manager." });
        };
        store.viva.moneyBack.voidLine(line.uuid);
        await settle(2000);
        const attempt = store.viva.attempts[server.charged.at(-1)];
        expect(attempt.refusal).toBe("Call a manager.");
        expect(line.payment_status).toBe("done");
    });
});

describe("refund order", () => {
    test("one card: its line waits for one press, then money goes back and the order is validated", async () => {
        const { server, method, order, sale, screen } = await refundScreen();
        await screen.addNewPaymentLine(method);
        await settle();
        expect(server.calls.at(-1)).toEqual(["paymentsOf", [sale.uuid]]);
        expect(server.started).toEqual([]);
        expect(queryText(".viva-title-text")).toBe(
            "Ready to give back to Visa ••0133 on terminal Bar"
        );
        expect(queryAllTexts(".viva-buttons button")).toEqual(["Refund $ 17.85"]);
        expect(".send_refund_request").toHaveCount(0);
        await click(".viva-send");
        await settle();
        const [request] = server.started;
        const [line] = order.payment_ids;
        expect(request).toEqual({
            attempt: line.viva_attempt,
            operation: "refund",
            payment_uuid: line.uuid,
            order_uuid: order.uuid,
            parent_attempt: "attempt-0000",
            pos_session_id: 1,
            payment_method_id: method.id,
            amount_minor: 1785,
            terminal_id: 1,
            via: "terminal",
        });
        expect(queryText(".viva-title-text")).toBe("Refunding on terminal Bar (16000010)");
        server.set(request.attempt, { state: "approved", executed: "refund", result: CARD });
        await settle(1000);
        expect(queryText(".viva-title-text")).toBe("Refunded · Visa ••0133");
        expect(".viva-void").toHaveCount(0);
        expect(line.amount).toBe(-17.85);
        expect.verifySteps(["validated"]);
    });

    test("several cards: the cashier chooses, a line each, the rest on the next", async () => {
        const cards = [
            makeCard({ attempt: "a", approved_minor: 1000, left_minor: 1000 }),
            makeCard({ attempt: "b", approved_minor: 785, left_minor: 500, title: "Maestro ••1" }),
            makeCard({ attempt: "c", left_minor: 0 }),
        ];
        const { store, server, method, order, screen } = await refundScreen({ cards });
        const asked = answerDialogs(store, ["a"]);
        await screen.addNewPaymentLine(method);
        expect(
            asked[0].choices.map(({ label, description }) => plain(`${label} ${description}`))
        ).toEqual(["Visa ••0133 $ 10.00", "Maestro ••1 $ 5.00 left of $ 7.85"]);
        expect(order.payment_ids[0].amount).toBe(-10);
        await settle();
        await click(".viva-send");
        await settle();
        server.set(server.charged[0], { state: "approved", executed: "refund" });
        await settle(1000);
        expect.verifySteps([]);
        server.cards = [cards[1]];
        await screen.addNewPaymentLine(method);
        expect(order.payment_ids[1].amount).toBe(-5);
        expect(store.viva.plans.of(order.payment_ids[1]).parent).toBe("b");
    });

    test("tapped again the line is only selected: money goes back by its own button", async () => {
        const { server, method, order, screen } = await refundScreen();
        await screen.addNewPaymentLine(method);
        await screen.addNewPaymentLine(method);
        expect(order.payment_ids).toHaveLength(1);
        expect(server.started).toEqual([]);
    });

    test("digits typed on the line stay money back, and more than is left is not sent", async () => {
        const { store, server, method, order, screen } = await refundScreen({
            cards: [makeCard({ left_minor: 1000 })],
        });
        const asked = answerDialogs(store, []);
        await screen.addNewPaymentLine(method);
        const [line] = order.payment_ids;
        expect(line.amount).toBe(-10);
        screen.updateSelectedPaymentline(5);
        expect(line.amount).toBe(-5);
        screen.updateSelectedPaymentline(12);
        await screen.sendPaymentRequest(line);
        expect(asked[0].body.toString()).toMatch(/At most \$.10\.00 can be given back/);
        expect(server.started).toEqual([]);
    });

    test("nothing left: another method, or a card without a sale for those who may", async () => {
        const { store, server, method, order, screen } = await refundScreen({
            cards: [makeCard({ left_minor: 0 })],
            config: { viva_may_unreferenced: false },
        });
        const asked = answerDialogs(store, [undefined]);
        await screen.addNewPaymentLine(method);
        expect(order.payment_ids).toHaveLength(0);
        expect(asked[0].choices.map(({ name, possible }) => [name, possible])).toEqual([
            ["other_method", undefined],
            ["unreferenced", false],
        ]);
        expect(server.started).toEqual([]);
    });

    test("a refund without a sale is confirmed by itself and says so to the server", async () => {
        const { store, server, method, order, screen } = await refundScreen({
            cards: [],
            config: { viva_may_unreferenced: true },
        });
        const asked = answerDialogs(store, ["unreferenced", true]);
        await screen.addNewPaymentLine(method);
        await settle();
        expect(asked[1].body.toString()).toMatch(/links it to no sale/);
        expect(order.payment_ids[0].amount).toBe(-17.85);
        await click(".viva-send");
        await settle();
        expect(server.started[0].unreferenced).toBe(true);
        expect(server.started[0].parent_attempt).toBe("");
    });

    test("an order made negative by hand is told to use Refund", async () => {
        const { store, server, method } = await setupViva({ config: { viva_may_give_back: true } });
        const order = await getFilledOrder(store);
        order.lines.forEach((line) => line.setQuantity(-line.qty, true));
        const asked = answerDialogs(store, ["other_method"]);
        const screen = await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
        await screen.addNewPaymentLine(method);
        expect(asked[0].title.toString()).toBe("The sale is missing");
        expect(order.payment_ids).toHaveLength(0);
        expect(server.calls).toEqual([]);
    });

    test("who may not give money back is told at once who may", async () => {
        const { store, server, method, order, screen } = await refundScreen({
            config: { viva_may_give_back: false },
        });
        const asked = answerDialogs(store, []);
        await screen.addNewPaymentLine(method);
        expect(asked[0].title.toString()).toBe("You may not give money back by card");
        expect(order.payment_ids).toHaveLength(0);
        expect(server.calls).toEqual([]);
    });

    test("no connection to Odoo: nothing is proposed", async () => {
        const { store, server, method, order, screen } = await refundScreen();
        server.faults.paymentsOf = connectionLost;
        const asked = answerDialogs(store, []);
        await screen.addNewPaymentLine(method);
        expect(asked[0].body.toString()).toMatch(/nothing was given back/);
        expect(order.payment_ids).toHaveLength(0);
    });

    test("reloaded before it was sent: the line still knows its card", async () => {
        const { store, server, method, order, screen } = await refundScreen();
        await screen.addNewPaymentLine(method);
        const [line] = order.payment_ids;
        const stored = JSON.parse(JSON.stringify(order.uiState));
        expect(stored.vivaPlans[line.uuid].parent).toBe("attempt-0000");
        order.uiState.vivaPlans = undefined;
        // Without its plan it asks again; it is never taken for a sale.
        store.viva.charge(line.uuid);
        await settle();
        expect(server.count("paymentsOf")).toBe(2);
        expect(server.started[0].operation).toBe("refund");
        expect(server.started[0].parent_attempt).toBe("attempt-0000");
    });

    test("unknown is shown as unknown and not sent again by itself", async () => {
        const { server, method, screen } = await refundScreen();
        await screen.addNewPaymentLine(method);
        await settle();
        await click(".viva-send");
        await settle();
        server.set(server.charged[0], { state: "unknown", message: "", can_cancel: false });
        await settle(1000);
        expect(queryText(".viva-title-text")).toBe("We do not know yet – checking");
        expect(queryText(".viva-detail")).toMatch(/Do not give the money back again/);
        expect(queryAllTexts(".viva-buttons button")).toEqual(["Check again", "Remove line"]);
        await screen.sendPaymentRequest(screen.paymentLines[0]);
        await settle(5000);
        expect(server.started).toHaveLength(1);
    });
});

describe("when Viva refuses", () => {
    const CHOICES = [
        { name: "void_all", label: "All back", possible: true, reason: "" },
        { name: "wait", label: "Tomorrow", possible: true, reason: "" },
        { name: "other_method", label: "Cash", possible: true, reason: "" },
        { name: "api", label: "Without", possible: true, reason: "" },
        { name: "other_terminal", label: "Other", possible: true, reason: "" },
    ];

    /** A part of the sale (5.00) is refused, and the cashier answers the dialogs. */
    async function refused(answers, options) {
        const till = await refundScreen(options);
        const { store, server, method, order, screen } = till;
        const asked = answerDialogs(store, answers);
        await screen.addNewPaymentLine(method);
        const [line] = order.payment_ids;
        line.setAmount(-5);
        server.faults.start = (request) => {
            delete server.faults.start;
            return {
                ...server.record(request),
                state: "refused",
                final: true,
                message: "Partial refunds start after clearing.",
                choices: CHOICES,
            };
        };
        screen.sendPaymentRequest(line);
        await settle();
        return { ...till, line, asked };
    }

    test("the choices are shown once, in words", async () => {
        const { asked, line } = await refused([undefined]);
        expect(asked[0].body).toBe("Partial refunds start after clearing.");
        expect(asked[0].choices).toEqual(CHOICES);
        expect(asked).toHaveLength(1);
        expect(line.payment_status).toBe("retry");
        expect(queryAllTexts(".viva-buttons button")).toEqual(["Refund $ 5.00", "Other ways"]);
    });

    test("all back, then the rest is charged anew on the same order", async () => {
        const { asked, server, order, line } = await refused(["void_all", true]);
        expect(plain(asked[1].confirmLabel)).toBe("Give back $ 17.85, then charge $ 12.85");
        expect(line.amount).toBe(-17.85);
        expect(server.started[1].amount_minor).toBe(1785);
        // The order gives back 5.00 only.
        order.lines.forEach((orderline) => orderline.delete());
        server.set(server.charged[1], { state: "approved", executed: "void" });
        await settle(1000);
        expect(server.started[2].operation).toBe("sale");
        expect(server.started[2].amount_minor).toBe(1785);
        expect.verifySteps([]);
    });

    test("refused a second time: the line asks for the order's amount again", async () => {
        const { server, line, store } = await refused(["void_all", true]);
        server.set(server.charged[1], { state: "failed" });
        await settle(1000);
        expect(line.amount).toBe(-5);
        expect(store.viva.plans.of(line).chargeRest).toBe(false);
    });

    test("without the terminal", async () => {
        const { server } = await refused(["api"]);
        expect(server.started[1].via).toBe("api");
        expect(server.started[1].terminal_id).toBe(false);
    });

    test("another terminal", async () => {
        const { server, store } = await refused(["other_terminal", undefined], {
            terminals: [1],
        });
        expect(server.started).toHaveLength(1);
        expect(store.viva.lines.methods).toHaveLength(1);
    });

    test("tomorrow or another way: the line makes room", async () => {
        const { order } = await refused(["wait"]);
        expect(order.payment_ids).toHaveLength(0);
    });
});

describe("from the panel", () => {
    async function closedSale() {
        const till = await setupViva();
        const { store } = till;
        const order = await getFilledOrder(store);
        await store.syncAllOrders({ orders: [order] });
        order.state = "paid";
        patchWithCleanup(store, {
            navigate: (page, params) =>
                expect.step(`${page} ${params?.stateOverride?.selectedOrderUuid || ""}`.trim()),
        });
        const card = makeCard({
            order_uuid: order.uuid,
            actions: [makeAction("refund")],
        });
        return { ...till, order, card };
    }

    test("everything: the refund order of the whole sale, with the card's line on the payment screen", async () => {
        const { store, server, order, card } = await closedSale();
        expect(await store.viva.moneyBack.refundAll(card)).toBe(true);
        expect.verifySteps(["PaymentScreen"]);
        const refund = store.getOrder();
        expect(refund.isRefund).toBe(true);
        expect(refund.refunded_order_id.uuid).toBe(order.uuid);
        expect(refund.lines.map(({ qty }) => qty)).toEqual([-3, -2]);
        const screen = await mountWithCleanup(PaymentScreen, {
            props: { orderUuid: refund.uuid },
        });
        await settle();
        expect(screen.paymentLines).toHaveLength(1);
        expect(server.started[0].operation).toBe("refund");
        expect(server.started[0].amount_minor).toBe(1785);
        expect(server.started[0].parent_attempt).toBe(card.attempt);
        expect(store.viva.sendWhenShown).toBe(null);
    });

    test("all of it was returned already: nothing is made", async () => {
        const { store, order, card } = await closedSale();
        const asked = answerDialogs(store, []);
        expect(await store.viva.moneyBack.refundAll(card)).toBe(true);
        expect.verifySteps(["PaymentScreen"]);
        expect(await store.viva.moneyBack.refundAll(card)).toBe(false);
        expect(asked[0].title.toString()).toBe("All of this order has been returned");
        expect(store.models["pos.order"].filter((one) => one.isRefund)).toHaveLength(1);
        expect(order.lines).toHaveLength(2);
    });

    test("a part: the order on Odoo's own screen", async () => {
        const { store, order, card } = await closedSale();
        expect(await store.viva.moneyBack.refundPart(card)).toBe(true);
        expect.verifySteps([`TicketScreen ${order.uuid}`]);
    });

    test("an order of another till is read from the server", async () => {
        const { store, card } = await closedSale();
        const asked = answerDialogs(store, []);
        patchWithCleanup(store.data, {
            loadServerOrders: async (domain) => {
                expect.step(JSON.stringify(domain));
                return [];
            },
        });
        expect(await store.viva.moneyBack.refundPart({ ...card, order_uuid: "elsewhere" })).toBe(
            false
        );
        expect.verifySteps(['[["uuid","=","elsewhere"]]']);
        expect(asked[0].title.toString()).toBe("The order is not there");
    });
});
