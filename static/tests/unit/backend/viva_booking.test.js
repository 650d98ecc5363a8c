import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { press, queryAllTexts, queryText, waitFor } from "@odoo/hoot-dom";
import {
    MockServer,
    contains,
    defineModels,
    fields,
    getService,
    models,
    mountWithCleanup,
    onRpc,
    patchWithCleanup,
} from "@web/../tests/web_test_helpers";
import { currencies } from "@web/core/currency";
import { WebClient } from "@web/webclient/webclient";

import {
    ATTEMPT,
    FakeBookings,
    NEXT_ATTEMPT,
    connectionLost,
    makeBooking,
    refuse,
    settle,
    withoutTill,
} from "./booking_utils";

describe.current.tags("desktop");

class Invoice extends models.Model {
    _name = "invoice";

    state = fields.Char();

    _records = [{ id: 1, display_name: "INV/2026/00001", state: "not paid" }];
    _views = {
        form: `
            <form>
                <header><button name="charge" type="object" string="Charge"/></header>
                <field name="state"/>
            </form>`,
        list: `<list><field name="state"/></list>`,
    };
}

class Booking extends models.Model {
    _name = "viva.booking";
}

class Payment extends models.Model {
    _name = "account.payment";

    name = fields.Char();

    _records = [{ id: 5, name: "PBNK1/2026/00001" }];
    _views = { form: `<form><field name="name"/></form>` };
}

defineMailModels();
defineModels([Invoice, Booking, Payment]);

let server;

beforeEach(() => {
    withoutTill();
    server = new FakeBookings();
    for (const method of ["start", "check", "abort", "again"]) {
        onRpc("viva.booking", method, ({ args }) => server[method](args[0]));
    }
    onRpc("viva.booking", "action_post", () => server.post());
    onRpc("invoice", "charge", () => ACTION);
    patchWithCleanup(currencies, {
        1: { name: "EUR", symbol: "€", position: "after", digits: [69, 2] },
    });
});

const ACTION = {
    type: "ir.actions.client",
    tag: "viva_payments.booking",
    name: "Card payment",
    target: "new",
    params: { attempt: ATTEMPT },
};

/** The dialog above an invoice, as it opens when *Charge* was pressed. */
async function openDialog(now) {
    server.now = now || server.now;
    await mountWithCleanup(WebClient);
    await getService("action").doAction({
        type: "ir.actions.act_window",
        res_model: "invoice",
        res_id: 1,
        views: [[false, "form"]],
    });
    await contains("button[name=charge]").click();
    await settle(10);
}

function buttons() {
    return queryAllTexts(".modal-footer button");
}

function words() {
    return queryText(".viva-booking-words").replaceAll("\u00a0", " ");
}

function ping(attempt) {
    MockServer.env["bus.bus"]._sendone("broadcast", "viva_payments_booking", { attempt });
}

test("a charge from beginning to end: the invoice below is read again", async () => {
    await openDialog();
    expect.verifySteps(["check", "start"]);
    expect(".modal-title").toHaveText("Card payment");
    expect(".viva-booking-demo").toHaveText("DEMO – no money moves");
    expect(queryText(".viva-booking-amount").replaceAll("\u00a0", " ")).toBe("1,234.50 €");
    expect(".viva-booking-documents").toHaveText("INV/2026/00001, INV/2026/00002");
    expect(".viva-booking-partner").toHaveText("Deco Addict");
    expect(".viva-booking-terminal").toHaveText("Counter (16000010)");
    expect(".viva-booking").toHaveAttribute("data-phase", "waiting");
    expect(words()).toInclude("Waiting for the card on terminal Counter (16000010)");
    expect(".viva-booking-hint").toHaveText(/You can close this window/);
    expect(buttons()).toEqual(["Close", "Cancel at the terminal"]);
    expect(".viva-booking-seconds").toHaveText("3 s");
    await settle(1000);
    expect(".viva-booking-seconds").not.toHaveText("");
    server.set({ state: "approved", tip_minor: 200 });
    await settle(1000);
    expect(".viva-booking").toHaveAttribute("data-phase", "done");
    expect(words()).toInclude("Approved · Visa ••0133");
    expect(words()).toInclude("Tip 2.00 € – Booked as PBNK1/2026/00001.");
    expect(buttons()).toEqual(["Close", "Open payment", "Open card payment"]);
    expect(".viva-booking-seconds").toHaveCount(0);
    expect.verifySteps(["check", "check"]);
    onRpc("invoice", "web_read", () => {
        expect.step("reload");
    });
    await contains(".viva-booking-close").click();
    expect(".modal").toHaveCount(0);
    expect.verifySteps(["reload"]);
    await settle(60000);
    expect.verifySteps([]);
});

test("closed while the card is waited for: read again all the same, and nothing is asked any more", async () => {
    await openDialog();
    onRpc("invoice", "web_read", () => {
        expect.step("reload");
    });
    await press("Escape");
    await settle(10);
    expect(".modal").toHaveCount(0);
    await settle(60000);
    expect.verifySteps(["check", "start", "reload"]);
});

test("unknown: check again and no try again", async () => {
    await openDialog(makeBooking({ state: "unknown", message: "Look at the terminal." }));
    expect(words()).toInclude("We do not know yet – checking");
    expect(words()).toInclude("Look at the terminal.");
    expect(buttons()).toEqual(["Check again", "Open card payment", "Close"]);
    await contains(".viva-booking-check").click();
    await settle(10);
    expect.verifySteps(["check", "check"]);
    expect(".viva-booking-again").toHaveCount(0);
});

