import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { describe, expect, queryText, test } from "@odoo/hoot";
import { mountWithCleanup } from "@web/../tests/web_test_helpers";
import { browser } from "@web/core/browser/browser";
import { VivaPanel } from "@viva_payments/pos/viva_panel/viva_panel";
import { addressOf, chooseWay, currentWay, waysOf } from "@viva_payments/pos/viva_ways";

import { makeWay } from "./data/viva_terminal.data";
import {
    answerDialogs,
    makeAction,
    makeCard,
    makeHold,
    makeOrder,
    mockDevice,
    press,
    settle,
    setupViva,
} from "./utils";

definePosModels();
describe.current.tags("desktop");

const APP_WAY = makeWay("app", { on_device: true });
const BOTH = { 1: [makeWay("cloud"), APP_WAY] };
const NO_MONEY_BACK = {
    abilities: { refund: "Only Viva gives back.", void: "Only Viva gives back." },
    fallback: { refund: "api", void: "api" },
};

function keyOf(method) {
    return `viva_payments.terminal.1.${method.id}`;
}

function names(ways) {
    return ways.map(({ terminal, onDevice }) => `${terminal.name}${onDevice ? " here" : ""}`);
}

describe("which way", () => {
    test("a desktop till has no app: only what stands beside it is offered", async () => {
        mockDevice({ runsApps: false });
        const { method } = await setupViva({ terminals: [1, 2], ways: BOTH });
        expect(names(waysOf(method))).toEqual(["Bar", "Hall"]);
        expect(currentWay(method)).toBe(undefined);
    });

    test("a desktop till with one terminal is not asked", async () => {
        mockDevice({ runsApps: false });
        const { method } = await setupViva({ ways: BOTH });
        expect(currentWay(method).protocol).toBe("cloud");
    });

    test("a handheld is asked once, and the answer is remembered on it", async () => {
        mockDevice();
        const { store, method } = await setupViva({ ways: BOTH });
        expect(currentWay(method)).toBe(undefined);
        const list = [];
        const asked = answerDialogs(store, []);
        await chooseWay(store.dialog, method);
        list.push(...asked[0].list);
        expect(list.map(({ label }) => label.toString())).toEqual([
            "In the app on this device – Bar",
            "Bar",
        ]);
        expect(currentWay(method)).toBe(undefined);
        answerDialogs(store, [list[0].item]);
        expect((await chooseWay(store.dialog, method)).onDevice).toBe(true);
        expect(currentWay(method).protocol).toBe("app");
        expect(JSON.parse(browser.localStorage.getItem(keyOf(method)))).toEqual({
            terminal: 1,
            protocol: "app",
        });
    });

    test("what an older version remembered is a terminal", async () => {
        mockDevice();
        const { method } = await setupViva({ terminals: [1, 2], ways: BOTH });
        browser.localStorage.setItem(keyOf(method), "2");
        expect(names([currentWay(method)])).toEqual(["Hall"]);
        browser.localStorage.setItem(keyOf(method), "1");
        expect(names([currentWay(method)])).toEqual(["Bar"]);
        for (const nonsense of ["", "{", "null", "[]"]) {
            browser.localStorage.setItem(keyOf(method), nonsense);
            expect(currentWay(method)).toBe(undefined);
        }
    });

    test("the app is taken away from a terminal: the cashier is asked again", async () => {
        mockDevice();
        const { method } = await setupViva({ terminals: [1, 2] });
        browser.localStorage.setItem(keyOf(method), '{"terminal": 1, "protocol": "app"}');
        expect(currentWay(method)).toBe(undefined);
    });

    test("a terminal that is only an app cannot be used from elsewhere, and the till says so", async () => {
        mockDevice({ runsApps: false });
        const { store, server, method } = await setupViva({ ways: { 1: [APP_WAY] } });
        const { order, line } = await makeOrder(store, method);
        const said = answerDialogs(store, []);
        const { ended } = await press(store, line);
        expect(ended()).toBe(false);
        expect(server.started).toEqual([]);
        expect(said[0].body.toString()).toMatch(/Open this till there/);
        mockDevice();
        expect(store.viva.obstacle(order, method, 17.85)).toBe("");
        expect(currentWay(method).onDevice).toBe(true);
    });

    test("the server is told the protocol only where the device itself takes the card", async () => {
        mockDevice();
        const { method } = await setupViva({ ways: BOTH });
        const [app, cloud] = waysOf(method);
        expect(addressOf(app, "sale", "terminal")).toEqual({
            terminal_id: 1,
            via: "terminal",
            protocol: "app",
        });
        expect(addressOf(cloud, "sale", "terminal")).toEqual({ terminal_id: 1, via: "terminal" });
        expect(addressOf(null, "refund", "api")).toEqual({ terminal_id: false, via: "api" });
    });
});

