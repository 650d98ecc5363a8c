import { definePosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { describe, expect, test } from "@odoo/hoot";
import { makeServerError, onRpc, patchWithCleanup } from "@web/../tests/web_test_helpers";
import { setupViva } from "@viva_payments/../tests/unit/utils";

definePosModels();
describe.current.tags("desktop");

/** Answers the dialogs in the order in which they open; a missing answer closes the dialog. */
function answerDialogs(store, answers) {
    const titles = [];
    patchWithCleanup(store.dialog, {
        add: (component, props, { onClose } = {}) => {
            titles.push(props.title.toString());
            const answer = answers.shift();
            if (answer !== undefined) {
                props.getPayload(answer);
            }
            onClose?.();
        },
    });
    return titles;
}

async function employeeTill(managers, answers) {
    onRpc("viva.transaction", "pos_deciders", () => managers);
    const { store } = await setupViva();
    store.config.module_pos_hr = true;
    return { buttons: store.viva.buttons, titles: answerDialogs(store, answers) };
}

test("manager, PIN and reason go to the server", async () => {
    const { buttons, titles } = await employeeTill(
        [{ id: 7, name: "Maria" }],
        [7, "4711", " slip 123456 "]
    );
    expect(await buttons.askManager()).toEqual({
        reason: "slip 123456",
        credentials: { employee_id: 7, pin: "4711" },
    });
    expect(titles).toHaveLength(3);
});

test("whoever closes a dialog decides nothing", async () => {
    const answers = [];
    const { buttons } = await employeeTill([{ id: 7, name: "Maria" }], answers);
    for (const given of [[], [7], [7, ""], [7, "4711"], [7, "4711", "  "]]) {
        answers.splice(0, answers.length, ...given);
        expect(await buttons.askManager()).toBe(undefined);
    }
});

test("without a manager who has a PIN the till says where to go", async () => {
    const { buttons, titles } = await employeeTill([], []);
    expect(await buttons.askManager()).toBe(undefined);
    expect(titles).toEqual(["No manager can decide here"]);
});

test("a refusal of the server is shown", async () => {
    const { buttons, titles } = await employeeTill([], []);
    onRpc("viva.transaction", "pos_deciders", () => {
        throw makeServerError({ type: "AccessError", message: "Not you" });
    });
    expect(await buttons.askManager()).toBe(undefined);
    expect(titles).toEqual(["That did not work"]);
});

test("a till without employees asks for the reason only", async () => {
    const { buttons, titles } = await employeeTill([{ id: 7, name: "Maria" }], ["slip 123456"]);
    buttons.pos.config.module_pos_hr = false;
    expect(await buttons.askManager()).toEqual({ reason: "slip 123456" });
    expect(titles).toHaveLength(1);
});

test("who may not give money back lets a manager do it, with the PIN", async () => {
    const { buttons, titles } = await employeeTill([{ id: 7, name: "Maria" }], [7, "4711"]);
    expect(buttons.canAskManager).toBe(true);
    expect(await buttons.askCredentials({ operation: "refund", request: {} })).toEqual({
        employee_id: 7,
        pin: "4711",
    });
    expect(titles).toEqual(["Which manager gives the money back?", "PIN of the manager"]);
});

test("a refund without a sale is not to be had by a PIN", async () => {
    const { buttons, titles } = await employeeTill([{ id: 7, name: "Maria" }], [7, "4711"]);
    const attempt = { operation: "refund", request: { unreferenced: true } };
    expect(await buttons.askCredentials(attempt)).toBe(undefined);
    expect(titles).toEqual([]);
});

test("without employees only the login counts", async () => {
    const { buttons, titles } = await employeeTill([{ id: 7, name: "Maria" }], []);
    buttons.pos.config.module_pos_hr = false;
    expect(buttons.canAskManager).toBe(false);
    expect(await buttons.askCredentials({ operation: "refund", request: {} })).toBe(undefined);
    expect(titles).toEqual([]);
});
