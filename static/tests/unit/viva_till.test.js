import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { setupPosEnv } from "@point_of_sale/../tests/unit/utils";
import OrderPaymentValidation from "@point_of_sale/app/utils/order_payment_validation";
import { describe, expect, test } from "@odoo/hoot";
import { makeServerError, onRpc, patchWithCleanup } from "@web/../tests/web_test_helpers";
import { phaseOf } from "@viva_payments/pos/viva_attempt";
import { VivaServer } from "@viva_payments/pos/viva_server";

import { CARD, answerDialogs, connectionLost, makeOrder, press, settle, setupViva } from "./utils";

definePosModels();
describe.current.tags("desktop");

/** What the server's push of `pos_bus` would call. */
function hint(store, attempt) {
    store.viva._onHint({ attempt });
}

/** The dialogs that the till has opened, by their words. */
function recordDialogs(store) {
    const dialogs = [];
    patchWithCleanup(store.dialog, {
        add: (component, props, options) => dialogs.push({ ...props, options }),
    });
    return dialogs;
}

describe("charge", () => {
    test("the order is saved first, then the terminal is asked, then the line shows the approval", async () => {
        const { store, server, method } = await setupViva();
        onRpc("pos.order", "sync_from_ui", () => {
            expect.step("order saved");
        });
        patchWithCleanup(store.data, {
            synchronizeLocalDataInIndexedDB: async () => expect.step("device saved"),
        });
        const { order, line } = await makeOrder(store, method);
        server.faults.start = (request) => {
            expect.step("charge");
            return server.record(request);
        };
        const { attempt, ended } = await press(store, line);
        expect.verifySteps(["order saved", "device saved", "charge"]);
        expect(server.calls[0][1]).toEqual({
            attempt,
            operation: "sale",
            parent_attempt: "",
            payment_uuid: line.uuid,
            order_uuid: order.uuid,
            pos_session_id: 1,
            payment_method_id: method.id,
            amount_minor: 1785,
            terminal_id: 1,
            via: "terminal",
            max_installments: 0,
        });
        expect(line.isSynced).toBe(true);
        expect(line.viva_attempt).toBe(attempt);
        expect(line.payment_status).toBe("waitingCard");
        expect(ended()).toBe(undefined);

        server.set(attempt, { state: "approved", result: CARD });
        await settle(1000);
        expect(ended()).toBe(true);
        expect(line.payment_status).toBe("done");
        expect(line.transaction_id).toBe(CARD.transaction_id);
        expect(line.card_brand).toBe("Visa");
        expect(line.card_no).toBe("0133");
        expect(line.payment_method_authcode).toBe("831000");
        expect(line.payment_ref_no).toBe("123456789012");
        expect(line.ticket).toBe(CARD.slip);
        expect(order.isPaid()).toBe(true);
        expect(store.paymentTerminalInProgress).not.toBe(true);

        const asked = server.count("check");
        await settle(60000);
        expect(server.count("check")).toBe(asked);
    });

    test("pressed twice, charged once", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        const first = store.viva.charge(line.uuid);
        const second = store.viva.charge(line.uuid);
        await settle();
        store.viva.charge(line.uuid);
        await settle();
        expect(server.charged).toHaveLength(1);
        server.set(line.viva_attempt, { state: "approved" });
        await settle(1000);
        expect(await first).toBe(true);
        expect(await second).toBe(true);
        expect(await store.viva.charge(line.uuid)).toBe(true);
        expect(server.charged).toHaveLength(1);
    });

    test("declined, then another attempt", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        const first = await press(store, line);
        server.set(first.attempt, { state: "declined" });
        await settle(1000);
        expect(first.ended()).toBe(false);
        expect(line.payment_status).toBe("retry");
        const second = await press(store, line);
        expect(second.attempt).not.toBe(first.attempt);
        expect(line.payment_status).toBe("waitingCard");
        server.set(second.attempt, { state: "approved" });
        await settle(1000);
        expect(second.ended()).toBe(true);
        expect(server.charged).toHaveLength(2);
    });

    test("no connection to Odoo: no card operation starts", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        patchWithCleanup(store, { syncAllOrders: async () => connectionLost() });
        const { attempt, ended } = await press(store, line);
        expect(ended()).toBe(false);
        expect(server.charged).toEqual([]);
        expect(line.payment_status).toBe("retry");
        expect(store.viva.attempts[attempt].refusal.toString()).toMatch(/nothing was charged/);
    });

    test("the order cannot be saved: no card operation starts", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        onRpc("pos.order", "sync_from_ui", () => {
            throw makeServerError({ message: "Not on a Sunday" });
        });
        const { attempt, ended } = await press(store, line);
        expect(ended()).toBe(false);
        expect(server.charged).toEqual([]);
        expect(store.viva.attempts[attempt].refusal.toString()).toMatch(/Not on a Sunday/);
    });

    test("the answer is lost: the same attempt is asked about, none is started", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        server.faults.start = (request) => {
            server.record(request);
            connectionLost();
        };
        server.faults.check = connectionLost;
        const { attempt, ended } = await press(store, line);
        expect(line.payment_status).toBe("waitingCard");
        expect(store.viva.attempts[attempt].contact).toBe(false);
        await settle(60000);
        expect(ended()).toBe(undefined);
        delete server.faults.check;
        server.set(attempt, { state: "approved" });
        await settle(20000);
        expect(ended()).toBe(true);
        expect(server.charged).toEqual([attempt]);
    });

    test("the server hangs: after a while it counts as lost", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        onRpc("viva.transaction", "pos_start", () => new Promise(() => {}));
        server.start = (request) => new VivaServer(store.env.services.orm).start(request);
        const { attempt } = await press(store, line);
        expect(store.viva.attempts[attempt].doubt).toBe(false);
        await settle(20000);
        expect(store.viva.attempts[attempt].doubt).toBe(true);
        expect(line.payment_status).toBe("waitingCard");
    });

    test("the request never arrived: the server gives it up, and the next press is a new attempt", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        server.faults.start = connectionLost;
        const first = await press(store, line);
        await settle(12000);
        expect(first.ended()).toBe(undefined);
        expect(server.count("abandon")).toBe(0);
        await settle(6000);
        expect(first.ended()).toBe(false);
        expect(line.payment_status).toBe("retry");
        expect(server.calls.findLast(([called]) => called === "abandon")[1]).toEqual(
            server.calls.find(([called]) => called === "start")[1]
        );
        delete server.faults.start;
        const second = await press(store, line);
        expect(second.attempt).not.toBe(first.attempt);
        expect(line.payment_status).toBe("waitingCard");
    });

    test("the request arrives just before it is given up: it is watched", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        server.faults.start = connectionLost;
        server.faults.abandon = (request) => server.record(request);
        const { attempt, ended } = await press(store, line);
        await settle(18000);
        expect(line.payment_status).toBe("waitingCard");
        server.set(attempt, { state: "approved" });
        await settle(2000);
        expect(ended()).toBe(true);
        expect(server.charged).toHaveLength(1);
    });

    test("nothing can be given up while Odoo is away: the line waits", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        server.faults.start = connectionLost;
        server.faults.abandon = connectionLost;
        const { ended } = await press(store, line);
        await settle(60000);
        expect(ended()).toBe(undefined);
        expect(line.payment_status).toBe("waitingCard");
        expect(server.count("abandon")).toBeLessThan(5);
    });

    test("Odoo refuses with an error and has recorded nothing: its words, and another try", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        onRpc("viva.transaction", "pos_start", () => {
            throw makeServerError({ message: "Ask the boss" });
        });
        server.faults.start = (request) =>
            store.env.services.orm.call("viva.transaction", "pos_start", [request]);
        const { attempt, ended } = await press(store, line);
        await settle(1000);
        expect(ended()).toBe(false);
        expect(line.payment_status).toBe("retry");
        expect(store.viva.attempts[attempt].refusal).toBe("Ask the boss");
    });

    test("a busy terminal is said on the line, which may be sent again", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        server.faults.start = (request) => ({
            ...server.record(request),
            state: "refused",
            final: true,
            reason: "terminal_busy",
            message: "Terminal Bar is busy with order 0007.",
            blocking: { attempt: "other", order_uuid: "other-order", payment_uuid: "other-line" },
        });
        const { ended } = await press(store, line);
        expect(ended()).toBe(false);
        expect(line.payment_status).toBe("retry");
    });

    test("a fault of our own neither rejects nor leaves the line hanging", async () => {
        const { store, server, method } = await setupViva();
        patchWithCleanup(console, { error: () => expect.step("logged") });
        const dialogs = recordDialogs(store);
        const { line } = await makeOrder(store, method);
        patchWithCleanup(store.viva, {
            _begin() {
                throw new Error("oops");
            },
        });
        expect((await press(store, line)).ended()).toBe(false);
        expect(line.payment_status).toBe("retry");
        expect(dialogs).toHaveLength(1);
        expect(server.calls).toEqual([]);
        expect.verifySteps(["logged"]);
    });
});

