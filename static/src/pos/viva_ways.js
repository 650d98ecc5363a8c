import { SelectionPopup } from "@point_of_sale/app/components/popups/selection_popup/selection_popup";
import { makeAwaitable } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";

import { VivaChoice } from "./viva_choice/viva_choice";
import { device } from "./viva_device";

/**
 * From this device to a card: a terminal, how it is reached, and what can be done like that.
 *
 * @typedef {Object} VivaWay
 * @property {Object} terminal `viva.terminal`
 * @property {string} protocol
 * @property {boolean} onDevice the card is presented to this very device, in an app
 * @property {Object<string, string>} abilities by name: "" = it can, else why it cannot
 * @property {Object<string, string>} fallback operation → "api": Viva can be asked instead
 */

const FALLBACK = "api";

/** @returns {VivaWay[]} what the cashier can choose from on this device; the device itself comes first */
export function waysOf(method) {
    const ways = method.viva_terminal_ids.flatMap((terminal) => waysTo(terminal));
    return ways
        .filter(({ onDevice }) => !onDevice || device.runsApps)
        .sort((one, other) => other.onDevice - one.onDevice);
}

function waysTo(terminal) {
    const ways = terminal.viva_ways?.length ? terminal.viva_ways : [{}];
    return ways.map(({ protocol = "", on_device = false, abilities = {}, fallback = {} }) => ({
        terminal,
        protocol,
        onDevice: on_device,
        abilities,
        fallback,
    }));
}

/** @returns {VivaWay|undefined} what this device uses for the method: the only one, or the one chosen last */
export function currentWay(method) {
    const ways = waysOf(method);
    return ways.length === 1 ? ways[0] : ways.find((way) => isSame(way, remembered(method)));
}

/**
 * The way of an operation, when the cashier need not be asked: the current one, or any where all of them leave it to
 * Viva itself.
 */
export function knownWay(method, operation) {
    const ways = waysOf(method);
    const needsNone = ways.every((way) => isFallback(way, operation));
    return currentWay(method) || (needsNone ? ways[0] : undefined);
}

/** Lets the cashier choose and remembers it on this device. Nothing when the dialog was closed. */
export async function chooseWay(dialog, method) {
    const current = currentWay(method);
    const chosen = await makeAwaitable(dialog, SelectionPopup, {
        title: _t("Which terminal stands here?"),
        list: waysOf(method).map((way, index) => ({
            id: index + 1,
            label: labelOf(way),
            isSelected: Boolean(current) && isSame(way, memoryOf(current)),
            item: way,
        })),
    });
    if (chosen) {
        remember(method, chosen);
    }
    return chosen;
}

/**
 * Lets the cashier choose one that can do what the usual one cannot, for this time.
 *
 * @param {string} words why not the usual one
 * @returns {Promise<VivaWay|undefined>} nothing: the dialog was closed
 */
export async function chooseOtherWay(dialog, method, operation, words) {
    const ways = waysOf(method);
    const index = await makeAwaitable(dialog, VivaChoice, {
        title: _t("On which other terminal?"),
        body: words,
        choices: ways.map((way, name) => {
            const reason = obstacleOf(way, operation);
            return { name, label: labelOf(way), possible: !reason, reason };
        }),
    });
    return ways[index];
}

function labelOf({ onDevice, terminal }) {
    return onDevice ? _t("In the app on this device – %s", terminal.name) : terminal.display_name;
}

/** Why none of the method's ways can do it from here, or an empty string. */
export function obstacleFor(method, operation) {
    const ways = waysOf(method);
    const isPossible = ways.some((way) => !obstacleOf(way, operation));
    return isPossible ? "" : obstacleOf(currentWay(method) || ways[0], operation);
}

/** Why an operation cannot be done like this, not even without the terminal; an empty string if it can. */
export function obstacleOf(way, operation) {
    return isFallback(way, operation) ? "" : way?.abilities[operation] || "";
}

/** Whether Viva is asked instead, because the terminal cannot do it. */
export function isFallback(way, operation) {
    return Boolean(way?.abilities[operation]) && way.fallback[operation] === FALLBACK;
}

/**
 * How `pos_start` is told.
 *
 * @param {VivaWay|null|undefined} way
 * @param {string} operation
 * @param {"terminal"|"api"} via
 */
export function addressOf(way, operation, via) {
    return {
        terminal_id: (via === "terminal" && way?.terminal.id) || false,
        // Not said: the server knows that this terminal cannot do it, and asks Viva.
        ...(!isFallback(way, operation) && { via }),
        ...(way?.onDevice && { protocol: way.protocol }),
    };
}

/** The buttons of a payment or hold, without what cannot be done from here. */
export function limitActions(actions, method) {
    return actions.map((action) => {
        const reason = action.possible ? obstacleFor(method, action.name) : "";
        return reason ? { ...action, possible: false, reason } : action;
    });
}

// -- what the device remembers ---------------------------------------------------------------------

function storageKey(method) {
    return `viva_payments.terminal.${odoo.pos_config_id}.${method.id}`;
}

function memoryOf({ terminal, onDevice, protocol }) {
    return { terminal: terminal.id, protocol: onDevice ? protocol : "" };
}

function isSame(way, { terminal, protocol }) {
    const own = memoryOf(way);
    return own.terminal === terminal && own.protocol === protocol;
}

function remember(method, way) {
    browser.localStorage.setItem(storageKey(method), JSON.stringify(memoryOf(way)));
}

/** Older versions wrote down nothing but the terminal's id. */
function remembered(method) {
    try {
        const memory = JSON.parse(browser.localStorage.getItem(storageKey(method)));
        return typeof memory === "number" ? { terminal: memory, protocol: "" } : memory || {};
    } catch {
        return {};
    }
}
