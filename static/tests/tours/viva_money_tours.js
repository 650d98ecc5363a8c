import * as Chrome from "@point_of_sale/../tests/pos/tours/utils/chrome_util";
import * as PaymentScreen from "@point_of_sale/../tests/pos/tours/utils/payment_screen_util";
import * as ProductScreen from "@point_of_sale/../tests/pos/tours/utils/product_screen_util";
import * as ReceiptScreen from "@point_of_sale/../tests/pos/tours/utils/receipt_screen_util";
import * as TicketScreen from "@point_of_sale/../tests/pos/tours/utils/ticket_screen_util";
import { refresh } from "@point_of_sale/../tests/generic_helpers/utils";
import * as Viva from "@viva_payments/../tests/tours/utils/viva_util";
import { registry } from "@web/core/registry";

const tours = registry.category("web_tour.tours");

/** A coffee of 19.99 on the payment screen. */
function order() {
    return [ProductScreen.addOrderline("Coffee", "1"), ProductScreen.clickPayButton()].flat();
}

/** … sent to the terminal "Counter". */
function sell() {
    return [
        Chrome.startPoS(),
        order(),
        PaymentScreen.clickPaymentMethod("Viva"),
        Viva.chooseTerminal("Counter"),
        Viva.panelIs("waiting", "Counter"),
    ].flat();
}

function receiptHas(words) {
    return { content: `the receipt says ${words}`, trigger: `.pos-receipt:contains("${words}")` };
}

function onScreen(words) {
    return { content: `it says ${words}`, trigger: `body:contains("${words}")` };
}

/** The part of the amount that this card pays. */
function type(digits) {
    return PaymentScreen.clickNumpad(digits.split("").join(" "));
}