describe("terminals", () => {
    test("a till with several asks once and remembers", async () => {
        const { store, server, method } = await setupViva({ terminals: [1, 2] });
        const { line } = await makeOrder(store, method);
        patchWithCleanup(store.dialog, {
            add: (component, props, options) => {
                expect.step(props.list.map(({ label }) => label).join(", "));
                props.getPayload(props.list[1].item);
                options.onClose();
            },
        });
        const { attempt } = await press(store, line);
        expect.verifySteps(["Bar, Hall"]);
        expect(server.calls[0][1].terminal_id).toBe(2);
        server.set(attempt, { state: "declined" });
        await settle(1000);
        await press(store, line);
        expect.verifySteps([]);
        expect(server.calls.findLast(([called]) => called === "start")[1].terminal_id).toBe(2);
    });

    test("closing the choice sends nothing", async () => {
        const { store, server, method } = await setupViva({ terminals: [1, 2] });
        const { line } = await makeOrder(store, method);
        patchWithCleanup(store.dialog, { add: (component, props, options) => options.onClose() });
        const { ended } = await press(store, line);
        expect(ended()).toBe(false);
        expect(server.calls).toEqual([]);
        expect(line.payment_status).toBe("pending");
    });

    test("two orders wait on two terminals, each gets its own result", async () => {
        const { store, server, method } = await setupViva();
        const one = await makeOrder(store, method);
        const first = await press(store, one.line);
        const two = await makeOrder(store, method);
        const second = await press(store, two.line);
        server.set(second.attempt, {
            state: "approved",
            result: { ...CARD, card_brand: "Maestro" },
        });
        await settle(1000);
        expect(two.line.card_brand).toBe("Maestro");
        expect(one.line.payment_status).toBe("waitingCard");
        server.set(first.attempt, { state: "declined" });
        await settle(1000);
        expect(one.line.payment_status).toBe("retry");
        expect(two.line.payment_status).toBe("done");
    });
});

