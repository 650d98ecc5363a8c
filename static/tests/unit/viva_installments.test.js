import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { click, describe, expect, queryAllTexts, queryText, test } from "@odoo/hoot";
import { mountWithCleanup } from "@web/../tests/web_test_helpers";
import { MainComponentsContainer } from "@web/core/main_components_container";
import { mostInstallments } from "@viva_payments/pos/viva_installments";
import { VivaInstallmentsPopup } from "@viva_payments/pos/viva_installments_popup/viva_installments_popup";
import { waysOf } from "@viva_payments/pos/viva_ways";

import { makeWay } from "./data/viva_terminal.data";
import { answerDialogs, makeOrder, plain, press, settle, setupViva } from "./utils";

definePosModels();
describe.current.tags("desktop");

const BANDS = [
    [1000, 3],
    [20000, 6],
];

test("the band of the amount decides, none is no question", () => {
    const method = { viva_installment_bands: BANDS };
    expect(mostInstallments(method, 999)).toBe(0);
    expect(mostInstallments(method, 1000)).toBe(3);
    expect(mostInstallments(method, 20000)).toBe(6);
    expect(mostInstallments({ viva_installment_bands: false }, 20000)).toBe(0);
    expect(mostInstallments({ viva_installment_bands: [[0, 1]] }, 20000)).toBe(0);
});

test("the terminal comes first: one that cannot ask the customer is not asked to", async () => {
    const way = makeWay("tcp", { abilities: { installments: "Not here." } });
    const { store, server, method } = await setupViva({
        terminals: [1, 2],
        ways: { 2: [way] },
        method: { viva_installment_bands: BANDS },
    });
    const { line } = await makeOrder(store, method);
    const asked = answerDialogs(store, [waysOf(method)[1]]);
    await press(store, line);
    expect(asked).toHaveLength(1);
    expect(server.started[0].terminal_id).toBe(2);
    expect(server.started[0].max_installments).toBe(0);
});

test("the cashier is asked before the card is, and once per amount", async () => {
    const { store, server, method } = await setupViva({
        method: { viva_installment_bands: BANDS },
    });
    const { line } = await makeOrder(store, method);
    const asked = answerDialogs(store, [3, 2]);
    const { attempt } = await press(store, line);
    expect(asked[0].most).toBe(3);
    expect(server.started[0].max_installments).toBe(3);
    server.set(attempt, { state: "declined" });
    await settle(1000);
    await press(store, line);
    expect(asked).toHaveLength(1);
    expect(server.started[1].max_installments).toBe(3);
    server.set(server.charged[1], { state: "declined" });
    await settle(1000);
    line.setAmount(12);
    await press(store, line);
    expect(asked).toHaveLength(2);
    expect(server.started[2].max_installments).toBe(2);
});

test("an amount below every band is sent without a question", async () => {
    const { store, server, method } = await setupViva({
        method: { viva_installment_bands: [[100000, 6]] },
    });
    const { line } = await makeOrder(store, method);
    const asked = answerDialogs(store, []);
    await press(store, line);
    expect(asked).toEqual([]);
    expect(server.started[0].max_installments).toBe(0);
});

test("closing the question sends nothing", async () => {
    const { store, server, method } = await setupViva({
        method: { viva_installment_bands: BANDS },
    });
    const { line } = await makeOrder(store, method);
    answerDialogs(store, [undefined]);
    const { ended } = await press(store, line);
    expect(ended()).toBe(false);
    expect(server.started).toEqual([]);
    expect(line.payment_status).toBe("pending");
});

test("the dialog: none first, then the numbers with their monthly part", async () => {
    const { store } = await setupViva();
    await mountWithCleanup(MainComponentsContainer);
    store.dialog.add(VivaInstallmentsPopup, {
        amountMinor: 20000,
        digits: 2,
        most: 6,
        getPayload: (number) => expect.step(number),
    });
    await settle();
    expect(queryText(".viva-installments p")).toMatch(/customer decides on the terminal/);
    expect(queryAllTexts(".viva-installments button").map(plain)).toEqual([
        "No installments",
        "2 × $ 100.00",
        "3 × $ 66.66",
        "4 × $ 50.00",
        "5 × $ 40.00",
        "6 × $ 33.33",
    ]);
    await click("[data-number='6']");
    expect.verifySteps([6]);
    await settle();
    expect(".modal").toHaveCount(0);
});
