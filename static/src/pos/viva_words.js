import { _t } from "@web/core/l10n/translation";

import {
    givesMoneyBack,
    isInApp,
    isOpen,
    isWithoutTerminal,
    operationOf,
    phaseOf,
} from "./viva_attempt";
import { device } from "./viva_device";

/** What happens at a terminal and at Viva, in the words of a cashier. Plain functions of an attempt. */

export const TONES = {
    ready: "neutral",
    sending: "busy",
    waiting: "busy",
    cancelling: "busy",
    unknown: "doubt",
    paid: "good",
    unpaid: "bad",
};

/** "Visa ••0133" of a result, or an empty string. */
export function cardOf({ card_brand, card_last4 } = {}) {
    return [card_brand, card_last4 && `••${card_last4}`].filter(Boolean).join(" ");
}

export function titleOf(attempt, terminal = attempt.status?.terminal?.name || "") {
    switch (phaseOf(attempt)) {
        case "sending":
            return sendingTitle(attempt, terminal);
        case "waiting":
            return waitingTitle(attempt, terminal);
        case "cancelling":
            return isInApp(attempt)
                ? _t("Cancelling – look at the app")
                : _t("Cancelling – look at terminal %s", terminal);
        case "unknown":
            return _t("We do not know yet – checking");
        case "paid":
            return paidTitle(attempt);
        default:
            return unpaidTitle(attempt);
    }
}

function sendingTitle(attempt, terminal) {
    if (isWithoutTerminal(attempt)) {
        return _t("Sending to Viva …");
    }
    return isInApp(attempt)
        ? _t("Preparing the payment …")
        : _t("Sending to terminal %s …", terminal);
}

function waitingTitle(attempt, terminal) {
    const operation = operationOf(attempt);
    if (isWithoutTerminal(attempt)) {
        return _t("Viva is working on it …");
    }
    if (isInApp(attempt)) {
        return appTitle(attempt);
    }
    if (attempt.status?.state === "sent") {
        return sendingTitle(attempt, terminal); // nothing says yet that it is on the terminal
    }
    switch (operation) {
        case "refund":
            return _t("Refunding on terminal %s", terminal);
        case "void":
            return _t("Voiding on terminal %s", terminal);
        case "capture":
            return _t("Capturing the hold on terminal %s", terminal);
        case "release":
            return _t("Releasing the hold on terminal %s", terminal);
        default:
            return _t("Waiting for the card on terminal %s", terminal);
    }
}

function appTitle(attempt) {
    if (attempt.appUri) {
        return _t("Ready: open the app");
    }
    switch (operationOf(attempt)) {
        case "refund":
            return _t("Refunding in the app");
        case "void":
            return _t("Voiding in the app");
        case "capture":
            return _t("Capturing the hold in the app");
        case "release":
            return _t("Releasing the hold in the app");
        default:
            return _t("Waiting for the card in the app");
    }
}

/** How it has succeeded. A void and a refund are never called by each other's name. */
export function paidTitle(attempt, card = cardOf(attempt.status?.result)) {
    const { forced, result, executed } = attempt.status || {};
    if (forced && !result?.transaction_id) {
        return givesMoneyBack(attempt)
            ? _t("Accepted as given back by a manager")
            : _t("Accepted as paid by a manager");
    }
    switch (operationOf(attempt)) {
        case "refund":
        case "void":
            if (executed === "void") {
                return _t("Voided: nothing stays on the card");
            }
            if (executed === "refund") {
                return card ? _t("Refunded · %s", card) : _t("Refunded");
            }
            return card ? _t("Given back · %s", card) : _t("Given back");
        case "capture":
            return card ? _t("Captured · %s", card) : _t("Captured");
        case "preauth":
            return card ? _t("Held · %s", card) : _t("Held");
        case "release":
            return _t("Hold released");
        default:
            return card ? _t("Approved · %s", card) : _t("Approved");
    }
}