describe("while it waits", () => {
    test("a hint of the server is followed at once", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        const { attempt, ended } = await press(store, line);
        server.set(attempt, { state: "approved" });
        hint(store, attempt);
        await settle(1);
        expect(ended()).toBe(true);
        hint(store, "an attempt of somebody else");
        await settle(1000);
        expect(server.calls.some(([, argument]) => String(argument).includes("somebody"))).toBe(
            false
        );
    });

    test("coming back to the tab asks at once", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        const { attempt, ended } = await press(store, line);
        server.set(attempt, { state: "approved" });
        document.dispatchEvent(new Event("visibilitychange"));
        await settle(1);
        expect(ended()).toBe(true);
    });

    test("a synchronisation with older values disturbs neither the wait nor the result", async () => {
        const { store, server, method } = await setupViva();
        const { order, line } = await makeOrder(store, method);
        const { attempt, ended } = await press(store, line);
        const old = { ...line.raw, viva_attempt: false, payment_status: "pending" };
        store.models.loadConnectedData({ "pos.payment": [{ ...old }] });
        await settle();
        expect(line.viva_attempt).toBe(attempt);
        expect(line.payment_status).toBe("waitingCard");
        server.set(attempt, { state: "approved", result: CARD });
        await settle(1000);
        expect(ended()).toBe(true);
        store.models.loadConnectedData({ "pos.payment": [{ ...old, ticket: CARD.slip }] });
        await settle();
        expect(line.payment_status).toBe("done");
        expect(line.card_brand).toBe("Visa");
        expect(line.ticket).toBe(CARD.slip);
        expect(line.isDirty()).toBe(true);
        expect(order.isPaid()).toBe(true);
        expect(server.charged).toEqual([attempt]);
    });

    test("the outcome told twice is written once", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        server.set(attempt, { state: "approved", result: CARD });
        await settle(1000);
        hint(store, attempt);
        await settle(1000);
        store.viva.learn(server.ledger[attempt]);
        expect(line.ticket).toBe(CARD.slip);
        expect(dialogs).toEqual([]);
    });

    test("an old no that comes late is put right by the next answer", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        server.set(attempt, { state: "approved" });
        await settle(1000);
        store.viva.learn({ ...server.ledger[attempt], state: "failed", charged: false });
        expect(line.payment_status).toBe("retry");
        await settle(1000);
        expect(line.payment_status).toBe("done");
        expect(dialogs.map(({ title }) => title.toString())).toEqual([
            "This payment does not count any more",
            "The customer WAS charged",
        ]);
    });

    test("a late no does not touch the line of a closed order", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { order, line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        server.set(attempt, { state: "approved" });
        await settle(1000);
        order.state = "paid";
        server.set(attempt, { state: "failed" });
        hint(store, attempt);
        await settle(1000);
        expect(line.payment_status).toBe("done");
        expect(dialogs).toEqual([]);
    });

    test("another cashier or another order on the screen change nothing", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        const { attempt, ended } = await press(store, line);
        store.addNewOrder();
        store.resetCashier();
        server.set(attempt, { state: "approved" });
        await settle(1000);
        expect(ended()).toBe(true);
        expect(line.payment_status).toBe("done");
    });
});

