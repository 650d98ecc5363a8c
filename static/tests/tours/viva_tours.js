import * as Chrome from "@point_of_sale/../tests/pos/tours/utils/chrome_util";
import * as PaymentScreen from "@point_of_sale/../tests/pos/tours/utils/payment_screen_util";
import * as ProductScreen from "@point_of_sale/../tests/pos/tours/utils/product_screen_util";
import * as ReceiptScreen from "@point_of_sale/../tests/pos/tours/utils/receipt_screen_util";
import * as Offline from "@point_of_sale/../tests/generic_helpers/offline_util";
import { refresh } from "@point_of_sale/../tests/generic_helpers/utils";
import * as Viva from "@viva_payments/../tests/tours/utils/viva_util";
import { registry } from "@web/core/registry";

const tours = registry.category("web_tour.tours");

/** A coffee of 19.99, sent to the terminal "Counter". */
function sell() {
    return [
        Chrome.startPoS(),
        ProductScreen.addOrderline("Coffee", "1"),
        ProductScreen.clickPayButton(),
        PaymentScreen.clickPaymentMethod("Viva"),
        Viva.chooseTerminal("Counter"),
        Viva.panelIs("waiting", "Counter"),
    ].flat();
}

function receiptHas(words) {
    return { content: `the receipt says ${words}`, trigger: `.pos-receipt:contains("${words}")` };
}

tours.add("viva_sale_approved", {
    steps: () =>
        [
            {
                content: "the till says DEMO",
                trigger: '.viva-demo-strip:contains("no money moves")',
            },
            sell(),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
            receiptHas("DEMO"),
            receiptHas("Visa"),
            receiptHas("Authorisation code"),
            receiptHas("RRN"),
            receiptHas("16000010"),
        ].flat(),
});

tours.add("viva_declined_then_another_card", {
    steps: () =>
        [
            sell(),
            Viva.atTerminal("decline"),
            Viva.panelIs("unpaid", "Declined"),
            Viva.press("send"),
            Viva.panelIs("waiting"),
            Viva.atTerminal("tap", { card: "mastercard" }),
            ReceiptScreen.isShown(),
            receiptHas("Mastercard"),
        ].flat(),
});

tours.add("viva_cancelled_at_the_till", {
    steps: () =>
        [
            sell(),
            Viva.press("cancel"),
            Viva.panelIs("unpaid", "Cancelled"),
            PaymentScreen.clickPaymentMethod("Cash"),
            PaymentScreen.clickValidate(),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_deleted_while_waiting", {
    steps: () =>
        [
            sell(),
            {
                content: "select nothing, so that the line shows its cross",
                trigger: ".paymentlines",
                run: () => window.posmodel.getOrder().selectPaymentline(undefined),
            },
            PaymentScreen.clickPaymentlineDelButton("Viva", "19.99"),
            Viva.panelIs("cancelling"),
            { content: "the line has gone", trigger: "body:not(:has(.paymentlines .paymentline))" },
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.panelIs("waiting"),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_unknown_then_cash", {
    steps: () =>
        [
            sell(),
            Viva.atTerminal("tap", { amount: 100 }),
            Viva.panelIs("unknown", "another amount"),
            PaymentScreen.clickValidate(),
            Viva.confirmDialog("A card payment is still open"),
            Viva.press("remove"),
            Viva.confirmDialog("We do not know yet"),
            PaymentScreen.clickPaymentMethod("Cash"),
            PaymentScreen.clickValidate(),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_reloaded_while_waiting", {
    steps: () =>
        [
            sell(),
            refresh(),
            Viva.panelIs("waiting", "Counter"),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
            receiptHas("Authorisation code"),
        ].flat(),
});

tours.add("viva_approved_while_reloading", {
    steps: () => [sell(), Viva.atTerminal("tap"), refresh(), ReceiptScreen.isShown()].flat(),
});

tours.add("viva_network_away_while_waiting", {
    steps: () =>
        [
            sell(),
            Viva.atTerminal("tap"),
            Offline.setOfflineMode(),
            Viva.panelIs("waiting", "No connection to Odoo"),
            Offline.setOnlineMode(),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_network_away_before_sending", {
    steps: () =>
        [
            Chrome.startPoS(),
            ProductScreen.addOrderline("Coffee", "1"),
            ProductScreen.clickPayButton(),
            Offline.setOfflineMode(),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.chooseTerminal("Counter"),
            Viva.panelIs("unpaid", "nothing was charged"),
            Offline.setOnlineMode(),
            Viva.press("send"),
            Viva.panelIs("waiting"),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_forced_by_a_manager", {
    steps: () =>
        [
            Chrome.startPoS(),
            ProductScreen.addOrderline("Coffee", "1"),
            ProductScreen.clickPayButton(),
            Viva.simulate("faults", {
                drop_sale_response: 1,
                session_status: new Array(100).fill(500),
            }),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.chooseTerminal("Counter"),
            Viva.panelIs("unknown"),
            Viva.press("force"),
            {
                content: "say why",
                trigger: ".modal textarea",
                run: "edit slip of the terminal, code 123456",
            },
            { content: "accept", trigger: '.modal .btn:contains("Apply")', run: "click" },
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_answer_lost", {
    steps: () =>
        [
            Chrome.startPoS(),
            ProductScreen.addOrderline("Coffee", "1"),
            ProductScreen.clickPayButton(),
            Viva.simulate("faults", { drop_sale_response: 1 }),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.chooseTerminal("Counter"),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_terminal_busy", {
    steps: () =>
        [
            sell(),
            {
                content: "the next customer",
                trigger: ".pos-leftheader .list-plus-btn",
                run: "click",
            },
            ProductScreen.addOrderline("Coffee", "1"),
            ProductScreen.clickPayButton(),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.panelIs("unpaid", "busy"),
            Viva.press("terminal"),
            Viva.chooseTerminal("Bar"),
            Viva.press("send"),
            Viva.panelIs("waiting", "Bar"),
            Viva.simulate("terminals/16000011/tap", { wait_s: 5 }),
            ReceiptScreen.isShown(),
        ].flat(),
});
