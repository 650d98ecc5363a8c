import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { getFilledOrder, setupPosEnv } from "@point_of_sale/../tests/unit/utils";
import { ControlButtons } from "@point_of_sale/app/screens/product_screen/control_buttons/control_buttons";
import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";
import {
    click,
    describe,
    edit,
    expect,
    press as hit,
    queryAll,
    queryAllTexts,
    queryText,
    test,
} from "@odoo/hoot";
import { mountWithCleanup, patchWithCleanup } from "@web/../tests/web_test_helpers";
import { MainComponentsContainer } from "@web/core/main_components_container";
import { openVivaPanel } from "@viva_payments/pos/viva_panel/viva_panel";
import { VivaSlip } from "@viva_payments/pos/viva_slip/viva_slip";

import {
    CARD,
    answerDialogs,
    connectionLost,
    makeAction,
    makeCard,
    makeHold,
    plain,
    settle,
    setupViva,
} from "./utils";

definePosModels();
describe.current.tags("desktop");

async function showPanel({ cards = [], holds = [], tab = "session" } = {}) {
    const till = await setupViva({ config: { viva_may_give_back: true } });
    Object.assign(till.server, { cards, holds });
    await getFilledOrder(till.store);
    await mountWithCleanup(MainComponentsContainer);
    openVivaPanel(till.store, { tab });
    await settle();
    return till;
}

function buttons() {
    return queryAllTexts(".viva-actions button");
}

test("a card says what it is, what became of it and how much; opened, what can be done", async () => {
    await showPanel({
        cards: [
            makeCard({
                given_back_minor: 785,
                left_minor: 1000,
                children: [
                    {
                        attempt: "child",
                        operation: "refund",
                        kind_label: "Refund",
                        state: "approved",
                        state_label: "Approved",
                        message: "",
                        amount_minor: 785,
                        at: "2025-01-01 11:00:00",
                    },
                ],
                actions: [
                    makeAction("void", { possible: false, reason: "A part was given back." }),
                    makeAction("refund", { needs_manager: true }),
                    makeAction("print"),
                ],
            }),
        ],
    });
    expect(queryText(".viva-card-title")).toBe("Sale · Visa ••0133");
    expect(queryText(".viva-card-state")).toBe("Approved");
    expect(plain(queryText(".viva-card-amount"))).toBe("$ 17.85");
    expect(plain(queryText(".viva-card-moved"))).toBe("Given back $ 7.85, left $ 10.00");
    expect(".viva-card").toHaveClass("viva-card-good");
    expect(".viva-card-body").toHaveCount(0);
    await click(".viva-card-head");
    await settle();
    expect(queryAll(".viva-children li")).toHaveLength(1);
    expect(buttons()).toEqual(["void", "refund", "print"]);
    expect("[data-action=void]").toHaveProperty("disabled", true);
    expect(queryText(".viva-reason")).toBe("A part was given back.");
    expect("[data-action=refund] .fa-lock").toHaveCount(1);
});

test("what is unknown, declined or gone looks like it", async () => {
    await showPanel({
        cards: [
            makeCard({ attempt: "a1", state: "unknown", final: false, charged: false }),
            makeCard({ attempt: "a2", state: "declined", charged: false }),
            makeCard({ attempt: "a3", given_back_minor: 1785, left_minor: 0, charged: false }),
            makeCard({ attempt: "a4", operation: "refund" }),
        ],
    });
    expect(queryAll(".viva-card").map((card) => card.className.match(/viva-card-\w+/)[0])).toEqual([
        "viva-card-doubt",
        "viva-card-bad",
        "viva-card-neutral",
        "viva-card-good",
    ]);
    expect(queryAllTexts(".viva-card-state")[2]).toBe("Given back");
    expect(plain(queryAllTexts(".viva-card-amount")[3])).toBe("− $ 17.85");
});

test("tabs ask for their own; arrows go from one to the next", async () => {
    const { store, server } = await showPanel({ tab: "order" });
    expect(server.calls.at(-1)[1]).toEqual({
        scope: "order",
        pos_session_id: 1,
        order_uuid: store.getOrder().uuid,
        text: "",
        day: "",
    });
    expect(queryText(".viva-panel-empty")).toBe("No card payment on this order yet.");
    expect(".viva-tab-active").toBeFocused();
    await hit("ArrowRight");
    await settle();
    expect(server.calls.at(-1)[1].scope).toBe("session");
    expect("[data-tab=session]").toBeFocused();
    expect("[data-tab=session]").toHaveAttribute("aria-selected", "true");
    await hit("ArrowLeft");
    await hit("ArrowLeft");
    await settle();
    expect(server.calls.at(-1)[1].scope).toBe("holds");
});

test("search by one field, with Enter", async () => {
    const { server } = await showPanel({ tab: "search" });
    expect(server.count("panel")).toBe(0);
    expect(".viva-search-text").toBeFocused();
    await edit("12,50");
    await hit("Enter");
    await settle();
    expect(server.calls.at(-1)[1].text).toBe("12,50");
    expect(queryText(".viva-panel-empty")).toMatch(/Nothing found/);
});

