import * as Chrome from "@point_of_sale/../tests/pos/tours/utils/chrome_util";
import * as PaymentScreen from "@point_of_sale/../tests/pos/tours/utils/payment_screen_util";
import * as ProductScreen from "@point_of_sale/../tests/pos/tours/utils/product_screen_util";
import * as ReceiptScreen from "@point_of_sale/../tests/pos/tours/utils/receipt_screen_util";
import * as Offline from "@point_of_sale/../tests/generic_helpers/offline_util";
import { refresh } from "@point_of_sale/../tests/generic_helpers/utils";
import * as Viva from "@viva_payments/../tests/tours/utils/viva_util";
import { registry } from "@web/core/registry";

const tours = registry.category("web_tour.tours");

/** A till that runs on the terminal itself: a coffee of 19.99, up to the button that opens the app. */
function sellInApp() {
    return [
        Chrome.startPoS(),
        ProductScreen.addOrderline("Coffee", "1"),
        ProductScreen.clickPayButton(),
        PaymentScreen.clickPaymentMethod("Viva"),
        Viva.chooseTerminal("In the app on this device"),
        // What a tour does is no tap of a person: the browser would not open the app by itself.
        Viva.panelIs("waiting", "Ready: open the app"),
    ].flat();
}

tours.add("viva_app_approved", {
    steps: () => [sellInApp(), Viva.pressApp("open", "approve"), ReceiptScreen.isShown()].flat(),
});

tours.add("viva_app_declined_then_again", {
    steps: () =>
        [
            sellInApp(),
            Viva.pressApp("open", "decline"),
            Viva.panelIs("unpaid"),
            Viva.press("send"),
            Viva.panelIs("waiting", "Ready: open the app"),
            Viva.pressApp("open", "approve"),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_app_forged", {
    steps: () =>
        [
            sellInApp(),
            Viva.pressApp("open", "forge"),
            Viva.panelIs("waiting", "in the app"),
            { content: "not paid", trigger: ".payment-screen:not(:has([data-phase='paid']))" },
        ].flat(),
});

tours.add("viva_app_left_then_cancelled", {
    steps: () =>
        [
            sellInApp(),
            Viva.pressAppAndStay("open"),
            Viva.panelIs("waiting", "Waiting for the card in the app"),
            refresh(),
            Viva.panelIs("waiting", "Waiting for the card in the app"),
            {
                content: "nothing here opens the payment again",
                trigger: ".viva-status:has([data-app='back']):not(:has([data-app='open']))",
            },
            Viva.press("cancel"),
            Viva.pressApp("openAbort"),
            Viva.panelIs("unpaid", "Cancelled"),
            PaymentScreen.clickPaymentMethod("Cash"),
            PaymentScreen.clickValidate(),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_app_cancelled_before", {
    steps: () =>
        [
            sellInApp(),
            Viva.press("cancel"),
            Viva.panelIs("unpaid", "Cancelled"),
            PaymentScreen.clickPaymentMethod("Cash"),
            PaymentScreen.clickValidate(),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_app_network_away", {
    steps: () =>
        [
            Chrome.startPoS(),
            ProductScreen.addOrderline("Coffee", "1"),
            ProductScreen.clickPayButton(),
            Offline.setOfflineMode(),
            PaymentScreen.clickPaymentMethod("Viva"),
            Viva.chooseTerminal("In the app on this device"),
            Viva.panelIs("unpaid", "nothing was charged"),
            Offline.setOnlineMode(),
            Viva.press("send"),
            Viva.panelIs("waiting", "Ready: open the app"),
            Viva.pressApp("open", "approve"),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_app_void", {
    steps: () =>
        [
            sellInApp(),
            Viva.pressApp("open", "approve"),
            Viva.panelIs("paid"),
            Viva.press("void"),
            Viva.answer("Give back"),
            Viva.panelIs("waiting", "Ready: open the app"),
            Viva.pressApp("open", "approve"),
            Viva.noPaymentLine(),
            PaymentScreen.clickPaymentMethod("Cash"),
            PaymentScreen.clickValidate(),
            ReceiptScreen.isShown(),
        ].flat(),
});

tours.add("viva_app_not_on_a_desktop", {
    steps: () =>
        [
            Chrome.startPoS(),
            ProductScreen.addOrderline("Coffee", "1"),
            ProductScreen.clickPayButton(),
            PaymentScreen.clickPaymentMethod("Viva"),
            {
                content: "this device has no app",
                trigger: ".modal:has(.selection-item):not(:contains('In the app'))",
            },
            Viva.chooseTerminal("Counter"),
            Viva.panelIs("waiting", "Counter"),
            Viva.atTerminal("tap"),
            ReceiptScreen.isShown(),
        ].flat(),
});
