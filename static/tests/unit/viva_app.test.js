import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { click, describe, expect, queryAllTexts, queryText, test } from "@odoo/hoot";
import { mountWithCleanup, patchWithCleanup } from "@web/../tests/web_test_helpers";
import { device } from "@viva_payments/pos/viva_device";
import { VivaStatus } from "@viva_payments/pos/viva_status/viva_status";

import { makeWay } from "./data/viva_terminal.data";
import {
    APP,
    CARD,
    connectionLost,
    makeOrder,
    mockDevice,
    press,
    settle,
    setupViva,
} from "./utils";

definePosModels();
describe.current.tags("desktop");

const WAYS = { 1: [makeWay("app", { on_device: true })] };
const LATER = { ...APP, uri: "" };

/** A line on a till that runs on the terminal itself, with its card below it. */
async function showLine(options = {}) {
    mockDevice(options);
    const till = await setupViva({ ways: WAYS });
    const { order, line } = await makeOrder(till.store, till.method);
    const { server } = till;
    server.faults.start = (request) => ({ ...server.record(request), app: { ...APP } });
    // What is asked for later never has the URI that starts the payment.
    server.faults.check = (attempts) =>
        attempts.map((id) => server.ledger[id] && { ...server.ledger[id], app: LATER });
    server.faults.abort = (attempt) => {
        Object.assign(server.ledger[attempt], { abort_asked: true, can_cancel: false });
        return { ...server.ledger[attempt], app: LATER };
    };
    await mountWithCleanup(VivaStatus, {
        props: { line, send: () => {}, remove: () => {} },
    });
    return { ...till, order, line };
}

function buttons() {
    return queryAllTexts(".viva-buttons button");
}

test("recorded first, then the app is opened within the same tap; the card shows the ways back", async () => {
    const { store, server, line } = await showLine();
    patchWithCleanup(store.data, {
        synchronizeLocalDataInIndexedDB: async () => expect.step("device saved"),
    });
    expect(queryText(".viva-title-text")).toBe("Ready to pay in the app on this device");
    await press(store, line);
    expect.verifySteps(["device saved", "open sale"]);
    expect(server.started[0].protocol).toBe("app");
    expect(queryText(".viva-title-text")).toBe("Waiting for the card in the app");
    expect(queryText(".viva-detail")).toMatch(/leads you back/);
    expect(buttons()).toEqual(["Back to the app", "Ask the app", "Check with Viva", "Cancel"]);
    await click('[data-app="back"]');
    await click('[data-app="ask"]');
    expect.verifySteps(["open foreground", "open transactionDetails"]);
});

test("the tap has lapsed: a button opens the app, once", async () => {
    const { store, line } = await showLine({ isTapped: false });
    await press(store, line);
    expect.verifySteps([]);
    expect(queryText(".viva-title-text")).toBe("Ready: open the app");
    expect(buttons()).toEqual(["Open viva.com | Terminal", "Check with Viva", "Cancel"]);
    await settle(3000);
    expect(buttons()[0]).toBe("Open viva.com | Terminal");
    await click('[data-app="open"]');
    await settle();
    expect.verifySteps(["open sale"]);
    expect(buttons()[0]).toBe("Back to the app");
    store.viva.app.open(store.viva.attemptOf(line));
    expect.verifySteps([]);
});

test("nobody opens the app in time: the payment is given up, with and without Odoo", async () => {
    const { store, server, line } = await showLine({ isTapped: false });
    await press(store, line);
    await settle(44000);
    expect(buttons()[0]).toBe("Open viva.com | Terminal");
    await settle(2000);
    expect(buttons()).not.toInclude("Open viva.com | Terminal");
    expect(server.count("unopened")).toBe(1);
    store.viva.app.open(store.viva.attemptOf(line));
    expect.verifySteps([]);
});

test("the address that charges is forgotten although Odoo cannot be reached", async () => {
    const { store, server, line } = await showLine({ isTapped: false });
    await press(store, line);
    server.faults.check = connectionLost;
    server.faults.abort = connectionLost;
    await settle(15 * 60 * 1000);
    expect(buttons()).not.toInclude("Open viva.com | Terminal");
    store.viva.app.open(store.viva.attemptOf(line));
    expect.verifySteps([]);
});

test("a page that slept does not charge when it wakes up", async () => {
    const { store, line } = await showLine({ isTapped: false });
    await press(store, line);
    const attempt = store.viva.attemptOf(line);
    attempt.openUntil = Date.now(); // its timers stood still
    await click('[data-app="open"]');
    await settle();
    expect.verifySteps([]);
    expect(attempt.appUri).toBe("");
});

test("the URI that starts a payment is kept nowhere but in this page's memory", async () => {
    const { store, line } = await showLine({ isTapped: false });
    const { attempt } = await press(store, line);
    expect(store.viva.attempts[attempt].appUri).toBe(APP.uri);
    expect(store.viva.attempts[attempt].status.app).toEqual(LATER);
    expect(JSON.stringify(line.serializeForORM())).not.toMatch(/vivapayclient/);
    expect(JSON.stringify(line.pos_order_id.uiState)).not.toMatch(/vivapayclient/);
});

