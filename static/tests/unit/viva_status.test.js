import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { click, describe, expect, queryAllTexts, queryOne, queryText, test } from "@odoo/hoot";
import { mountWithCleanup, patchWithCleanup } from "@web/../tests/web_test_helpers";
import { VivaStatus } from "@viva_payments/pos/viva_status/viva_status";

import { makeWay } from "./data/viva_terminal.data";
import { CARD, connectionLost, makeOrder, plain, press, settle, setupViva } from "./utils";

definePosModels();
describe.current.tags("desktop");

async function showPanel({ terminals, ways } = {}) {
    const till = await setupViva({ terminals, ways });
    const { order, line } = await makeOrder(till.store, till.method);
    await mountWithCleanup(VivaStatus, {
        props: {
            line,
            send: () => expect.step("send"),
            remove: () => expect.step("remove"),
        },
    });
    return { ...till, order, line };
}

function buttons() {
    return queryAllTexts(".viva-buttons button");
}

test("ready: says where it goes, and sends", async () => {
    await showPanel();
    expect(queryText(".viva-title-text")).toBe("Ready to send to terminal Bar");
    expect(buttons()).toEqual(["Send"]);
    await click(".viva-send");
    expect.verifySteps(["send"]);
});

test("with several terminals the cashier may switch", async () => {
    await showPanel({ terminals: [1, 2] });
    expect(queryText(".viva-title-text")).toBe("Ready to send");
    expect(buttons()).toEqual(["Send", "Other terminal"]);
});

test("waiting: where, how long, and a way out", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    await settle();
    expect(queryText(".viva-title-text")).toBe("Waiting for the card on terminal Bar (16000010)");
    expect(queryOne(".viva-status").dataset.phase).toBe("waiting");
    expect(".viva-status").toHaveClass("viva-status-busy");
    expect(queryText(".viva-seconds")).toBe("3 s");
    expect(buttons()).toEqual(["Check again", "Cancel"]);
    server.set(attempt, { state: "pending", age_s: 42 });
    await settle(1000);
    expect(queryText(".viva-seconds")).toMatch(/^4[23] s$/);
});

test("no contact with Odoo, Viva silent: said below, the wait goes on", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    server.set(attempt, { state: "pending", silent: true });
    await settle(1000);
    expect(queryText(".viva-detail")).toMatch(/Viva does not answer/);
    server.faults.check = connectionLost;
    await settle(1000);
    expect(queryText(".viva-detail")).toMatch(/No connection to Odoo/);
    expect(queryText(".viva-title-text")).toMatch(/Waiting for the card/);
});

test("cancelling: look at the terminal", async () => {
    const { store, line } = await showPanel();
    await press(store, line);
    await click(".viva-cancel");
    await settle();
    expect(queryText(".viva-title-text")).toBe("Cancelling – look at terminal Bar (16000010)");
    expect(buttons()).toEqual(["Check again"]);
});

test("unknown: no retry; check, remove, and the manager's way", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    server.set(attempt, { state: "unknown", can_force: true, can_cancel: false });
    await settle(1000);
    expect(queryText(".viva-title-text")).toBe("We do not know yet – checking");
    expect(queryText(".viva-detail")).toBe("words of unknown");
    expect(".viva-status").toHaveClass("viva-status-doubt");
    expect(buttons()).toEqual(["Check again", "Remove line", "Force done"]);
    const asked = server.count("check");
    await click(".viva-check");
    await settle();
    expect(server.count("check")).toBeGreaterThan(asked);
    await click(".viva-remove");
    expect.verifySteps(["remove"]);
});

test("declined: the server's words and another try", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    server.set(attempt, { state: "declined", message: "Not enough money. Another card, please." });
    await settle(1000);
    expect(queryText(".viva-title-text")).toBe("Declined");
    expect(queryText(".viva-detail")).toBe("Not enough money. Another card, please.");
    expect(".viva-status").toHaveClass("viva-status-bad");
    expect(buttons()).toEqual(["Try again"]);
});

