import { cookie } from "@web/core/browser/cookie";

/** The dialog is in this phase and, if given, has these words. */
export function dialogIs(phase, words) {
    return {
        content: `the dialog shows ${phase}`,
        trigger: `.modal .viva-booking[data-phase="${phase}"]${words ? `:contains("${words}")` : ""}`,
    };
}

/** Press a button of the dialog: close, cancel, check, again, payment, … */
export function press(button) {
    return {
        content: `press ${button}`,
        trigger: `.modal-footer .viva-booking-${button}:enabled`,
        run: "click",
    };
}

export function hasNo(button) {
    return {
        content: `there is no button ${button}`,
        trigger: `.modal:has(.viva-booking) .modal-footer:not(:has(.viva-booking-${button}))`,
    };
}

/** Register Payment on the invoice below, by the terminal "Counter", and charge. */
export function charge() {
    return [
        {
            content: "register a payment",
            trigger: ".o_statusbar_buttons button[name=action_register_payment]",
            run: "click",
        },
        {
            content: "with a card",
            trigger: ".modal .o_field_widget[name=payment_method_line_id] input",
            run: "click",
        },
        {
            content: "on a terminal",
            trigger:
                ".o_field_widget[name=payment_method_line_id] .o-autocomplete--dropdown-item:contains(Viva terminal)",
            run: "click",
        },
        {
            content: "which of the terminals",
            trigger: ".modal .o_field_widget[name=viva_terminal_id] input",
            run: "click",
        },
        {
            content: "the one at the counter",
            trigger:
                ".o_field_widget[name=viva_terminal_id] .o-autocomplete--dropdown-item:contains(Counter)",
            run: "click",
        },
        {
            content: "charge",
            trigger: ".modal-footer button[name=action_create_payments]:contains(Charge)",
            run: "click",
        },
    ];
}

/** Open the dialog of what the test has prepared, as a button of the form below does. */
export function openPrepared() {
    return {
        content: "open the dialog",
        trigger: ".o_form_view",
        run: () => {
            const { action } = odoo.__WOWL_DEBUG__.root.env.services;
            return action.doAction({
                type: "ir.actions.client",
                tag: "viva_payments.booking",
                name: "Card payment",
                target: "new",
                params: { attempt: cookie.get("viva_attempt") },
            });
        },
    };
}

export function noDialog() {
    return { content: "the dialog has gone", trigger: "body:not(:has(.modal))" };
}

/** The invoice below the dialog has been read again. */
export function invoiceIsPaid() {
    return {
        content: "the invoice is paid",
        trigger: ".o_form_view .o_widget_web_ribbon .ribbon span:contains(Paid)",
    };
}
