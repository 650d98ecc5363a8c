import * as Booking from "@viva_payments/../tests/tours/utils/viva_booking_util";
import * as Viva from "@viva_payments/../tests/tours/utils/viva_util";
import { registry } from "@web/core/registry";

const tours = registry.category("web_tour.tours");

/** Hold by card on the invoice below, as the dialog proposes it, on the terminal "Counter". */
function hold() {
    return [
        {
            content: "hold by card",
            trigger: ".o_statusbar_buttons button[name=action_viva_hold]",
            run: "click",
        },
        {
            content: "which of the terminals",
            trigger: ".modal .o_field_widget[name=terminal_id] input",
            run: "click",
        },
        {
            content: "the one at the counter",
            trigger:
                ".o_field_widget[name=terminal_id] .o-autocomplete--dropdown-item:contains(Counter)",
            run: "click",
        },
        {
            content: "hold",
            trigger: ".modal-footer button[name=action_hold]",
            run: "click",
        },
    ];
}

/** Capture what is on hold for the invoice below, as the dialog proposes it. */
function capture() {
    return [
        {
            content: "one hold can be captured",
            trigger: ".o_statusbar_buttons button[name=action_viva_capture]:contains(1)",
            run: "click",
        },
        {
            content: "it pays the invoice",
            trigger: ".modal .o_field_widget[name=move_ids] .o_tag:contains(INV)",
        },
        {
            content: "capture",
            trigger: ".modal-footer button[name=action_capture]",
            run: "click",
        },
    ];
}

tours.add("viva_hold_captured", {
    steps: () =>
        [
            hold(),
            Booking.dialogIs("waiting", "Waiting for the card on terminal Counter"),
            Viva.atTerminal("tap"),
            Booking.dialogIs("done", "Visa"),
            Booking.press("close"),
            Booking.noDialog(),
            capture(),
            Booking.dialogIs("done", "Booked as"),
            Booking.press("close"),
            Booking.noDialog(),
            Booking.invoiceIsPaid(),
        ].flat(),
});

tours.add("viva_hold_declined", {
    steps: () =>
        [
            hold(),
            Booking.dialogIs("waiting"),
            Viva.atTerminal("decline"),
            Booking.dialogIs("not_done", "Declined"),
            Booking.press("close"),
            Booking.noDialog(),
            {
                content: "nothing can be captured",
                trigger:
                    ".o_statusbar_buttons:not(:has(button[name=action_viva_capture])) button[name=action_viva_hold]",
            },
        ].flat(),
});
