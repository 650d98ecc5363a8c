import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { getFilledOrder } from "@point_of_sale/../tests/unit/utils";
import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";
import { click, describe, edit, expect, press as hit, queryText, test } from "@odoo/hoot";
import {
    makeServerError,
    mountWithCleanup,
    patchWithCleanup,
} from "@web/../tests/web_test_helpers";
import { MainComponentsContainer } from "@web/core/main_components_container";
import { VivaAmountPopup } from "@viva_payments/pos/viva_amount_popup/viva_amount_popup";
import { VivaHoldPopup } from "@viva_payments/pos/viva_hold_popup/viva_hold_popup";

import { answerDialogs, makeHold, makeStatus, plain, settle, setupViva } from "./utils";

definePosModels();
describe.current.tags("desktop");

async function withOrder() {
    const till = await setupViva();
    const order = await getFilledOrder(till.store);
    patchWithCleanup(till.store, {
        navigate: (page) => expect.step(page),
    });
    return { ...till, order };
}

describe("hold", () => {
    test("for the order on the screen: it is saved first", async () => {
        const { store, server, method, order } = await withOrder();
        answerDialogs(store, [{ amountMinor: 10000, reference: "", forOrder: true, method }]);
        const attempt = await store.viva.holds.hold();
        await settle();
        expect(order.isSynced).toBe(true);
        expect(server.started[0]).toEqual({
            attempt: attempt.id,
            operation: "preauth",
            payment_uuid: "",
            order_uuid: order.uuid,
            parent_attempt: "",
            pos_session_id: 1,
            payment_method_id: method.id,
            amount_minor: 10000,
            terminal_id: 1,
            via: "terminal",
            reference: "",
            partner_id: 0,
        });
        expect(order.payment_ids).toHaveLength(0);
        server.set(attempt.id, { state: "approved", hold: { state: "open" } });
        await settle(1000);
        expect(await store.viva.end(attempt)).toBe(true);
        expect(order.payment_ids).toHaveLength(0);
    });

    test("a stranger's hold does not get the customer of the order on the screen", async () => {
        const { store, server, method, order } = await withOrder();
        const [partner] = store.models["res.partner"].getAll();
        order.setPartner(partner);
        const answer = { amountMinor: 5000, reference: "Table 7", method };
        answerDialogs(store, [
            { ...answer, forOrder: false },
            { ...answer, forOrder: true },
        ]);
        await store.viva.holds.hold();
        await settle();
        await store.viva.holds.hold();
        await settle();
        expect(server.started.map(({ partner_id }) => partner_id)).toEqual([0, partner.id]);
    });

    test("without an order", async () => {
        const { store, server, method, order } = await withOrder();
        answerDialogs(store, [
            { amountMinor: 5000, reference: "Table 7", forOrder: false, method },
        ]);
        await store.viva.holds.hold();
        await settle();
        expect(server.started[0].order_uuid).toBe("");
        expect(server.started[0].reference).toBe("Table 7");
        expect(order.isSynced).toBe(false);
    });

    test("the dialog: amount and what for; Enter confirms", async () => {
        const { store, method } = await setupViva();
        await mountWithCleanup(MainComponentsContainer);
        store.dialog.add(VivaHoldPopup, {
            methods: [method],
            getPayload: ({ amountMinor, reference, forOrder }) =>
                expect.step(`${amountMinor} ${reference} ${forOrder}`),
        });
        await settle();
        expect("input[name=amount]").toBeFocused();
        expect(".viva-hold-confirm").toHaveProperty("disabled", true);
        await edit("80.50");
        await settle();
        expect(plain(queryText(".viva-hold-confirm"))).toBe("Hold $ 80.50");
        // Nobody would know whose money it is.
        expect(".viva-hold-confirm").toHaveProperty("disabled", true);
        await click("input[name=reference]");
        await edit("Table 7");
        await hit("Enter");
        await settle();
        expect.verifySteps(["8050 Table 7 false"]);
        expect(".modal").toHaveCount(0);
    });
});

