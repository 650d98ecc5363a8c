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

/**
 * The same where both answers do something.
 *
 * @returns {Promise<boolean|undefined>} undefined: the question was closed, nothing was decided
 */
export function decide(dialog, props) {
    return new Promise((resolve) => {
        const buttons = {
            confirm: () => resolve(true),
            cancel: () => resolve(false),
            dismiss: () => resolve(undefined),
        };
        dialog.add(VivaConfirm, { ...props, ...buttons }, { onClose: () => resolve(undefined) });
    });
}

export function tell(dialog, title, body) {
    dialog.add(VivaConfirm, { title, body });
}