describe("unknown", () => {
    test("stays on the screen, is asked again, and refuses to be sent again", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        const { attempt, ended } = await press(store, line);
        server.set(attempt, { state: "unknown", poll_ms: 4000 });
        await settle(1000);
        expect(line.payment_status).toBe("waitingCard");
        expect(store.viva.isBusy(line)).toBe(true);
        store.viva.charge(line.uuid);
        await settle();
        expect(server.charged).toHaveLength(1);
        server.set(attempt, { state: "approved" });
        store.viva.buttons.checkAgain(line.uuid);
        await settle();
        expect(ended()).toBe(true);
    });

    test("may be removed after a warning; a late approval is offered to be added back", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { order, line } = await makeOrder(store, method);
        const { uuid } = line;
        const { attempt, ended } = await press(store, line);
        server.set(attempt, { state: "unknown" });
        await settle(1000);
        store.viva.buttons.remove(uuid);
        await settle();
        expect(order.payment_ids).toHaveLength(1);
        dialogs[0].confirm();
        await settle();
        expect(order.payment_ids).toHaveLength(0);
        expect(ended()).toBe(false);

        server.set(attempt, { state: "approved", result: CARD });
        await settle(5000);
        expect(dialogs).toHaveLength(2);
        expect(dialogs[1].title.toString()).toBe("The customer WAS charged");
        hint(store, attempt);
        await settle(1000);
        expect(dialogs).toHaveLength(2);
        dialogs[1].confirm();
        await settle();
        expect(order.payment_ids).toHaveLength(1);
        expect(order.payment_ids[0].uuid).toBe(uuid);
        expect(order.payment_ids[0].payment_status).toBe("done");
        expect(order.payment_ids[0].amount).toBe(17.85);
        expect(order.payment_ids[0].viva_attempt).toBe(attempt);
        expect(order.isPaid()).toBe(true);
    });

    test("paid in cash meanwhile: a late approval is for the manager", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { order, line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        server.set(attempt, { state: "unknown" });
        await settle(1000);
        store.viva.buttons.remove(line.uuid);
        await settle();
        dialogs[0].confirm();
        await settle();
        order.addPaymentline(store.models["pos.payment.method"].get(1));
        order.state = "paid";
        server.set(attempt, { state: "approved" });
        await settle(5000);
        expect(dialogs[1].body.toString()).toMatch(/is paid already/);
        expect(order.payment_ids).toHaveLength(1);
    });

    test("its line comes back when the order is to be charged again", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { order, line } = await makeOrder(store, method);
        const { uuid } = line;
        const { attempt } = await press(store, line);
        server.set(attempt, { state: "unknown" });
        await settle(1000);
        store.viva.buttons.remove(uuid);
        await settle();
        dialogs[0].confirm();
        await settle();
        const { data: again } = order.addPaymentline(method);
        server.faults.start = ({ attempt: refused, payment_uuid, order_uuid }) => ({
            ...server.ledger[attempt],
            attempt: refused,
            payment_uuid,
            order_uuid,
            state: "refused",
            final: true,
            message: "A card payment of this order is still open.",
            blocking: server.ledger[attempt],
        });
        const { ended } = await press(store, again);
        expect(ended()).toBe(false);
        expect(order.payment_ids.map((payment) => payment.uuid)).toEqual([uuid]);
        expect(order.payment_ids[0].payment_status).toBe("waitingCard");
        expect(store.viva.attemptOf(order.payment_ids[0]).id).toBe(attempt);
    });

    test("a manager accepts it with a reason", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        const { attempt, ended } = await press(store, line);
        server.set(attempt, { state: "unknown", can_force: true });
        await settle(1000);
        patchWithCleanup(store.dialog, {
            add: (component, props, options) => {
                props.getPayload("  slip 123456 ");
                options.onClose();
            },
        });
        store.viva.buttons.force(line.uuid);
        await settle();
        expect(server.calls.at(-1)).toEqual(["force", { attempt, reason: "slip 123456" }]);
        expect(ended()).toBe(true);
        expect(line.payment_status).toBe("done");
    });

    test("without a reason nothing is accepted", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        server.set(attempt, { state: "unknown", can_force: true });
        await settle(1000);
        patchWithCleanup(store.dialog, {
            add: (component, props, options) => {
                props.getPayload("   ");
                options.onClose();
            },
        });
        store.viva.buttons.force(line.uuid);
        await settle();
        expect(server.count("force")).toBe(0);
        expect(line.payment_status).toBe("waitingCard");
    });
});

