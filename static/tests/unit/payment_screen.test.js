import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { getFilledOrder, setupPosEnv } from "@point_of_sale/../tests/unit/utils";
import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";
import OrderPaymentValidation from "@point_of_sale/app/utils/order_payment_validation";
import { OrderReceipt } from "@point_of_sale/app/screens/receipt_screen/receipt/order_receipt";
import { click, describe, expect, queryAll, queryText, test } from "@odoo/hoot";
import { mountWithCleanup, patchWithCleanup } from "@web/../tests/web_test_helpers";

import { CARD, settle, setupViva } from "./utils";

definePosModels();
describe.current.tags("desktop");

function recordValidations() {
    patchWithCleanup(OrderPaymentValidation.prototype, {
        async validateOrder() {
            expect.step(`validate ${this.order.uuid}`);
        },
    });
}

async function showScreen(options) {
    const till = await setupViva(options);
    recordValidations();
    const order = await getFilledOrder(till.store);
    const screen = await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
    return { ...till, order, screen };
}

test("tap the method, tap the card: the order is validated", async () => {
    const { store, server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    expect(queryText(".viva-title-text")).toBe("Waiting for the card on terminal Bar (16000010)");
    expect(".electronic_payment").toHaveCount(0);
    expect(store.paymentTerminalInProgress).not.toBe(true);
    server.set(server.charged[0], { state: "approved", result: CARD });
    await settle(1000);
    expect(queryText(".viva-title-text")).toBe("Approved · Visa ••0133");
    expect.verifySteps([`validate ${order.uuid}`]);
});

test("a part of the amount does not validate", async () => {
    const { server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    order.payment_ids[0].amount = 10;
    server.set(server.charged[0], { state: "approved" });
    await settle(1000);
    expect.verifySteps([]);
});

test("the register validates by hand when it is set so", async () => {
    const { store, server, method, screen } = await showScreen();
    store.config.auto_validate_terminal_payment = false;
    await screen.addNewPaymentLine(method);
    await settle();
    server.set(server.charged[0], { state: "approved" });
    await settle(1000);
    expect.verifySteps([]);
});

test("tapped twice, sent once", async () => {
    const { server, method, order, screen } = await showScreen();
    screen.addNewPaymentLine(method);
    screen.addNewPaymentLine(method);
    screen.sendPaymentRequest(order.payment_ids[0]);
    await settle();
    expect(server.charged).toHaveLength(1);
    expect(order.payment_ids).toHaveLength(1);
});

test("declined, then the button on the panel sends again", async () => {
    const { server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    server.set(server.charged[0], { state: "declined" });
    await settle(1000);
    await click(".viva-send");
    await settle();
    expect(server.charged).toHaveLength(2);
    server.set(server.charged[1], { state: "approved" });
    await settle(1000);
    expect.verifySteps([`validate ${order.uuid}`]);
});

test("declined, then cash: the uncharged line makes room", async () => {
    const { store, server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    server.set(server.charged[0], { state: "declined" });
    await settle(1000);
    await screen.addNewPaymentLine(store.models["pos.payment.method"].get(1));
    expect(order.payment_ids.map((line) => line.payment_method_id.name)).toEqual(["Cash"]);
    expect(".modal").toHaveCount(0);
});

test("declined, then the method tapped again: the same line is sent", async () => {
    const { server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    server.set(server.charged[0], { state: "declined" });
    await settle(1000);
    const { uuid } = order.payment_ids[0];
    screen.addNewPaymentLine(method);
    await settle();
    expect(server.charged).toHaveLength(2);
    expect(order.payment_ids.map((line) => line.uuid)).toEqual([uuid]);
});

test("declined, the order changes, then the method tapped again: what is due now is asked", async () => {
    const { server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    const asked = () =>
        server.calls
            .filter(([name]) => name === "start")
            .map(([, request]) => request.amount_minor);
    server.set(server.charged[0], { state: "declined" });
    await settle(1000);
    order.lines[0].setQuantity(order.lines[0].qty + 1);
    screen.addNewPaymentLine(method);
    await settle();
    expect(asked()).toHaveLength(2);
    expect(asked()[1]).toBeGreaterThan(asked()[0]);
    expect(asked()[1]).toBe(Math.round(order.remainingDue * 100));
});

test("an unknown line makes no room for another payment", async () => {
    const { store, server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    server.set(server.charged[0], { state: "unknown" });
    await settle(1000);
    await screen.addNewPaymentLine(store.models["pos.payment.method"].get(1));
    await screen.addNewPaymentLine(method);
    expect(order.payment_ids).toHaveLength(1);
    expect(server.charged).toHaveLength(1);
});

test("a screen that was left does not validate; the next one does", async () => {
    const { store, server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    screen.__owl__.app.destroy();
    server.set(server.charged[0], { state: "approved" });
    await settle(1000);
    expect(order.payment_ids[0].payment_status).toBe("done");
    expect.verifySteps([]);
    await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
    await settle();
    expect.verifySteps([`validate ${order.uuid}`]);
    expect(store.viva.isUnseen(order.payment_ids[0])).toBe(false);
});

test("a reloaded screen waits for the line and validates", async () => {
    const { store, server, method } = await setupViva();
    recordValidations();
    const order = await getFilledOrder(store);
    const { data: line } = order.addPaymentline(method);
    line.viva_attempt = "attempt-before-reload";
    line.setPaymentStatus("waitingCard");
    server.record({
        attempt: "attempt-before-reload",
        payment_uuid: line.uuid,
        order_uuid: order.uuid,
        amount_minor: 1785,
    });
    await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
    await settle();
    server.set("attempt-before-reload", { state: "approved" });
    await settle(2000);
    expect.verifySteps([`validate ${order.uuid}`]);
    expect(server.charged).toEqual([]);
});

test("deleting a waiting line asks the terminal to stop and keeps the line", async () => {
    const { server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    screen.deletePaymentLine(order.payment_ids[0].uuid);
    await settle();
    expect(server.count("abort")).toBe(1);
    expect(order.payment_ids).toHaveLength(1);
    server.set(server.charged[0], { state: "cancelled", abort_asked: true });
    await settle(1000);
    expect(order.payment_ids).toHaveLength(0);
});

test("Odoo's own Cancel and Force done go through the server too", async () => {
    const { server, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(method);
    await settle();
    const [line] = order.payment_ids;
    screen.sendPaymentCancel(line);
    await settle();
    expect(server.count("abort")).toBe(1);
    patchWithCleanup(screen.pos.viva.buttons, { askManager: async () => undefined });
    await screen.sendForceDone(line);
    expect(line.payment_status).toBe("waitingCard");
});

test("nothing left to pay makes no line", async () => {
    const { store, method, order, screen } = await showScreen();
    await screen.addNewPaymentLine(store.models["pos.payment.method"].get(1));
    await screen.addNewPaymentLine(method);
    expect(order.payment_ids).toHaveLength(1);
});

test("an order with an open card payment is not validated", async () => {
    const { store, method, server } = await setupViva();
    const order = await getFilledOrder(store);
    const { data: line } = order.addPaymentline(method);
    store.viva.charge(line.uuid);
    await settle();
    const validation = new OrderPaymentValidation({ pos: store, orderUuid: order.uuid });
    expect(await validation.validateOrder(true)).toBe(false);
    expect(order.payment_ids).toHaveLength(1);
    server.set(line.viva_attempt, { state: "approved" });
    await settle(1000);
    expect(await validation.askBeforeValidation()).toBe(true);
});

test("what was approved in another browser is sent with the validation, although Odoo believes to know it", async () => {
    const { store, method, server } = await setupViva();
    const order = await getFilledOrder(store);
    const { data: line } = order.addPaymentline(method);
    store.viva.charge(line.uuid);
    await settle();
    server.set(line.viva_attempt, { state: "approved" });
    await settle(1000);
    line._dirty = false;
    order._dirty = false;
    const validation = new OrderPaymentValidation({ pos: store, orderUuid: order.uuid });
    expect(await validation.askBeforeValidation()).toBe(true);
    expect([line.isDirty(), order.isDirty()]).toEqual([true, true]);
});

test("the fast button of the product screen goes to the payment screen and sends there", async () => {
    const { store, method, server } = await setupViva();
    recordValidations();
    const order = await getFilledOrder(store);
    patchWithCleanup(store, { pay: async () => expect.step("payment screen") });
    await store.validateOrderFast(method);
    expect.verifySteps(["payment screen"]);
    expect(order.payment_ids).toHaveLength(0);
    await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
    await settle();
    expect(server.charged).toHaveLength(1);
});

test("a DEMO payment says so on the receipt, with the card's lines once", async () => {
    const { store, method, server } = await setupViva();
    const order = await getFilledOrder(store);
    const { data: line } = order.addPaymentline(method);
    store.viva.charge(line.uuid);
    await settle();
    server.set(line.viva_attempt, { state: "approved", result: CARD });
    await settle(1000);
    await mountWithCleanup(OrderReceipt, { props: { order } });
    expect(".viva-receipt-demo").toHaveText("DEMO – no money moves");
    expect(queryAll(".pos-payment-terminal-receipt")).toHaveLength(1);
    expect(queryText(".pos-payment-terminal-receipt")).toMatch(/Authorisation code: 831000/);
});

test("without a Viva method the screen is Odoo's own", async () => {
    const store = await setupPosEnv();
    recordValidations();
    const order = await getFilledOrder(store);
    const screen = await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
    await screen.addNewPaymentLine(store.models["pos.payment.method"].get(1));
    await settle();
    expect(".viva-status").toHaveCount(0);
    expect(order.payment_ids).toHaveLength(1);
    screen.deletePaymentLine(order.payment_ids[0].uuid);
    expect(order.payment_ids).toHaveLength(0);
    await mountWithCleanup(OrderReceipt, { props: { order } });
    expect(".viva-receipt-demo").toHaveCount(0);
});