test("approved: only the server says so", async () => {
    const { store, server, line } = await showLine();
    const { attempt, ended } = await press(store, line);
    expect.verifySteps(["open sale"]);
    await settle(2000);
    expect(ended()).toBe(undefined);
    server.set(attempt, { state: "approved", result: CARD });
    await settle(1000);
    expect(ended()).toBe(true);
    expect(queryText(".viva-title-text")).toBe("Approved · Visa ••0133");
    expect(buttons()).toEqual(["Void"]);
});

test("coming back asks at once", async () => {
    const { store, server, line } = await showLine();
    await press(store, line);
    expect.verifySteps(["open sale"]);
    server.ledger[line.viva_attempt].poll_ms = 60000;
    await settle(1000);
    const asked = server.count("check");
    window.dispatchEvent(new Event("focus"));
    await settle(10);
    expect(server.count("check")).toBe(asked + 1);
    document.dispatchEvent(new Event("visibilitychange"));
    await settle(10);
    expect(server.count("check")).toBe(asked + 2);
});

test("cancel: the server first, then the app", async () => {
    const { store, server, line } = await showLine();
    await press(store, line);
    server.faults.abort = (attempt) => {
        expect.step("abort at the server");
        Object.assign(server.ledger[attempt], { abort_asked: true, can_cancel: false });
        return { ...server.ledger[attempt], app: LATER };
    };
    await click(".viva-cancel");
    await settle();
    expect.verifySteps(["open sale", "abort at the server", "open abort"]);
    expect(server.count("unopened")).toBe(0);
    expect(queryText(".viva-title-text")).toBe("Cancelling – look at the app");
    expect(queryText(".viva-detail")).toMatch(/end it there/);
    expect(buttons()).toEqual(["Back to the app", "Ask the app", "Check with Viva"]);
});

test("cancel without a tap that counts: a button tells the app", async () => {
    const { store, line } = await showLine();
    await press(store, line);
    mockDevice({ isTapped: false });
    await click(".viva-cancel");
    await settle();
    expect.verifySteps(["open sale"]);
    expect(buttons()[0]).toBe("Cancel in the app");
    await click('[data-app="openAbort"]');
    await settle();
    expect.verifySteps(["open abort"]);
    expect(buttons()[0]).toBe("Back to the app");
});

test("cancel while Odoo is away: the app is not told, the till says what to do", async () => {
    const { store, server, line } = await showLine();
    await press(store, line);
    server.faults.abort = connectionLost;
    patchWithCleanup(store.dialog, { add: () => expect.step("told") });
    await click(".viva-cancel");
    await settle();
    expect.verifySteps(["open sale", "told"]);
    expect(buttons()).toEqual(["Back to the app", "Ask the app", "Check with Viva", "Cancel"]);
});

test("cancelled before the app was opened: it is never opened", async () => {
    const { store, server, line } = await showLine({ isTapped: false });
    const { attempt } = await press(store, line);
    mockDevice();
    await click(".viva-cancel");
    await settle();
    expect(store.viva.attempts[attempt].appUri).toBe("");
    expect(server.count("unopened")).toBe(1);
    expect(buttons()).toEqual(["Check with Viva"]);
    server.set(attempt, { state: "cancelled" });
    await settle(1000);
    expect(line.payment_status).toBe("retry");
    expect.verifySteps([]);
});

test("the line is deleted while it is sent: the app is not opened", async () => {
    const { store, server, line } = await showLine();
    let answer;
    const start = server.faults.start;
    server.faults.start = (request) =>
        new Promise((resolve) => (answer = () => resolve(start(request))));
    store.viva.charge(line.uuid);
    await settle();
    store.viva.buttons.remove(line.uuid);
    answer();
    await settle();
    expect(server.count("unopened")).toBe(1);
    expect.verifySteps([]);
});

test("Odoo's answer is lost: the app stays closed and the payment is given up", async () => {
    const { store, server, line } = await showLine();
    server.faults.start = (request) => {
        server.record(request);
        connectionLost();
    };
    await press(store, line);
    await settle(2000);
    expect(server.count("unopened")).toBe(1);
    await settle(5000);
    expect(server.count("abort")).toBe(1);
    expect.verifySteps([]);
});

test("Odoo cannot be reached: no card operation starts, and the till says what to do", async () => {
    const { store, server, line } = await showLine();
    patchWithCleanup(store, { syncAllOrders: async () => connectionLost() });
    await press(store, line);
    expect(server.started).toEqual([]);
    expect(queryText(".viva-detail")).toMatch(/nothing was charged.*another payment method/);
    expect.verifySteps([]);
});