describe("what does not count any more", () => {
    /** A line that is paid, in an order that is still open. */
    async function paidLine(amount) {
        const till = await setupViva();
        const { order, line } = await makeOrder(till.store, till.method);
        const { attempt } = await press(till.store, line);
        till.server.set(attempt, { state: "approved", result: CARD, ...amount });
        await settle(1000);
        expect(line.payment_status).toBe("done");
        return { ...till, order, line, attempt };
    }

    test("forced by a manager, confirmed, then voided: it is not paid, nothing is added back", async () => {
        const { store, server, order, line, attempt } = await paidLine({ forced: true });
        expect(store.viva.attempts[attempt].status.charged).toBe(true);
        order.removePaymentline(line);
        delete store.viva.attempts[attempt]; // reloaded
        await store.syncAllOrders({ orders: [order] });
        const dialogs = recordDialogs(store);
        server.ledger[attempt] = { ...server.ledger[attempt], charged: false, left_minor: 0 };
        await store.viva.recover();
        await settle();
        expect(phaseOf(store.viva.attempts[attempt])).toBe("unpaid");
        expect(dialogs).toEqual([]);
        expect(order.payment_ids).toHaveLength(0);
        expect(order.isPaid()).toBe(false);
    });

    test("on an open order the line waits to be sent again, and the cashier is told once", async () => {
        const { store, server, order, line, attempt } = await paidLine({ forced: true });
        const dialogs = recordDialogs(store);
        server.ledger[attempt] = {
            ...server.ledger[attempt],
            charged: false,
            message: "Viva says that the card was not charged. Tell a manager.",
        };
        hint(store, attempt);
        await settle(1000);
        expect(line.payment_status).toBe("retry");
        expect(line.transaction_id).toBe("");
        expect(line.ticket).toBe("");
        expect(order.isPaid()).toBe(false);
        expect(dialogs).toHaveLength(1);
        expect(dialogs[0].title.toString()).toBe("This payment does not count any more");
        expect(dialogs[0].body.toString()).toMatch(
            /was not charged\. Tell a manager\. Send it again/
        );
        hint(store, attempt);
        await settle(1000);
        expect(dialogs).toHaveLength(1);
        const { attempt: next } = await press(store, line);
        server.set(next, { state: "approved", result: CARD });
        await settle(1000);
        expect(line.payment_status).toBe("done");
        expect(line.ticket).toBe(CARD.slip);
    });

    test("a synchronisation that has it paid all the same is not believed", async () => {
        const { store, server, order, line, attempt } = await paidLine({ forced: true });
        const dialogs = recordDialogs(store);
        server.ledger[attempt] = { ...server.ledger[attempt], charged: false };
        hint(store, attempt);
        await settle(1000);
        store.viva.watch.stop();
        line.setPaymentStatus("done");
        const validation = new OrderPaymentValidation({ pos: store, orderUuid: order.uuid });
        expect(await validation.askBeforeValidation()).toBe(false);
        expect(line.payment_status).toBe("retry");
        expect(dialogs).toHaveLength(2);
        server.faults.check = connectionLost;
        line.setPaymentStatus("done");
        expect(await validation.askBeforeValidation()).toBe(false);
        expect(dialogs.at(-1).title.toString()).toBe("A card payment is not certain");
    });

    test("voided by another till: the line goes, nothing else is said", async () => {
        const { store, server, order, attempt } = await paidLine();
        const dialogs = recordDialogs(store);
        server.ledger[attempt] = { ...server.ledger[attempt], charged: false, left_minor: 0 };
        server.record({
            attempt: "their-void",
            operation: "void",
            order_uuid: order.uuid,
            parent_attempt: attempt,
            amount_minor: 1785,
        });
        server.set("their-void", { state: "approved", executed: "void" });
        await store.viva.recover();
        await settle();
        expect(order.payment_ids).toHaveLength(0);
        expect(dialogs).toEqual([]);
    });

    test("while this till voids it, the void says what becomes of the line", async () => {
        const { store, server, order, line, attempt } = await paidLine();
        const asked = answerDialogs(store, [true]);
        store.viva.moneyBack.voidLine(line.uuid);
        await settle();
        server.ledger[attempt] = { ...server.ledger[attempt], charged: false };
        hint(store, attempt);
        await settle(100);
        expect(line.payment_status).toBe("done");
        server.set(server.charged.at(-1), { state: "failed" });
        await settle(1000);
        expect(order.payment_ids).toEqual([line]);
        expect(line.payment_status).toBe("retry");
        expect(asked.at(-1).title.toString()).toBe("This payment does not count any more");
    });
});

