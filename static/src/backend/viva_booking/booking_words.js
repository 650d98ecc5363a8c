import { _t } from "@web/core/l10n/translation";

import { phaseOf } from "./booking_run";

/** What happens at a terminal, at Viva and in the books, in the words of whoever writes invoices. */

export const TONES = {
    opening: "busy",
    ready: "neutral",
    sending: "busy",
    waiting: "busy",
    cancelling: "busy",
    unknown: "doubt",
    booking: "busy",
    done: "good",
    to_post: "doubt",
    not_done: "bad",
    refused: "bad",
};

const MONEY_BACK = ["refund", "void"];

/** "Visa ••0133" of a result, or an empty string. */
function cardOf({ card_brand, card_last4 } = {}) {
    return [card_brand, card_last4 && `••${card_last4}`].filter(Boolean).join(" ");
}

/** What the amount above it is about. */
export function purposeOf({ operation }) {
    switch (operation) {
        case "refund":
            return _t("Give back");
        case "void":
            return _t("Give all of it back");
        case "preauth":
            return _t("Hold");
        case "capture":
            return _t("Capture the hold");
        case "release":
            return _t("Release the hold");
        default:
            return _t("Charge");
    }
}

export function titleOf(state) {
    const { status } = state;
    const phase = phaseOf(state);
    switch (phase) {
        case "opening":
            return state.contact ? _t("One moment …") : _t("No connection to Odoo");
        case "ready":
            return _t("Not sent yet");
        case "sending":
            return sendingTitle(status);
        case "waiting":
            return waitingTitle(status);
        case "cancelling":
            return _t("Cancelling – look at terminal %s", terminalOf(status));
        case "unknown":
            return _t("We do not know yet – checking");
        case "booking":
        case "done":
        case "to_post":
            return doneTitle(status);
        default:
            return notDoneTitle(status);
    }
}

export function terminalOf(status) {
    return status?.terminal?.name || status?.booking.terminal || "";
}

function isWithoutTerminal({ via, booking }) {
    return (via || booking.via) === "api";
}

function sendingTitle(status) {
    if (isWithoutTerminal(status)) {
        return _t("Sending to Viva …");
    }
    const terminal = terminalOf(status);
    return terminal ? _t("Sending to terminal %s …", terminal) : _t("Sending to the terminal …");
}

function waitingTitle(status) {
    if (isWithoutTerminal(status)) {
        return _t("Viva is working on it …");
    }
    if (status.state === "sent") {
        return sendingTitle(status); // nothing says yet that it is on the terminal
    }
    const terminal = terminalOf(status);
    switch (status.operation) {
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

/** A void and a refund are never called by each other's name. */
function doneTitle({ operation, executed, result }) {
    const card = cardOf(result);
    switch (operation) {
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

function notDoneTitle(status) {
    switch (status?.state) {
        case "declined":
            return _t("Declined");
        case "cancelled":
            return _t("Cancelled");
    }
    switch (status?.operation) {
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

/** What is the case and what to do next, below the title. */
export function detailOf(state) {
    const { status, refusal } = state;
    const phase = phaseOf(state);
    if (refusal) {
        return refusal;
    }
    if (!state.contact) {
        return silenceOf(state, phase);
    }
    if (!status) {
        return "";
    }
    const { booking } = status;
    switch (phase) {
        case "ready":
            return booking.can_start
                ? _t("Nothing was sent yet: no money has moved.")
                : _t(
                      "%s has prepared this. Nothing was sent yet: no money has moved.",
                      booking.user
                  );
        case "sending":
        case "waiting":
        case "cancelling":
            return status.silent ? silentViva(status) : "";
        case "unknown":
            return status.message || doubtOf(status);
        case "booking":
            return _t("Odoo is booking it …");
        case "done":
            return [booking.message, markOf(status)].filter(Boolean).join(" ");
        case "to_post":
            return toPostOf(booking);
        default:
            return booking.reason || status.message || booking.message;
    }
}

function silenceOf({ loggedOut }, phase) {
    if (loggedOut) {
        return _t(
            "You have been logged out. Log in again in another window; this one goes on then."
        );
    }
    if (["waiting", "cancelling", "unknown", "booking"].includes(phase)) {
        return _t(
            "No connection to Odoo. It may still go through on the terminal. We go on asking."
        );
    }
    return _t("No connection to Odoo. We go on trying.");
}

function silentViva({ operation }) {
    return MONEY_BACK.includes(operation)
        ? _t(
              "Viva does not answer at the moment. We go on asking. Do not give the money back again."
          )
        : _t("Viva does not answer at the moment. We go on asking. Do not charge the card again.");
}

function doubtOf({ operation }) {
    return MONEY_BACK.includes(operation)
        ? _t("Look at the terminal. Do not give the money back again.")
        : _t("Look at the terminal. Do not charge the card again.");
}

function toPostOf({ message, can_post }) {
    const next = can_post
        ? _t("Press Post: it is booked where it belongs.")
        : _t("An accountant has it as a task. Do not charge the card again.");
    return [message, next].filter(Boolean).join(" ");
}

/** Whose word an approval is, as long as Viva itself has not given it; else an empty string. */
function markOf({ charged, offline, word }) {
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
 * @param {(minor: number) => string} money
 */
export function extrasOf({ charged, tip_minor, surcharge_minor, installments }, money) {
    if (!charged) {
        return "";
    }
    return [
        tip_minor ? _t("Tip %s", money(tip_minor)) : "",
        surcharge_minor ? _t("Surcharge %s", money(surcharge_minor)) : "",
        installments > 1 ? _t("%s installments", installments) : "",
    ]
        .filter(Boolean)
        .join(" · ");
}
