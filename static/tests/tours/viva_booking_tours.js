import * as Booking from "@viva_payments/../tests/tours/utils/viva_booking_util";
import * as Viva from "@viva_payments/../tests/tours/utils/viva_util";
import { cookie } from "@web/core/browser/cookie";
import { registry } from "@web/core/registry";

const tours = registry.category("web_tour.tours");

function paymentIsPosted() {
    const current = ".o_form_view .o_statusbar_status .o_arrow_button_current";
    return {
        content: "the payment is in the books",
        trigger: `${current}[data-value=in_process], ${current}[data-value=paid]`,
    };
}

tours.add("viva_booking_charged", {
    steps: () =>
        [
            Booking.charge(),
            Booking.dialogIs("waiting", "Waiting for the card on terminal Counter"),
            Booking.dialogIs("waiting", "no money moves"),
            Viva.atTerminal("tap"),
            Booking.dialogIs("done", "Approved · Visa"),
            Booking.dialogIs("done", "Booked as"),
            Booking.press("close"),
            Booking.noDialog(),
            Booking.invoiceIsPaid(),
        ].flat(),
});

tours.add("viva_booking_left", {
    steps: () =>
        [
            Booking.charge(),
            Booking.dialogIs("waiting", "You can close this window"),
            // Here the browser is closed, without a goodbye.
        ].flat(),
});

tours.add("viva_booking_seen", {
    steps: () => [paymentIsPosted()],
});

tours.add("viva_booking_closed_early", {
    steps: () =>
        [
            Booking.charge(),
            Booking.dialogIs("waiting"),
            Booking.press("close"),
            Booking.noDialog(),
            Viva.atTerminal("tap"),
        ].flat(),
});

tours.add("viva_booking_declined_then_again", {
    steps: () =>
        [
            Booking.openPrepared(),
            Booking.dialogIs("waiting"),
            Viva.atTerminal("decline"),
            Booking.dialogIs("not_done", "Declined"),
            Booking.press("again"),
            Booking.dialogIs("waiting"),
            Viva.atTerminal("tap", { card: "mastercard" }),
            Booking.dialogIs("done", "Mastercard"),
            Booking.press("payment"),
            Booking.noDialog(),
            paymentIsPosted(),
        ].flat(),
});

tours.add("viva_booking_cancelled", {
    steps: () =>
        [
            Booking.openPrepared(),
            Booking.dialogIs("waiting"),
            Booking.press("cancel"),
            Booking.dialogIs("not_done", "Cancelled"),
            Booking.press("close"),
            Booking.noDialog(),
        ].flat(),
});

tours.add("viva_booking_unknown", {
    steps: () =>
        [
            Booking.openPrepared(),
            Booking.dialogIs("waiting"),
            Viva.atTerminal("tap", { amount: 100 }),
            Booking.dialogIs("unknown", "another amount"),
            Booking.hasNo("again"),
            Booking.press("check"),
            Booking.press("check"), // it has been answered
            Booking.dialogIs("unknown", "another amount"),
            Booking.press("close"),
            Booking.noDialog(),
        ].flat(),
});

tours.add("viva_booking_two_tabs", {
    steps: () =>
        [
            {
                content: "the other tab, which the test has opened, has sent it",
                trigger: ".o_form_view",
                run: async () => {
                    while (!(await isRunning())) {
                        await new Promise((resolve) => setTimeout(resolve, 100));
                    }
                },
            },
            Booking.openPrepared(),
            Booking.dialogIs("waiting"),
            Viva.atTerminal("tap"),
            Booking.dialogIs("done", "Booked as"),
            Booking.press("close"),
            Booking.noDialog(),
        ].flat(),
});

function isRunning() {
    const { orm } = odoo.__WOWL_DEBUG__.root.env.services;
    const attempt = cookie.get("viva_attempt");
    return orm.searchCount("viva.booking", [
        ["attempt", "=", attempt],
        ["state", "=", "running"],
    ]);
}