describe("cancel and delete", () => {
    test("cancel tells the truth: the terminal stopped", async () => {
        const { store, server, method } = await setupViva();
        const { line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        let cancelled;
        method.payment_terminal
            .sendPaymentCancel(line.pos_order_id, line.uuid)
            .then((value) => (cancelled = value));
        await settle();
        expect(server.count("abort")).toBe(1);
        expect(cancelled).toBe(undefined);
        expect(line.payment_status).toBe("waitingCard");
        server.set(attempt, { state: "cancelled", abort_asked: true });
        await settle(1000);
        expect(cancelled).toBe(true);
        expect(line.payment_status).toBe("retry");
    });

    test("cancel tells the truth: the card was faster", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        let cancelled;
        store.viva.buttons.cancel(line.uuid).then((value) => (cancelled = value));
        await settle();
        server.set(attempt, { state: "approved", abort_asked: true });
        await settle(1000);
        expect(cancelled).toBe(false);
        expect(line.payment_status).toBe("done");
        expect(store.viva.seen(line)).toBe(false);
        expect(dialogs[0].title.toString()).toBe("The customer WAS charged");
    });

    test("a deleted line stays until it is known that it was not charged", async () => {
        const { store, server, method } = await setupViva();
        const { order, line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        store.viva.buttons.remove(line.uuid);
        await settle();
        expect(order.payment_ids).toHaveLength(1);
        expect(server.count("abort")).toBe(1);
        server.set(attempt, { state: "cancelled", abort_asked: true });
        await settle(1000);
        expect(order.payment_ids).toHaveLength(0);
    });

    test("a deleted line whose card was faster stays paid, and the cashier is told", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { order, line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        store.viva.buttons.remove(line.uuid);
        await settle();
        server.set(attempt, { state: "approved", abort_asked: true });
        await settle(1000);
        expect(order.payment_ids).toHaveLength(1);
        expect(line.payment_status).toBe("done");
        expect(dialogs).toHaveLength(1);
    });

    test("deleted before it was sent: it is not sent", async () => {
        const { store, server, method } = await setupViva();
        const { order, line } = await makeOrder(store, method);
        const end = store.viva.charge(line.uuid);
        store.viva.buttons.remove(line.uuid);
        await settle();
        expect(await end).toBe(false);
        expect(server.calls).toEqual([]);
        expect(order.payment_ids).toHaveLength(0);
    });

    test("the cancel request is lost: the cashier may press again", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        server.faults.abort = connectionLost;
        store.viva.buttons.cancel(line.uuid);
        await settle();
        expect(dialogs[0].body.toString()).toMatch(/press the button again/);
        expect(store.viva.attempts[attempt].busy).toBe("");
        expect(line.payment_status).toBe("waitingCard");
    });

    test("first no, then yes: the line is paid and the cashier is told", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { line } = await makeOrder(store, method);
        const { attempt } = await press(store, line);
        server.set(attempt, { state: "cancelled" });
        await settle(1000);
        expect(line.payment_status).toBe("retry");
        server.set(attempt, { state: "approved", result: CARD });
        hint(store, attempt);
        await settle(1);
        expect(line.payment_status).toBe("done");
        expect(dialogs).toHaveLength(1);
    });

    test("first no, then yes while the next attempt waits: that one is cancelled", async () => {
        const { store, server, method } = await setupViva();
        const dialogs = recordDialogs(store);
        const { line } = await makeOrder(store, method);
        const first = await press(store, line);
        server.set(first.attempt, { state: "cancelled" });
        await settle(1000);
        const second = await press(store, line);
        server.set(first.attempt, { state: "approved", result: CARD });
        hint(store, first.attempt);
        await settle(1);
        expect(dialogs).toHaveLength(1);
        expect(server.calls.findLast(([called]) => called === "abort")[1]).toBe(second.attempt);
        server.set(second.attempt, { state: "cancelled", abort_asked: true });
        await settle(1000);
        expect(line.payment_status).toBe("done");
        expect(line.viva_attempt).toBe(first.attempt);
        expect(line.transaction_id).toBe(CARD.transaction_id);
    });
});

