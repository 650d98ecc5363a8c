import * as Booking from "@viva_payments/../tests/tours/utils/viva_booking_util";
import * as Viva from "@viva_payments/../tests/tours/utils/viva_util";
import { registry } from "@web/core/registry";

const tours = registry.category("web_tour.tours");

function pressOnForm(button) {
    return {
        content: `press ${button} on the form`,
        trigger: `.o_form_view .o_statusbar_buttons button[name=${button}]`,
        run: "click",
    };
}

function pressInWizard(button) {
    return {
        content: `press ${button} in the wizard`,
        trigger: `.modal-footer button[name=${button}]:visible:enabled`,
        run: "click",
    };
}

function wizardSays(words) {
    return {
        content: `the wizard says: ${words}`,
        trigger: `.modal .o_form_view:contains("${words}")`,
    };
}

/** The card is presented once more, and the window is closed. */
function toTheEnd() {
    return [
        Booking.dialogIs("waiting", "Refunding on terminal Counter"),
        Viva.atTerminal("tap"),
        Booking.dialogIs("done", "Booked as"),
        Booking.press("close"),
        Booking.noDialog(),
    ];
}

tours.add("viva_refund_of_payment", {
    steps: () =>
        [
            pressOnForm("action_viva_give_back"),
            wizardSays("is open again by that amount"),
            pressInWizard("action_confirm"),
            toTheEnd(),
            {
                content: "nothing is left of it to give back",
                trigger:
                    ".o_form_view .o_statusbar_buttons:not(:has(button[name=action_viva_give_back]))",
            },
        ].flat(),
});

tours.add("viva_refund_of_credit_note", {
    steps: () =>
        [
            pressOnForm("action_register_payment"),
            {
                content: "the card is proposed, and what is left of it",
                trigger: ".modal .o_field_widget[name=viva_original_left]:contains(100.00)",
            },
            pressInWizard("action_viva_give_back"),
            toTheEnd(),
            Booking.invoiceIsPaid(),
        ].flat(),
});

tours.add("viva_refund_decided", {
    steps: () =>
        [
            Booking.openPrepared(),
            Booking.dialogIs("unknown", "an accountant"),
            Booking.press("transaction"),
            Booking.noDialog(),
            {
                content: "decide",
                trigger: ".o_form_view .o_statusbar_buttons button:contains(Decide…)",
                run: "click",
            },
            {
                content: "the money has moved",
                trigger: ".modal .o_field_widget[name=decision] input[data-value=approved]",
                run: "click",
            },
            {
                content: "why",
                trigger: ".modal .o_field_widget[name=reason] input",
                run: "edit The slip says approved",
            },
            pressInWizard("action_decide"),
            Booking.noDialog(),
            {
                content: "it is approved, and in the books",
                trigger: ".o_form_view .o_field_widget[name=is_attached] input:checked",
            },
        ].flat(),
});

tours.add("viva_refund_posted_by_hand", {
    steps: () =>
        [
            Booking.openPrepared(),
            Booking.dialogIs("to_post", "may not post payments any more"),
            {
                content: "in our own words",
                trigger: ".modal .viva-booking:not(:contains(Uh-oh)):not(:contains(top-secret))",
            },
            Booking.press("post"),
            Booking.dialogIs("done", "Booked as"),
            Booking.press("close"),
            Booking.noDialog(),
        ].flat(),
});