test("no connection: said, and read again by a button", async () => {
    const { server } = await showPanel();
    server.faults.panel = connectionLost;
    await click("[data-tab=holds]");
    await settle();
    expect(queryText(".viva-panel-error p")).toMatch(/No connection to Odoo/);
    delete server.faults.panel;
    server.holds = [makeHold()];
    await click(".viva-panel-error button");
    await settle();
    expect(".viva-hold").toHaveCount(1);
});

test("a void is confirmed, shown as it goes on, and the list is read again", async () => {
    const card = makeCard({
        order_state: "draft",
        actions: [makeAction("void"), makeAction("print")],
    });
    const { store, server } = await showPanel({ cards: [card] });
    await click(".viva-card-head");
    await settle();
    await click("[data-action=void]");
    await settle();
    expect(plain(queryText(".modal-footer .btn-primary"))).toBe("Give back $ 17.85");
    await click(".modal-footer .btn-primary");
    await settle();
    const [request] = server.started;
    expect(request.operation).toBe("void");
    expect(queryText(".viva-title-text")).toBe("Voiding on terminal Bar (16000010)");
    expect(queryAllTexts(".viva-buttons button")).toEqual(["Check again", "Cancel"]);
    expect(buttons()).toEqual(["print"]);
    await click(".viva-cancel");
    await settle();
    expect(
        server.calls.some(([name, attempt]) => name === "abort" && attempt === request.attempt)
    ).toBe(true);
    server.cards = [{ ...card, given_back_minor: 1785, left_minor: 0, actions: [] }];
    server.set(request.attempt, { state: "approved", executed: "void" });
    await settle(1000);
    expect(queryText(".viva-title-text")).toBe("Voided: nothing stays on the card");
    expect(queryText(".viva-card-state")).toBe("Given back");
    expect(store.viva.childOf(card.attempt).id).toBe(request.attempt);
});

test("of a closed sale everything or a part goes back", async () => {
    const card = makeCard({
        order_reference: "0001",
        actions: [makeAction("refund", { partial: "Only tomorrow." })],
    });
    const { store } = await showPanel({ cards: [card] });
    patchWithCleanup(store.viva.moneyBack, {
        refundAll: async ({ attempt }) => {
            expect.step(`all of ${attempt}`);
            return true;
        },
    });
    await click(".viva-card-head");
    await settle();
    await click("[data-action=refund]");
    await settle();
    expect(queryAllTexts(".viva-choice-item span:first-child").map(plain)).toEqual([
        "Everything: $ 17.85",
        "A part",
    ]);
    expect("[data-name=part]").toHaveProperty("disabled", true);
    expect(queryText("[data-name=part] .fst-italic")).toBe("Only tomorrow.");
    await click("[data-name=all]");
    await settle();
    await click(".modal-footer .btn-primary");
    await settle();
    expect.verifySteps(["all of attempt-0000"]);
    expect(".viva-panel").toHaveCount(0);
});

test("void: of a closed sale the order goes back, money that is on none goes back by itself", async () => {
    const card = makeCard({ payment_uuid: "of-the-sale", actions: [makeAction("void")] });
    const { store, server } = await showPanel({ cards: [card] });
    patchWithCleanup(store.viva.moneyBack, {
        _loadOrder: async () => ({ payment_ids: [{ uuid: "of-the-sale" }] }),
        refundAll: async () => expect.step("refund order") && false,
    });
    await click(".viva-card-head");
    await settle();
    await click("[data-action=void]");
    await settle();
    expect(queryText(".modal-body p")).toMatch(/A refund of order/);
    await click(".modal-footer .btn-primary");
    await settle();
    expect.verifySteps(["refund order"]);
    patchWithCleanup(store.viva.moneyBack, {
        _loadOrder: async () => ({ payment_ids: [{ uuid: "another" }] }),
    });
    await click("[data-action=void]");
    await settle();
    await click(".modal-footer .btn-primary");
    await settle();
    expect(server.started[0].operation).toBe("void");
});

test("who may not is told who may, before anything is made", async () => {
    const card = makeCard({ actions: [makeAction("refund", { needs_manager: true })] });
    const { store, server } = await showPanel({ cards: [card] });
    store.config.viva_may_give_back = false;
    await click(".viva-card-head");
    await settle();
    await click("[data-action=refund]");
    await settle();
    expect(".modal-title:contains(You may not give money back by card)").toHaveCount(1);
    expect(server.started).toEqual([]);
});

test("check again: what this tab watches, and what another till has begun", async () => {
    const card = makeCard({
        state: "unknown",
        final: false,
        charged: false,
        actions: [makeAction("check")],
    });
    const { server } = await showPanel({ cards: [card] });
    await click(".viva-card-head");
    await settle();
    await click("[data-action=check]");
    await settle();
    expect(server.calls.slice(-2).map(([name]) => name)).toEqual(["check", "panel"]);
});