test("after a reload the same card, without the URI that starts the payment", async () => {
    const { store, server, line } = await showLine();
    const { attempt } = await press(store, line);
    expect.verifySteps(["open sale"]);
    // The page's memory has gone; order and line are as they were stored.
    delete store.viva.attempts[attempt];
    delete store.viva.lines.attemptOf[line.uuid];
    server.faults.find = () => [{ ...server.ledger[attempt], app: LATER }];
    await store.viva.recover();
    await settle(2000);
    expect(queryText(".viva-title-text")).toBe("Waiting for the card in the app");
    expect(buttons()).toEqual(["Back to the app", "Ask the app", "Check with Viva", "Cancel"]);
    expect(server.count("abort")).toBe(0);
    await click(".viva-cancel");
    await settle();
    expect(server.count("unopened")).toBe(0);
    expect.verifySteps(["open abort"]);
    server.set(attempt, { state: "approved", result: CARD });
    await settle(1000);
    expect(line.payment_status).toBe("done");
    expect.verifySteps([]);
});

test("seen from another till it is somebody else's app", async () => {
    const { store, line } = await showLine();
    await press(store, line);
    expect.verifySteps(["open sale"]);
    mockDevice({ runsApps: false });
    await settle(1000);
    expect(queryText(".viva-detail")).toMatch(/another device/);
    expect(buttons()).toEqual(["Check with Viva", "Cancel"]);
});

test("the page is still there: perhaps the app is missing", async () => {
    const { store, line } = await showLine({ isIos: true });
    await press(store, line);
    expect.verifySteps(["open sale"]);
    expect(queryText(".viva-detail")).toMatch(/arrow at the top left/);
    await settle(5000);
    expect(queryText(".viva-detail")).toMatch(/allow this page/);
    mockDevice({ isIos: false });
    await settle(1000);
    expect(queryText(".viva-detail")).toMatch(/Is viva.com | Terminal installed/);
});

test("an app that cannot be asked has no button for it", async () => {
    const { store, server, line } = await showLine();
    server.faults.start = (request) => ({
        ...server.record(request),
        app: { ...APP, details: "" },
    });
    server.faults.check = ([id]) => [{ ...server.ledger[id], app: { ...LATER, details: "" } }];
    await press(store, line);
    expect.verifySteps(["open sale"]);
    expect(buttons()).toEqual(["Back to the app", "Check with Viva", "Cancel"]);
});

test("the way out is a link, followed in place", async () => {
    patchWithCleanup(HTMLAnchorElement.prototype, {
        click() {
            expect.step(this.href);
        },
    });
    device.openUri(APP.foreground);
    expect.verifySteps([APP.foreground]);
});

test("who logs in while his payment runs has it on the screen", async () => {
    const { store, server, order, line } = await showLine();
    await press(store, line);
    expect.verifySteps(["open sale"]);
    expect(store.defaultPage).toEqual({
        page: "PaymentScreen",
        params: { orderUuid: order.uuid },
    });
    server.set(line.viva_attempt, { state: "declined" });
    await settle(1000);
    expect(store.defaultPage.page).toBe("ProductScreen");
});

describe("tabs", () => {
    test("the page that the app opens learns that the order is here, and finds it on the screen", async () => {
        mockDevice();
        const { store, server, method } = await setupViva({ ways: WAYS });
        const { order, line } = await makeOrder(store, method);
        server.faults.start = (request) => ({ ...server.record(request), app: { ...APP } });
        await press(store, line);
        expect.verifySteps(["open sale"]);
        store.viva.tabs.channel = {
            postMessage: (message) => expect.step(JSON.stringify(message)),
        };
        patchWithCleanup(store, {
            navigate: (page, { orderUuid }) => expect.step(`${page} ${orderUuid === order.uuid}`),
        });
        store.viva.tabs.onMessage({ ask: "here?", order_uuid: "another" });
        store.viva.tabs.onMessage({ answer: "here", order_uuid: order.uuid });
        store.viva.tabs.onMessage({ ask: "here?" });
        expect.verifySteps([]);
        store.viva.tabs.onMessage({ ask: "here?", order_uuid: order.uuid });
        expect.verifySteps([
            JSON.stringify({ answer: "here", order_uuid: order.uuid }),
            "PaymentScreen true",
        ]);
        server.set(line.viva_attempt, { state: "approved" });
        await settle(1000);
        store.viva.tabs.onMessage({ ask: "here?", order_uuid: order.uuid });
        expect.verifySteps([JSON.stringify({ answer: "here", order_uuid: order.uuid })]);
    });

    test("a tab in the background waits, and reads what another one did meanwhile", async () => {
        mockDevice();
        const { store } = await setupViva({ ways: WAYS });
        let hidden = true;
        patchWithCleanup(document, {
            get hidden() {
                return hidden;
            },
        });
        patchWithCleanup(store.deviceSync, {
            readDataFromServer: async () => expect.step("read"),
        });
        store.viva.tabs.inFront().then(() => expect.step("in front"));
        await settle();
        document.dispatchEvent(new Event("visibilitychange"));
        await settle();
        expect.verifySteps([]);
        hidden = false;
        document.dispatchEvent(new Event("visibilitychange"));
        await settle();
        expect.verifySteps(["read", "in front"]);
    });
});
