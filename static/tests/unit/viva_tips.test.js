import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";
import OrderPaymentValidation from "@point_of_sale/app/utils/order_payment_validation";
import { click, describe, expect, press as hit, queryText, test } from "@odoo/hoot";
import {
    makeServerError,
    mountWithCleanup,
    patchWithCleanup,
} from "@web/../tests/web_test_helpers";
import { MainComponentsContainer } from "@web/core/main_components_container";
import { decide } from "@viva_payments/pos/viva_confirm/viva_confirm";

import { CARD, answerDialogs, makeOrder, plain, press, settle, setupViva } from "./utils";

definePosModels();
describe.current.tags("desktop");

/** A sale of 17.85 to which the customer adds 2.00 on the terminal. */
async function tipped({ booking = "", answers = [], values = {}, fault } = {}) {
    const till = await setupViva();
    const { store, server, method } = till;
    const { order, line } = await makeOrder(store, method);
    const asked = answerDialogs(store, answers);
    if (fault) {
        server.faults.bookTip = fault;
    }
    const { attempt, ended } = await press(store, line);
    server.set(attempt, {
        state: "approved",
        result: CARD,
        approved_minor: 1985,
        tip_minor: 200,
        tip_booking: booking,
        ...values,
    });
    await settle(1000);
    return { ...till, order, line, attempt, ended, asked };
}

function tipOf(order, store) {
    return order.lines
        .filter((line) => line.product_id.id === store.config.tip_product_id.id)
        .map((line) => line.price_unit);
}

test("booked as product: order and payment grow by it, no change, told twice once", async () => {
    const { store, server, order, line, attempt } = await tipped({ booking: "product" });
    expect(tipOf(order, store)).toEqual([2]);
    expect(line.amount).toBe(19.85);
    expect(order.isPaid()).toBe(true);
    expect(order.is_tipped).toBe(true);
    expect(order.tip_amount).toBe(2);
    store.viva.learn(server.ledger[attempt]);
    await settle();
    expect(tipOf(order, store)).toEqual([2]);
    expect(line.amount).toBe(19.85);
    expect(server.count("bookTip")).toBe(0);
});

test("after a reload: put on the order when it has not been", async () => {
    const { store, server, order, line, attempt } = await tipped({ booking: "account" });
    store.viva.attempts[attempt] = undefined;
    delete store.viva.attempts[attempt];
    server.ledger[attempt] = { ...server.ledger[attempt], tip_booking: "product" };
    await store.viva.recover();
    await settle();
    expect(line.amount).toBe(19.85);
    expect(tipOf(order, store)).toEqual([2]);
});

test("a tip that is on the order already grows", async () => {
    const { store, order } = await tipped({ booking: "account" });
    store.selectedOrderUuid = order.uuid;
    await store.setTip(1);
    await store.viva.tips._addTipLine(order, 2);
    expect(tipOf(order, store)).toEqual([3]);
});

test("kept in an account: the order stays as it is", async () => {
    const { store, order, line } = await tipped({ booking: "account" });
    expect(tipOf(order, store)).toEqual([]);
    expect(line.amount).toBe(17.85);
});

test("undecided: the cashier is asked, and the answer is told to the server", async () => {
    const { store, server, order, line, asked, attempt } = await tipped({ answers: [true] });
    expect(plain(asked[0].title)).toBe("The customer added a tip of $ 2.00");
    expect(server.calls.at(-1)).toEqual(["bookTip", { attempt, booking: "product" }]);
    expect(tipOf(order, store)).toEqual([2]);
    expect(line.amount).toBe(19.85);
});

test("kept apart by the cashier", async () => {
    const { store, server, order, line, attempt } = await tipped({ answers: [false] });
    expect(server.calls.at(-1)).toEqual(["bookTip", { attempt, booking: "account" }]);
    expect(tipOf(order, store)).toEqual([]);
    expect(line.amount).toBe(17.85);
});

test("closed: nothing is booked, the order waits, and Validate asks once more", async () => {
    const { store, server, order, line, asked, attempt } = await tipped({ answers: [] });
    expect(asked).toHaveLength(1);
    expect(server.count("bookTip")).toBe(0);
    expect(tipOf(order, store)).toEqual([]);
    expect(store.viva.tips.undecided(order)).toEqual([line]);
    const validation = new OrderPaymentValidation({ pos: store, orderUuid: order.uuid });
    expect(await validation.askBeforeValidation()).toBe(true);
    expect(asked).toHaveLength(2);
    expect(server.count("bookTip")).toBe(0);
    store.viva.learn({ ...server.ledger[attempt], tip_booking: "account" });
    expect(await validation.askBeforeValidation()).toBe(true);
    expect(asked).toHaveLength(2);
});

test("the question has no answer by Escape", async () => {
    const { store } = await setupViva();
    await mountWithCleanup(MainComponentsContainer);
    const answers = [];
    const question = () =>
        decide(store.dialog, { title: "Tip", confirmLabel: "Add", cancelLabel: "Apart" }).then(
            (answer) => answers.push(answer)
        );
    question();
    await settle();
    await hit("Escape");
    await settle();
    question();
    await settle();
    await click(".modal-footer .btn-secondary");
    await settle();
    expect(answers).toEqual([undefined, false]);
});

test("it cannot be kept apart: Odoo's words, and the other way", async () => {
    const { asked, line } = await tipped({
        answers: [false, true],
        fault: ({ booking }) => {
            if (booking === "account") {
                throw makeServerError({ message: "Put the tip on the order." });
            }
            return { tip_booking: "product", tip_minor: 200, amount_minor: 1785, digits: 2 };
        },
    });
    expect(asked[1].body).toBe("Put the tip on the order.");
    expect(line.amount).toBe(19.85);
});

test("the order is validated when the question has been answered", async () => {
    const { store, server, method } = await setupViva();
    patchWithCleanup(OrderPaymentValidation.prototype, {
        async validateOrder() {
            expect.step(`validated ${this.order.amountPaid}`);
        },
    });
    const { order } = await makeOrder(store, method);
    order.payment_ids.forEach((line) => order.removePaymentline(line));
    const questions = [];
    patchWithCleanup(store.dialog, { add: (component, props) => questions.push(props) });
    const screen = await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
    await screen.addNewPaymentLine(method);
    await settle();
    server.set(server.charged[0], { state: "approved", approved_minor: 1985, tip_minor: 200 });
    await settle(1000);
    expect.verifySteps([]);
    questions[0].confirm();
    await settle();
    expect.verifySteps(["validated 19.85"]);
    expect(plain(queryText(".viva-detail"))).toBe("Tip $ 2.00");
});