test("the slip is printed, with the DEMO line", async () => {
    const { store } = await showPanel({ cards: [makeCard({ actions: [makeAction("print")] })] });
    patchWithCleanup(store.printer, {
        print: (component, props) => {
            expect(component).toBe(VivaSlip);
            expect(props.slip).toBe(CARD.slip);
            expect(props.demo).toBe(true);
            expect.step("printed");
        },
    });
    await click(".viva-card-head");
    await settle();
    await click("[data-action=print]");
    expect.verifySteps(["printed"]);
    await mountWithCleanup(VivaSlip, {
        props: {
            shop: "Shop",
            title: "Refund",
            order: "0001",
            time: "now",
            amount: "5",
            slip: CARD.slip,
            demo: true,
        },
    });
    expect(queryText(".viva-slip")).toMatch(/DEMO – no money moves[^]*RRN: 123456789012/);
});

test("holds: who, how much, until when; soon is seen", async () => {
    await showPanel({
        tab: "holds",
        holds: [makeHold(), makeHold({ id: 4, attempt: "h4", expires_soon: true, partner: "Mia" })],
    });
    expect(queryAllTexts(".viva-hold .viva-card-title")).toEqual(["Table 7", "Mia · Table 7"]);
    expect(queryAllTexts(".viva-hold-expiry")[0]).toMatch(/^Lapses on /);
    expect(queryAllTexts(".viva-hold-expiry")[1]).toMatch(/^Lapses soon: /);
    expect(".viva-hold:last").toHaveClass("viva-card-doubt");
    expect(".viva-park").toHaveCount(0);
});

test("a hold that has lapsed: nothing to take or to release, its order may be recalled", async () => {
    await showPanel({
        tab: "holds",
        holds: [
            makeHold({
                state: "lapsed",
                state_label: "Lapsed",
                expires_soon: true,
                parked: true,
                actions: ["capture", "release", "recall"].map((name) => makeAction(name)),
            }),
        ],
    });
    expect(".viva-hold").toHaveClass("viva-card-neutral");
    expect(".viva-hold-expiry").toHaveText("");
    await click(".viva-card-head");
    await settle();
    expect(buttons()).toEqual(["recall"]);
});

test("a new hold is shown while its card is awaited, then it is in the list", async () => {
    const { store, server, method } = await showPanel({ tab: "holds" });
    answerDialogs(store, [{ amountMinor: 10000, reference: "Table 7", forOrder: false, method }]);
    expect(".viva-panel-empty").toHaveCount(1);
    await click(".viva-new-hold");
    await settle();
    expect(".viva-panel-empty").toHaveCount(0);
    expect(queryText(".viva-title-text")).toBe("Waiting for the card on terminal Bar (16000010)");
    server.holds = [makeHold({ attempt: server.charged[0] })];
    server.set(server.charged[0], { state: "approved", hold: { state: "open" } });
    await settle(1000);
    expect(".viva-status").toHaveCount(0);
    expect(".viva-hold").toHaveCount(1);
});

test("the order of a hold may be parked and recalled", async () => {
    const { store, server } = await showPanel({ tab: "session" });
    server.holds = [
        makeHold({ order_uuid: store.getOrder().uuid }),
        makeHold({ id: 9, attempt: "p", parked: true, actions: [makeAction("recall")] }),
    ];
    await click("[data-tab=holds]");
    await settle();
    expect(".viva-park").toHaveCount(1);
    expect(".viva-hold .badge").toHaveText("Order parked");
    patchWithCleanup(store.viva.holds, {
        recall: async ({ id }) => expect.step(`recall ${id}`) || true,
    });
    await click(".viva-hold:last .viva-card-head");
    await settle();
    await click("[data-action=recall]");
    await settle();
    expect.verifySteps(["recall 9"]);
    expect(".viva-panel").toHaveCount(0);
});

test("one button opens it, on the product screen and on the payment screen", async () => {
    const { store } = await setupViva();
    const order = await getFilledOrder(store);
    await mountWithCleanup(ControlButtons, { props: { onClickMore: () => {} } });
    expect(".viva-open-panel").toHaveCount(1);
    await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
    expect(".payment-screen .viva-open-panel").toHaveCount(1);
    await click(".payment-screen .viva-open-panel");
    await settle();
    expect(".viva-panel").toHaveCount(1);
    await hit("Escape");
    await settle();
    expect(".viva-panel").toHaveCount(0);
});

test("a till without a Viva method has no button", async () => {
    const store = await setupPosEnv();
    const order = await getFilledOrder(store);
    await mountWithCleanup(ControlButtons, { props: { onClickMore: () => {} } });
    await mountWithCleanup(PaymentScreen, { props: { orderUuid: order.uuid } });
    expect(".viva-open-panel").toHaveCount(0);
});