tours.add("viva_void_open_order", {
    steps: () =>
        [
            sell(),
            Viva.atTerminal("tap"),
            Viva.panelIs("paid", "Approved"),
            Viva.press("void"),
            Viva.answer("Give back"),
            onScreen("Voided: nothing stays on the card"),
            Viva.noPaymentLine(),
            PaymentScreen.clickPaymentMethod("Cash"),
            PaymentScreen.clickValidate(),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_void_lost_then_reloaded", {
    steps: () =>
        [
            sell(),
            Viva.atTerminal("tap"),
            Viva.panelIs("paid", "Approved"),
            refresh(),
            Viva.panelIs("paid", "Approved"),
            Viva.press("void"),
            Viva.answer("Give back"),
            Viva.noPaymentLine(),
            refresh(),
            Viva.noPaymentLine(),
            PaymentScreen.clickPaymentMethod("Cash"),
            PaymentScreen.clickValidate(),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_refund_same_day", {
    steps: () =>
        [
            sell(),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
            ReceiptScreen.clickNextOrder(),
            Viva.openPanel("session"),
            Viva.actOn("Visa", "void"),
            Viva.answer("Give back"),
            ReceiptScreen.isShown(),
            receiptHas("-19.99"),
            receiptHas("DEMO"),
        ].flat(),
});

tours.add("viva_refund_without_right", {
    steps: () =>
        [
            sell(),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
            ReceiptScreen.clickNextOrder(),
            Viva.openPanel("session"),
            Viva.actOn("Visa", "void"),
            onScreen("You may not give money back by card"),
            Viva.answer("Ok"),
        ].flat(),
});

tours.add("viva_refund_two_cards", {
    steps: () =>
        [
            sell(),
            Viva.press("cancel"),
            Viva.panelIs("unpaid", "Cancelled"),
            type("5"),
            PaymentScreen.selectedPaymentlineHas("Viva", "5.0"),
            Viva.press("send"),
            Viva.panelIs("waiting"),
            Viva.atTerminal("tap"),
            Viva.panelIs("paid", "Visa"),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.panelIs("waiting"),
            Viva.atTerminal("tap", { card: "mastercard" }),
            ReceiptScreen.isShown(),
            ReceiptScreen.clickNextOrder(),
            ProductScreen.clickRefund(),
            {
                content: "the sale",
                trigger: ".ticket-screen .order-row:contains('19.99')",
                run: "click",
            },
            ProductScreen.clickNumpad("1"),
            TicketScreen.toRefundTextContains("To Refund: 1.00"),
            TicketScreen.confirmRefund(),
            PaymentScreen.isShown(),
            PaymentScreen.clickPaymentMethod("Viva"),
            {
                content: "Mastercard first",
                trigger: '.modal .viva-choice-item:contains("Mastercard"):contains("14.99")',
                run: "click",
            },
            Viva.panelIs("ready", "Mastercard"),
            Viva.press("send"),
            Viva.panelIs("paid"),
            PaymentScreen.remainingIs("-5.0"),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.panelIs("ready", "Visa"),
            Viva.press("send"),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_part_back_same_day", {
    steps: () =>
        [
            Chrome.startPoS(),
            ProductScreen.addOrderline("Coffee", "2"),
            ProductScreen.clickPayButton(),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.chooseTerminal("Counter"),
            Viva.panelIs("waiting"),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
            ReceiptScreen.clickNextOrder(),
            ProductScreen.clickRefund(),
            {
                content: "the sale",
                trigger: ".ticket-screen .order-row:contains('39.98')",
                run: "click",
            },
            ProductScreen.clickNumpad("1"),
            TicketScreen.toRefundTextContains("To Refund: 1.00"),
            TicketScreen.confirmRefund(),
            PaymentScreen.isShown(),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.panelIs("ready", "Visa"),
            Viva.press("send"),
            {
                content: "all back, then the rest anew",
                trigger: '.modal .viva-choice-item[data-name="void_all"]',
                run: "click",
            },
            Viva.answer("Give back"),
            Viva.panelIs("waiting", "Waiting for the card"),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
            receiptHas("-19.99"),
        ].flat(),
});

tours.add("viva_installments", {
    steps: () =>
        [
            Chrome.startPoS(),
            order(),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.chooseTerminal("Counter"),
            {
                content: "at most three",
                trigger: '.viva-installments [data-number="3"]:contains("6.66")',
                run: "click",
            },
            Viva.panelIs("waiting"),
            Viva.atTerminal("decline"),
            Viva.panelIs("unpaid", "Declined"),
            Viva.press("send"),
            Viva.panelIs("waiting"),
            Viva.atTerminal("tap", { installments: 2 }),
            ReceiptScreen.isShown(),
            receiptHas("Installments: 2"),
        ].flat(),
});

tours.add("viva_hold_park_recall_capture", {
    steps: () =>
        [
            Chrome.startPoS(),
            ProductScreen.addOrderline("Coffee", "1"),
            Viva.openPanel("holds"),
            { content: "new hold", trigger: ".viva-new-hold", run: "click" },
            {
                content: "100 for the order",
                trigger: ".viva-hold-popup input[name=amount]",
                run: "edit 100",
            },
            {
                content: "hold it",
                trigger: '.viva-hold-confirm:contains("100"):not(:disabled)',
                run: "click",
            },
            Viva.chooseTerminal("Counter"),
            Viva.panelIs("waiting", "Counter"),
            Viva.atTerminal("tap"),
            {
                content: "park it",
                trigger: ".viva-panel:has(.viva-hold) .viva-park",
                run: "click",
            },
            onScreen("is parked"),
            { content: "the order has gone", trigger: ".product-screen:not(:has(.orderline))" },
            refresh(),
            ProductScreen.isShown(),
            Viva.openPanel("holds"),
            Viva.actOn("Order parked", "recall"),
            {
                content: "the order is back",
                trigger: '.product-screen .orderline:contains("Coffee")',
            },
            Viva.openPanel("holds"),
            Viva.actOn("Lapses on", "capture"),
            Viva.answer("Capture"),
            ReceiptScreen.isShown(),
            receiptHas("19.99"),
            receiptHas("Visa"),
        ].flat(),
});

tours.add("viva_tip", {
    steps: () =>
        [
            sell(),
            Viva.atTerminal("tip", { minor: 200 }),
            Viva.atTerminal("tap"),
            onScreen("The customer added a tip of"),
            Viva.answer("Add it as tip"),
            ReceiptScreen.isShown(),
            receiptHas("21.99"),
            receiptHas("Tips"),
            receiptHas("Tip:"),
        ].flat(),
});

tours.add("viva_panel_by_keyboard", {
    steps: () =>
        [
            sell(),
            Viva.atTerminal("tap"),
            Viva.panelIs("paid"),
            {
                content: "open the panel",
                trigger: ".payment-screen .viva-open-panel",
                run: ({ anchor }) => anchor.focus(),
            },
            { content: "Enter", trigger: ".viva-open-panel:focus", run: "click" },
            {
                content: "the tab has the focus",
                trigger: ".viva-tab-active:focus",
                run: "press ArrowRight",
            },
            {
                content: "the next tab",
                trigger: '.viva-tab-active[data-tab="session"]:focus',
                run: "press ArrowRight",
            },
            {
                content: "search: the field has the focus after the tab",
                trigger: '.viva-tab-active[data-tab="search"]',
            },
            { content: "four digits", trigger: ".viva-search-text", run: "edit 0133" },
            { content: "Enter searches", trigger: ".viva-search-text", run: "press Enter" },
            {
                content: "open the card",
                trigger: '.viva-card-head:contains("Visa")',
                run: "press Enter",
            },
            {
                content: "or by its button",
                trigger: ".viva-card-head",
                run: ({ anchor }) =>
                    anchor.getAttribute("aria-expanded") === "false" && anchor.click(),
            },
            {
                content: "void",
                trigger: '[data-action="void"]',
                run: ({ anchor }) => anchor.click(),
            },
            {
                content: "the question has the focus on its button",
                trigger: ".modal-footer .btn-primary:focus",
                run: "click",
            },
            Viva.panelIs("paid", "Voided"),
            { content: "Escape closes", trigger: ".viva-panel", run: "press Escape" },
            { content: "the panel has gone", trigger: "body:not(:has(.viva-panel))" },
            Viva.noPaymentLine(),
        ].flat(),
});