describe("capture", () => {
    test("a payment line of the order, of what is due and held", async () => {
        const { store, server, order } = await withOrder();
        const asked = answerDialogs(store, [1785]);
        expect(await store.viva.holds.capture(makeHold())).toBe(true);
        expect(asked[0].limitMinor).toBe(1785);
        expect.verifySteps(["PaymentScreen"]);
        const screen = await mountWithCleanup(PaymentScreen, {
            props: { orderUuid: order.uuid },
        });
        await settle();
        const [request] = server.started;
        expect(request.operation).toBe("capture");
        expect(request.parent_attempt).toBe("attempt-hold");
        expect(request.amount_minor).toBe(1785);
        expect(request.payment_uuid).toBe(screen.paymentLines[0].uuid);
        expect(queryText(".viva-title-text")).toBe("Capturing the hold on terminal Bar (16000010)");
        patchWithCleanup(screen, { validateOrder: async () => expect.step("validated") });
        server.set(request.attempt, { state: "approved" });
        await settle(1000);
        expect(order.isPaid()).toBe(true);
        expect.verifySteps(["validated"]);
    });

    test("no more than is held, and tried again as a capture", async () => {
        const { store, server, order } = await withOrder();
        const asked = answerDialogs(store, [1000]);
        await store.viva.holds.capture(makeHold({ left_minor: 1000 }));
        expect(asked[0].limitMinor).toBe(1000);
        expect.verifySteps(["PaymentScreen"]);
        const screen = await mountWithCleanup(PaymentScreen, {
            props: { orderUuid: order.uuid },
        });
        await settle();
        const [line] = screen.paymentLines;
        expect(line.amount).toBe(10);
        server.set(server.charged[0], { state: "failed" });
        await settle(1000);
        await click(".viva-send");
        await settle();
        expect(server.started[1].operation).toBe("capture");
        expect(server.started[1].amount_minor).toBe(1000);
    });

    test("held for somebody else: asked first", async () => {
        const { store, order } = await withOrder();
        const [mia] = store.models["res.partner"].getAll();
        const isAsked = async (hold) => {
            const asked = answerDialogs(store, []);
            expect(await store.viva.holds.capture(makeHold(hold))).toBe(false);
            return asked[0].title.toString() === "The money is held for somebody else";
        };
        expect(await isAsked({})).toBe(false);
        expect(await isAsked({ order_uuid: order.uuid, partner: "Mia" })).toBe(false);
        expect(await isAsked({ order_uuid: "another" })).toBe(true);
        expect(await isAsked({ partner: mia.name })).toBe(true);
        order.setPartner(mia);
        expect(await isAsked({ partner: mia.name })).toBe(false);
        expect(await isAsked({ partner: "Somebody" })).toBe(true);
    });

    test("of a parked order: recalled, or captured all the same", async () => {
        const { store } = await withOrder();
        patchWithCleanup(store.viva.holds, {
            recall: async ({ id }) => Boolean(expect.step(`recall ${id}`)) || true,
        });
        const hold = makeHold({ order_uuid: "another", order_reference: "0007", parked: true });
        let asked = answerDialogs(store, ["recall"]);
        expect(await store.viva.holds.capture(hold)).toBe(true);
        expect(asked[0].body.toString()).toMatch(
            /^Held for Table 7 · 0007\. On the screen is order/
        );
        expect(asked[0].choices.map(({ name }) => name)).toEqual(["recall", "capture"]);
        expect.verifySteps(["recall 3"]);
        asked = answerDialogs(store, ["capture", 1785]);
        expect(await store.viva.holds.capture({ ...hold, parked: false })).toBe(true);
        expect(asked[0].choices.map(({ name }) => name)).toEqual(["capture"]);
        expect(asked[1].limitMinor).toBe(1785);
        expect.verifySteps(["PaymentScreen"]);
    });

    test("less than is held: the rest is said to become free", async () => {
        const { store } = await withOrder();
        const asked = answerDialogs(store, []);
        await store.viva.holds.capture(makeHold({ left_minor: 1785 }));
        expect(plain(asked[0].feedback("10.00"))).toBe(
            "The remaining $ 7.85 become free on the card."
        );
        expect(asked[0].feedback("17.85")).toBe("");
        expect(asked[0].feedback("")).toBe("");
    });

    test("nothing to pay: said, and nothing is asked", async () => {
        const { store, server } = await setupViva();
        store.addNewOrder();
        const asked = answerDialogs(store, []);
        expect(await store.viva.holds.capture(makeHold())).toBe(false);
        expect(asked[0].title.toString()).toBe("There is nothing to take the money for");
        expect(server.calls).toEqual([]);
    });

    test("the amount dialog: the limit, and the amount on the button", async () => {
        const { store } = await setupViva();
        await mountWithCleanup(MainComponentsContainer);
        store.dialog.add(VivaAmountPopup, {
            title: "Capture",
            limitMinor: 8000,
            digits: 2,
            label: (money) => `Capture ${money}`,
            getPayload: (minor) => expect.step(minor),
        });
        await settle();
        const label = () => plain(queryText(".modal-footer .btn-primary"));
        expect(label()).toBe("Capture $ 80.00");
        for (const digit of "90") {
            await click(`.modal .numpad-button[value="${digit}"]`);
            await settle(50);
        }
        expect(label()).toBe("At most $ 80.00");
        await click(".modal-footer .btn-primary");
        expect.verifySteps([]);
        await hit("Backspace"); // the keyboard works, too
        await settle(50);
        expect(label()).toBe("Capture $ 9.00");
        await click(".modal-footer .btn-primary");
        expect.verifySteps([900]);
    });
});

