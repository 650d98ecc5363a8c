import { ask } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { ConfirmationDialog } from "@web/core/confirmation_dialog/confirmation_dialog";

/** Odoo's question with buttons for fingers. */
export class VivaConfirm extends ConfirmationDialog {
    static template = "viva_payments.VivaConfirm";
}

/** @returns {Promise<boolean>} false also when the question was closed */
export function confirm(dialog, props) {
    return ask(dialog, props, {}, VivaConfirm);
}

export function tell(dialog, title, body) {
    dialog.add(VivaConfirm, { title, body });
}