test("it cannot be cancelled from here: the reason, and no button", async () => {
    const cannot_cancel = "Press the red key on the terminal.";
    await openDialog(makeBooking({ cannot_cancel }));
    expect(words()).toInclude(cannot_cancel);
    expect(buttons()).toEqual(["Close"]);
    expect.verifySteps(["check"]);
});

test("cancelled, then once more", async () => {
    await openDialog(makeBooking());
    await contains(".viva-booking-cancel").click();
    await settle(10);
    expect(words()).toInclude("Cancelling – look at terminal Counter (16000010)");
    expect(buttons()).toEqual(["Close"]);
    server.set({ state: "cancelled" }, { reason: "Cancelled at the terminal." });
    await settle(1000);
    expect(words()).toInclude("Cancelled at the terminal.");
    expect(buttons()).toEqual(["Try again", "Open card payment", "Close"]);
    expect.verifySteps(["check", "abort", "check"]);
    await contains(".viva-booking-again").click();
    await settle(10);
    expect.verifySteps(["again", "check 2", "start 2"]);
    expect(".viva-booking").toHaveAttribute("data-phase", "waiting");
});

test("a ping asks at once; one about another card payment does not", async () => {
    await openDialog(makeBooking({ poll_ms: 600000 }));
    expect.verifySteps(["check"]);
    server.set({ state: "approved" });
    ping(NEXT_ATTEMPT);
    await settle(100);
    expect.verifySteps([]);
    ping(ATTEMPT);
    await settle(100);
    expect.verifySteps(["check"]);
    expect(".viva-booking").toHaveAttribute("data-phase", "done");
});

test("looking at the window again asks at once", async () => {
    await openDialog(makeBooking({ poll_ms: 600000 }));
    expect.verifySteps(["check"]);
    window.dispatchEvent(new Event("focus"));
    await settle(10);
    expect.verifySteps(["check"]);
    document.dispatchEvent(new Event("visibilitychange"));
    await settle(10);
    expect.verifySteps(["check"]);
});

test("no connection: it says so, and goes on", async () => {
    await openDialog(makeBooking());
    server.faults.check = connectionLost;
    await settle(1000);
    expect(words()).toInclude("No connection to Odoo");
    expect(words()).toInclude("Waiting for the card");
    delete server.faults.check;
    await settle(1000);
    expect(words()).not.toInclude("No connection");
    expect.verifySteps(["check", "check", "check"]);
});

test("to be posted: the accountant has a button", async () => {
    const message = "The money has moved, but it is not in the books yet: the period is closed.";
    await openDialog(
        makeBooking({ state: "approved" }, { state: "to_post", message, can_post: true })
    );
    expect(words()).toInclude(message);
    expect(words()).toInclude("Press Post");
    expect(buttons()).toEqual(["Post", "Open payment", "Open card payment", "Close"]);
    await contains(".viva-booking-post").click();
    await settle(10);
    expect.verifySteps(["check", "post", "check"]);
    expect(".viva-booking").toHaveAttribute("data-phase", "done");
});

test("to be posted: nobody else has the button", async () => {
    await openDialog(makeBooking({ state: "approved" }, { state: "to_post", message: "m" }));
    expect(words()).toInclude("An accountant has it as a task.");
    expect(".viva-booking-post").toHaveCount(0);
    expect(".viva-booking-again").toHaveCount(0);
    expect.verifySteps(["check"]);
});

test("refused: the words of Odoo, try again or give up", async () => {
    server.faults.start = () => makeBooking({ state: "refused", message: "Terminal is busy." });
    await openDialog();
    expect(words()).toInclude("Not charged");
    expect(words()).toInclude("Terminal is busy.");
    expect(buttons()).toEqual(["Try again", "Give up", "Open payment", "Close"]);
    await contains(".viva-booking-drop").click();
    await settle(10);
    expect.verifySteps(["check", "start", "abort"]);
    expect(words()).toInclude("Cancelled");
});

test("not known, or not for this person", async () => {
    server.faults.check = refuse("This card payment is not known to Odoo: nothing was charged.");
    await openDialog();
    expect(words()).toInclude("This card payment is not known to Odoo: nothing was charged.");
    expect(buttons()).toEqual(["Close"]);
    expect.verifySteps(["check"]);
});

test("other operations speak of themselves", async () => {
    const refund = { operation: "refund", state: "approved", executed: "void" };
    await openDialog(makeBooking(refund));
    expect(".viva-booking-purpose").toHaveText("Give back");
    expect(words()).toInclude("Voided: nothing stays on the card");
    expect.verifySteps(["check"]);
});

test("open the payment", async () => {
    await openDialog(makeBooking({ state: "approved" }));
    await contains(".viva-booking-payment").click();
    await waitFor(".o_field_widget[name=name] input", { timeout: 3000 });
    expect(".o_field_widget[name=name] input").toHaveValue("PBNK1/2026/00001");
    expect.verifySteps(["check"]);
});

test("a page of its own, when it is opened by its address", async () => {
    await mountWithCleanup(WebClient);
    await getService("action").doAction({ ...ACTION, target: "current" });
    await settle(10);
    expect(".o_action_manager .viva-booking").toHaveAttribute("data-phase", "waiting");
    expect(queryAllTexts(".viva-booking-buttons button")).toEqual(["Cancel at the terminal"]);
    expect.verifySteps(["check", "start"]);
});
