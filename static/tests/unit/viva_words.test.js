import { describe, expect, test } from "@odoo/hoot";
import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { newAttempt } from "@viva_payments/pos/viva_attempt";
import { detailOf, extrasOf, titleOf } from "@viva_payments/pos/viva_words";

import { CARD, makeStatus, setupViva } from "./utils";

definePosModels();
describe.current.tags("desktop");

function title(operation, status) {
    const attempt = newAttempt({
        operation,
        status: status && makeStatus({ operation, ...status }),
    });
    return titleOf(attempt, "Bar").toString();
}

test("each operation has words of its own", async () => {
    await setupViva();
    const waiting = { state: "pending" };
    const done = { state: "approved", result: CARD };
    const failed = { state: "failed" };
    expect(
        ["sale", "refund", "void", "capture", "preauth", "release"].map((operation) =>
            title(operation)
        )
    ).toEqual(new Array(6).fill("Sending to terminal Bar …"));
    expect(title("refund", waiting)).toBe("Refunding on terminal Bar");
    expect(title("void", waiting)).toBe("Voiding on terminal Bar");
    expect(title("capture", waiting)).toBe("Capturing the hold on terminal Bar");
    expect(title("release", waiting)).toBe("Releasing the hold on terminal Bar");
    expect(title("preauth", waiting)).toBe("Waiting for the card on terminal Bar");
    expect(title("refund", { ...waiting, via: "api" })).toBe("Viva is working on it …");
    expect(title("sale", done)).toBe("Approved · Visa ••0133");
    expect(title("capture", done)).toBe("Captured · Visa ••0133");
    expect(title("preauth", done)).toBe("Held · Visa ••0133");
    expect(title("release", done)).toBe("Hold released");
    expect(title("refund", failed)).toBe("Not given back");
    expect(title("capture", failed)).toBe("Not captured");
    expect(title("preauth", failed)).toBe("Not held");
    expect(title("release", failed)).toBe("Not released");
    expect(title("sale", { ...done, charged: false })).toBe("Charged and given back");
    // Viva has denied it, or it was voided since.
    expect(title("sale", { ...done, forced: true, charged: false })).toBe(
        "Does not count any more"
    );
    expect(title("sale", failed)).toBe("Not charged");
    expect(title("refund", { state: "declined" })).toBe("Declined");
});

test("a void and a refund are never called by each other's name", async () => {
    await setupViva();
    for (const operation of ["refund", "void"]) {
        const done = { state: "approved", result: CARD };
        expect(title(operation, { ...done, executed: "void" })).toBe(
            "Voided: nothing stays on the card"
        );
        expect(title(operation, { ...done, executed: "refund" })).toBe("Refunded · Visa ••0133");
        expect(title(operation, done)).toBe("Given back · Visa ••0133");
    }
});

test("money back in doubt is not given back again", async () => {
    await setupViva();
    const words = (values) =>
        detailOf(
            newAttempt({
                operation: "refund",
                status: makeStatus({ operation: "refund", state: "unknown", message: "" }),
                ...values,
            })
        ).toString();
    expect(words()).toMatch(/Do not give the money back again/);
    expect(words({ contact: false })).toMatch(/money may still be given back/);
});

test("what the customer has added on the terminal", async () => {
    await setupViva();
    const money = (minor) => String(minor);
    expect(extrasOf({ tip_minor: 200, surcharge_minor: 50, installments: 6 }, money)).toBe(
        "Tip 200 · Surcharge 50 · 6 installments"
    );
    expect(extrasOf({ tip_minor: 0, surcharge_minor: 0, installments: 1 }, money)).toBe("");
});