test("approved: the card, and a way back while the order is open", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    server.set(attempt, { state: "approved", result: CARD });
    await settle(1000);
    expect(queryText(".viva-title-text")).toBe("Approved · Visa ••0133");
    expect(".viva-status").toHaveClass("viva-status-good");
    expect(buttons()).toEqual(["Void"]);
});

test("accepted by a manager: says so, and that Viva has not confirmed it", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    server.set(attempt, { state: "approved", forced: true, message: "Accepted by Mia." });
    await settle(1000);
    expect(queryText(".viva-title-text")).toBe("Accepted as paid by a manager");
    expect(queryText(".viva-detail")).toBe("Accepted by Mia.");
});

test("a void is shown on its line, with its own buttons; refused, the payment stays as it was", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    server.set(attempt, { state: "approved", result: CARD });
    await settle(1000);
    patchWithCleanup(store.dialog, { add: (component, props) => props.confirm?.() });
    await click(".viva-void");
    await settle();
    expect(queryText(".viva-title-text")).toBe("Voiding on terminal Bar (16000010)");
    expect(buttons()).toEqual(["Check again", "Cancel"]);
    await click(".viva-cancel");
    await settle();
    expect(server.calls.findLast(([name]) => name === "abort")[1]).toBe(server.charged[1]);
    server.set(server.charged[1], {
        state: "failed",
        message: "Not by this terminal.",
        choices: [{ name: "api", label: "Without", possible: true, reason: "" }],
    });
    await settle(1000);
    expect(queryText(".viva-title-text")).toBe("Not given back");
    expect(queryText(".viva-detail")).toBe("Not by this terminal.");
    expect(buttons()).toEqual(["Other ways", "Void"]);
    expect(line.payment_status).toBe("done");
});

test("what was added on the terminal is on the line", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    server.set(attempt, {
        state: "approved",
        result: CARD,
        surcharge_minor: 50,
        installments: 6,
    });
    await settle(1000);
    expect(plain(queryText(".viva-detail"))).toBe("Surcharge $ 0.50 · 6 installments");
});

test("a terminal that is cancelled by its own keys: the sentence stands in for the button", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    server.set(attempt, {
        state: "pending",
        can_cancel: false,
        cannot_cancel: "Cancel on the terminal's keypad.",
    });
    await settle(1000);
    expect(buttons()).toEqual(["Check again"]);
    expect(queryText(".viva-cannot-cancel")).toBe("Cancel on the terminal's keypad.");
    const said = [];
    patchWithCleanup(store.dialog, { add: (component, props) => said.push(props.body) });
    store.viva.buttons.remove(line.uuid);
    await settle();
    expect(said).toEqual(["Cancel on the terminal's keypad."]);
    expect(server.count("abort")).toBe(0);
    expect(store.viva.attempts[attempt].removeLine).toBe(true);
});

test("whose word an approval is", async () => {
    const { store, server, line } = await showPanel();
    const { attempt } = await press(store, line);
    server.set(attempt, { state: "approved", result: CARD, word: "gateway" });
    await settle(1000);
    expect(queryText(".viva-title-text")).toBe("Approved · Visa ••0133");
    expect(queryText(".viva-detail")).toBe("Viva has not confirmed it yet");
    server.set(attempt, { state: "approved", result: CARD, word: "viva" });
    store.viva._onHint({ attempt });
    await settle(1000);
    expect(queryText(".viva-detail")).toBe("");
    server.set(attempt, { state: "approved", result: CARD, word: "gateway", offline: true });
    store.viva._onHint({ attempt });
    await settle(1000);
    expect(queryText(".viva-detail")).toMatch(/^Approved offline/);
});

test("a payment that cannot be undone from here says why", async () => {
    const reason = "This terminal cannot void a payment.";
    const { store, server, line } = await showPanel({
        ways: { 1: [makeWay("tcp", { abilities: { void: reason } })] },
    });
    const { attempt } = await press(store, line);
    server.set(attempt, { state: "approved", result: CARD });
    await settle(1000);
    expect(".viva-void").not.toBeEnabled();
    expect(queryText(".viva-reason")).toBe(reason);
});
