import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { deserializeDateTime, formatDate } from "@web/core/l10n/dates";
import { localization } from "@web/core/l10n/localization";
import { _t } from "@web/core/l10n/translation";
import { Component } from "@odoo/owl";

import { phaseOf } from "../viva_attempt";
import { limitActions } from "../viva_ways";
import { TONES, extrasOf, markOf } from "../viva_words";
import { VivaActionButtons } from "./viva_action_buttons";
import { stillPossible } from "./viva_hold";
import { VivaRunning } from "./viva_running";

/** A time without seconds by the clock of this device, with the day unless that is today. */
export function momentOf(text, { always = false } = {}) {
    const moment = deserializeDateTime(text);
    const time = moment.toFormat(localization.timeFormat.replace(/:ss/, ""));
    const isToday = moment.hasSame(luxon.DateTime.now(), "day");
    return isToday && !always ? time : `${formatDate(moment)} ${time}`;
}

/** A card payment in the panel: what it is, what became of it, and what can be done about it. */
export class VivaPayment extends Component {
    static template = "viva_payments.VivaPayment";
    static components = { VivaActionButtons, VivaRunning };
    static props = {
        card: Object,
        running: { type: Object, optional: true },
        isOpened: Boolean,
        toggle: Function,
        act: Function,
    };

    setup() {
        this.pos = usePos();
    }

    /** Nothing of it is with the shop any more. */
    get isGone() {
        const { state, given_back_minor, left_minor } = this.props.card;
        return state === "approved" && given_back_minor > 0 && !left_minor;
    }

    get tone() {
        const { card } = this.props;
        if (this.isGone) {
            return "neutral";
        }
        return card.state === "approved" ? "good" : TONES[phaseOf({ status: card })];
    }

    get headline() {
        const { kind_label, title } = this.props.card;
        return [kind_label, title].filter(Boolean).join(" · ");
    }

    get stateWords() {
        const { card } = this.props;
        if (this.isGone) {
            return _t("Given back");
        }
        return card.silent ? _t("Viva does not answer") : card.state_label;
    }

    get facts() {
        const { at, order_reference, terminal } = this.props.card;
        return [this.when(at), order_reference, terminal?.name].filter(Boolean).join(" · ");
    }

    get amount() {
        const { operation, approved_minor, amount_minor } = this.props.card;
        const money = this.money(approved_minor || amount_minor);
        return ["refund", "void"].includes(operation) ? `− ${money}` : money;
    }

    /** Why it is as it is, where the state does not say it all. */
    get message() {
        const { state, forced, message } = this.props.card;
        return state === "approved" && !forced ? "" : message;
    }

    /** What was captured, given back and is left, where that says more than the amount. */
    get moved() {
        const { card } = this.props;
        return [
            card.captured_minor ? _t("Captured %s", this.money(card.captured_minor)) : "",
            card.given_back_minor && !this.isGone
                ? _t("Given back %(back)s, left %(left)s", {
                      back: this.money(card.given_back_minor),
                      left: this.money(card.left_minor),
                  })
                : "",
            extrasOf(card, (minor) => this.money(minor)),
            markOf(card),
        ]
            .filter(Boolean)
            .join(" · ");
    }

    /** Nothing more is begun while something runs on it. */
    get actions() {
        const { card, running } = this.props;
        const isRunning = running && !["paid", "unpaid"].includes(phaseOf(running));
        return isRunning
            ? card.actions.filter(({ name }) => name === "print")
            : limitActions(
                  stillPossible(card.actions, card.hold?.state),
                  this.pos.viva.lines.methodFor(card.terminal?.id)
              );
    }

    when(text) {
        return momentOf(text);
    }

    money(minor) {
        return this.pos.viva.money(minor, this.props.card.digits);
    }
}
