import { SelectionPopup } from "@point_of_sale/app/components/popups/selection_popup/selection_popup";
import { makeAwaitable } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";

function storageKey(method) {
    return `viva_payments.terminal.${odoo.pos_config_id}.${method.id}`;
}

/** The terminal that this device uses for the method: the only one, or the one chosen last. Else nothing. */
export function currentTerminal(method) {
    const terminals = method.viva_terminal_ids;
    if (terminals.length === 1) {
        return terminals[0];
    }
    const remembered = Number(browser.localStorage.getItem(storageKey(method)));
    return terminals.find((terminal) => terminal.id === remembered);
}

/** Lets the cashier choose and remembers it on this device. Nothing when the dialog was closed. */
export async function chooseTerminal(dialog, method) {
    const current = currentTerminal(method);
    const chosen = await makeAwaitable(dialog, SelectionPopup, {
        title: _t("Which terminal stands here?"),
        list: method.viva_terminal_ids.map((terminal) => ({
            id: terminal.id,
            label: terminal.display_name,
            isSelected: terminal.id === current?.id,
            item: terminal,
        })),
    });
    if (chosen) {
        browser.localStorage.setItem(storageKey(method), String(chosen.id));
    }
    return chosen;
}