function unpaidTitle(attempt) {
    const operation = operationOf(attempt);
    switch (attempt.status?.state) {
        case "declined":
            return _t("Declined");
        case "cancelled":
            return _t("Cancelled");
        case "approved":
            if (attempt.status.forced) {
                return _t("Does not count any more");
            }
            if (["sale", "capture"].includes(operation)) {
                return _t("Charged and given back");
            }
    }
    switch (operation) {
        case "refund":
        case "void":
            return _t("Not given back");
        case "capture":
            return _t("Not captured");
        case "preauth":
            return _t("Not held");
        case "release":
            return _t("Not released");
        default:
            return _t("Not charged");
    }
}

/** What to do next, below the title. */
export function detailOf(attempt) {
    const { status } = attempt;
    const phase = phaseOf(attempt);
    if (phase === "unpaid") {
        return attempt.refusal || status.message;
    }
    if (!isOpen(attempt)) {
        return status.abort_asked || status.forced ? status.message : markOf(status);
    }
    if (!attempt.contact) {
        return givesMoneyBack(attempt)
            ? _t("No connection to Odoo. The money may still be given back. We go on asking.")
            : _t(
                  "No connection to Odoo. The terminal may still take the payment. We go on asking."
              );
    }
    if (status?.silent) {
        return givesMoneyBack(attempt)
            ? _t(
                  "Viva does not answer at the moment. We go on asking. Do not give the money back again."
              )
            : _t(
                  "Viva does not answer at the moment. We go on asking. Do not charge the card again."
              );
    }
    if (phase === "unknown") {
        return (
            status?.message ||
            (givesMoneyBack(attempt)
                ? _t("Look at the terminal. Do not give the money back again.")
                : _t("Look at the terminal. Do not charge the card again."))
        );
    }
    return isInApp(attempt) && status ? appDetail(attempt, phase) : "";
}

/** What to do on a device that takes the card itself. */
function appDetail({ appUri, stayed, canStopApp }, phase) {
    if (!device.runsApps) {
        return _t("The card is presented to another device that runs a till.");
    }
    if (phase === "cancelling") {
        return canStopApp
            ? _t("The app does not know it yet: press Cancel in the app.")
            : _t(
                  "If the app still asks for a card, end it there: press Back to the app. Then come back here."
              );
    }
    if (appUri) {
        return _t("The payment is prepared. Press the button, then present the card.");
    }
    if (stayed) {
        return device.isIos
            ? _t(
                  "The app did not open? If the device asks, allow this page to open it. Is viva.com | Terminal " +
                      "installed? Otherwise press Cancel and take another way."
              )
            : _t(
                  "The app did not open? Is viva.com | Terminal installed on this device? Otherwise press Cancel and " +
                      "take another way."
              );
    }
    return device.isIos
        ? _t(
              "When the app has finished, come back to this page, e.g. with the arrow at the top left. The result " +
                  "appears by itself."
          )
        : _t(
              "The app leads you back here when it has finished. If it does not, switch back: the result appears by itself."
          );
}

/** Whose word an approval is, as long as Viva itself has not given it; else an empty string. */
export function markOf({ charged, offline, word }) {
    if (!charged) {
        return "";
    }
    if (offline) {
        return _t("Approved offline; Viva has not confirmed it yet");
    }
    return word === "gateway" ? _t("Viva has not confirmed it yet") : "";
}

/**
 * What the customer has added or agreed to on the terminal.
 *
 * @param {Object} status
 * @param {(minor: number) => string} money
 */
export function extrasOf({ tip_minor, surcharge_minor, installments }, money) {
    return [
        tip_minor ? _t("Tip %s", money(tip_minor)) : "",
        surcharge_minor ? _t("Surcharge %s", money(surcharge_minor)) : "",
        installments > 1 ? _t("%s installments", installments) : "",
    ]
        .filter(Boolean)
        .join(" · ");
}