describe("what it can do", () => {
    test("money goes back through Viva when the terminal cannot, and no terminal is asked for", async () => {
        const way = makeWay("tcp", NO_MONEY_BACK);
        const { store, server, method } = await setupViva({
            terminals: [1, 2],
            ways: { 1: [way], 2: [way] },
        });
        const asked = answerDialogs(store, [true]);
        store.viva.moneyBack.voidPayment({
            attempt: "attempt-sale",
            order_uuid: "order",
            amountMinor: 1785,
            method,
            title: "Visa",
        });
        await settle();
        expect(asked).toHaveLength(1);
        expect(server.started[0].operation).toBe("void");
        expect(server.started[0].terminal_id).toBe(1);
        expect("via" in server.started[0]).toBe(false);
    });

    test("without a fallback the reason is said, and nothing is sent", async () => {
        const way = makeWay("tcp", { abilities: { sale: "This terminal is switched off." } });
        const { store, server, method } = await setupViva({ ways: { 1: [way] } });
        const { line } = await makeOrder(store, method);
        const said = answerDialogs(store, []);
        const { ended } = await press(store, line);
        expect(ended()).toBe(false);
        expect(server.started).toEqual([]);
        expect(said[0].body).toBe("This terminal is switched off.");
    });

    test("another terminal can do it: it is offered for this time, the others with their reasons", async () => {
        const way = makeWay("tcp", { abilities: { preauth: "No holds here." } });
        const { store, method } = await setupViva({ terminals: [1, 2], ways: { 1: [way] } });
        browser.localStorage.setItem(keyOf(method), "1");
        expect(store.viva.holds.obstacle).toBe("");
        const asked = answerDialogs(store, [1]);
        const chosen = await store.viva.wayFor(method, { operation: "preauth" });
        expect(names([chosen])).toEqual(["Hall"]);
        expect(asked[0].body).toBe("No holds here.");
        expect(asked[0].choices.map(({ possible, reason }) => [possible, reason])).toEqual([
            [false, "No holds here."],
            [true, ""],
        ]);
        expect(names([currentWay(method)])).toEqual(["Bar"]);
    });

    test("installments are not offered where the terminal does not ask for them", async () => {
        const way = makeWay("tcp", { abilities: { installments: "Not here." } });
        const { store, server, method } = await setupViva({
            ways: { 1: [way] },
            method: { viva_installment_bands: [[1000, 6]] },
        });
        const { line } = await makeOrder(store, method);
        const asked = answerDialogs(store, []);
        await press(store, line);
        expect(asked).toEqual([]);
        expect(server.started[0].max_installments).toBe(0);
    });

    test("the panel greys what cannot be done from here, with the reason", async () => {
        const way = makeWay("tcp", {
            abilities: { preauth: "No holds here.", release: "No release.", void: "No." },
            fallback: { void: "api" },
        });
        const { store, server, method } = await setupViva({ ways: { 1: [way] } });
        await makeOrder(store, method);
        server.cards = [makeCard({ actions: ["void", "print"].map((name) => makeAction(name)) })];
        server.holds = [makeHold()];
        const panel = await mountWithCleanup(VivaPanel, {
            props: { tab: "holds", close: () => {} },
        });
        await settle();
        expect(".viva-new-hold").not.toBeEnabled();
        expect(queryText(".viva-reason:first")).toBe("No holds here.");
        panel.toggle("attempt-hold");
        await settle();
        expect('[data-action="capture"]').toBeEnabled();
        expect('[data-action="release"]').not.toBeEnabled();
        panel.showTab("session");
        await settle();
        panel.toggle(server.cards[0].attempt);
        await settle();
        expect('[data-action="void"]').toBeEnabled();
        expect('[data-action="print"]').toBeEnabled();
    });
});