describe("resume", () => {
    async function leftWaiting(status = "waitingCard") {
        const { store, server, method } = await setupViva();
        const { order, line } = await makeOrder(store, method);
        line.viva_attempt = "attempt-before-reload";
        line.setPaymentStatus(status);
        await store.syncAllOrders({ orders: [order] });
        const { uuid: payment_uuid } = line;
        const record = (values) => {
            server.record({
                attempt: line.viva_attempt,
                payment_uuid,
                order_uuid: order.uuid,
                amount_minor: 1785,
            });
            server.set(line.viva_attempt, values);
        };
        return { store, server, order, line, record };
    }

    test("a reloaded tab takes up the payment and books its result", async () => {
        const { store, line, record, server } = await leftWaiting();
        record({ state: "pending" });
        store.viva.recover();
        await settle();
        expect(line.payment_status).toBe("waitingCard");
        record({ state: "approved", result: CARD });
        await settle(1000);
        expect(line.payment_status).toBe("done");
        expect(line.card_brand).toBe("Visa");
        expect(store.viva.isUnseen(line)).toBe(true);
        expect(store.viva.seen(line)).toBe(true);
        expect(store.viva.seen(line)).toBe(false);
        expect(server.charged).toEqual([]);
    });

    test("reloaded before it was recorded: nothing was charged, it may be sent", async () => {
        const { store, line, order, server } = await leftWaiting("waiting");
        store.viva.recover();
        await settle(10000);
        expect(line.payment_status).toBe("waitingCard");
        await settle(6000);
        expect(line.payment_status).toBe("retry");
        expect(server.calls.findLast(([called]) => called === "abandon")[1]).toEqual({
            attempt: "attempt-before-reload",
            operation: "sale",
            parent_attempt: "",
            payment_uuid: line.uuid,
            order_uuid: order.uuid,
            pos_session_id: 1,
            payment_method_id: line.payment_method_id.id,
            amount_minor: 1785,
            terminal_id: 1,
            via: "terminal",
            max_installments: 0,
        });
    });

    test("reloaded without an attempt: it may be sent", async () => {
        const { store, line } = await leftWaiting();
        line.viva_attempt = false;
        store.viva.recover();
        await settle();
        expect(line.payment_status).toBe("retry");
    });

    test("the server knows a charge of which the tab has lost the line", async () => {
        const { store, order, line, record } = await leftWaiting();
        const dialogs = recordDialogs(store);
        record({ state: "approved", result: CARD });
        const { uuid } = line;
        order.removePaymentline(line);
        store.viva.recover();
        await settle();
        expect(dialogs).toHaveLength(1);
        dialogs[0].confirm();
        await settle();
        expect(order.payment_ids.map((payment) => payment.uuid)).toEqual([uuid]);
    });

    test("another device has tried again: its attempt is followed", async () => {
        const { store, line, record, server } = await leftWaiting();
        record({ state: "declined" });
        store.viva.recover();
        await settle();
        expect(line.payment_status).toBe("retry");
        server.record({
            attempt: "of-another-device",
            payment_uuid: line.uuid,
            order_uuid: line.pos_order_id.uuid,
            amount_minor: 1785,
        });
        store.models.loadConnectedData({
            "pos.payment": [
                { ...line.raw, viva_attempt: "of-another-device", payment_status: "waitingCard" },
            ],
        });
        await settle(1000);
        expect(line.viva_attempt).toBe("of-another-device");
        expect(line.payment_status).toBe("waitingCard");
        server.set("of-another-device", { state: "approved" });
        await settle(2000);
        expect(line.payment_status).toBe("done");
    });
});

test("a till without a Viva method hears and asks nothing", async () => {
    onRpc("viva.transaction", "*", () => expect.step("asked"));
    const store = await setupPosEnv();
    const order = store.addNewOrder();
    const { data: line } = order.addPaymentline(store.models["pos.payment.method"].get(1));
    document.dispatchEvent(new Event("visibilitychange"));
    window.dispatchEvent(new Event("focus"));
    await settle(5000);
    expect(store.viva.isOpen(line)).toBe(false);
    expect(store.viva.openLine(order)).toBe(undefined);
    expect(store.viva.demoWords).toBe("");
    expect(store.data.channels.some(({ channel }) => channel === "VIVA_PAYMENT")).toBe(false);
    expect.verifySteps([]);
});