describe("release", () => {
    test("confirmed with the amount", async () => {
        const { store, server } = await setupViva();
        const asked = answerDialogs(store, [true]);
        let ended;
        store.viva.holds.release(makeHold()).then((value) => (ended = value));
        await settle();
        expect(plain(asked[0].confirmLabel)).toBe("Release $ 100.00");
        expect(server.started[0].operation).toBe("release");
        expect(server.started[0].parent_attempt).toBe("attempt-hold");
        server.set(server.charged[0], { state: "approved" });
        await settle(1000);
        expect(ended).toBe(true);
    });
});

describe("park and recall", () => {
    test("saved, parked, and gone from this till without being deleted", async () => {
        const { store, server, order } = await withOrder();
        const { uuid } = order;
        patchWithCleanup(store.data, {
            async call(model, method) {
                expect.step(method);
                return super.call(...arguments);
            },
        });
        expect(await store.viva.holds.park(order)).toBe(true);
        expect(server.calls.at(-1)).toEqual(["park", uuid]);
        expect(store.models["pos.order"].getBy("uuid", uuid)).toBe(undefined);
        expect(store.getOrder().isEmpty()).toBe(true);
        expect([...store.pendingOrder.delete]).toEqual([]);
        expect.verifySteps(["sync_from_ui", "ProductScreen"]);
    });

    test("refused: the order stays", async () => {
        const { store, server, order } = await withOrder();
        const asked = answerDialogs(store, []);
        server.faults.park = () => {
            throw makeServerError({ message: "Take a hold first." });
        };
        expect(await store.viva.holds.park(order)).toBe(false);
        expect(asked[0].body).toBe("Take a hold first.");
        expect(store.getOrder()).toBe(order);
    });

    test("recalled: read from the server and shown", async () => {
        const { store, server, order } = await withOrder();
        await store.syncAllOrders({ orders: [order] });
        const { id, uuid } = order;
        store.data.localDeleteCascade(order);
        store.addNewOrder();
        server.recalled = { order_id: id, order_uuid: uuid };
        expect(await store.viva.holds.recall(makeHold())).toBe(true);
        expect(server.calls.at(-1)).toEqual(["recall", { holdId: 3, sessionId: 1 }]);
        expect(store.getOrder().uuid).toBe(uuid);
        expect.verifySteps(["ProductScreen"]);
    });
});

describe("an order with money on hold is cancelled", () => {
    async function cancel(answers, status = {}) {
        const till = await withOrder();
        const { store, server, order } = till;
        await store.syncAllOrders({ orders: [order] });
        server.ledger.hold = makeStatus({
            attempt: "hold",
            operation: "preauth",
            state: "approved",
            order_uuid: order.uuid,
            left_minor: 10000,
            hold: { state: "open" },
            ...status,
        });
        const asked = answerDialogs(store, answers);
        let may;
        store._onBeforeDeleteOrder(order).then((value) => (may = value));
        await settle();
        return { ...till, asked, may: () => may };
    }

    test("the hold is released first", async () => {
        const { server, asked, may } = await cancel([true]);
        expect(asked[0].title.toString()).toBe("Money is held for this order");
        expect(may()).toBe(undefined);
        server.set(server.charged[0], { state: "approved" });
        await settle(1000);
        expect(may()).toBe(true);
    });

    test("or the order stays", async () => {
        const { server, may } = await cancel([false]);
        expect(may()).toBe(false);
        expect(server.started).toEqual([]);
    });

    for (const state of ["captured", "lapsed"]) {
        test(`or nothing is held any more: ${state}`, async () => {
            const { asked, may } = await cancel([], { hold: { state } });
            expect(asked).toEqual([]);
            expect(may()).toBe(true);
        });
    }
});
