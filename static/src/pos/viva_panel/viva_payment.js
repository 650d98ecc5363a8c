import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { formatDateTime, deserializeDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { Component } from "@odoo/owl";

import { phaseOf } from "../viva_attempt";
import { TONES, extrasOf } from "../viva_words";
import { VivaActionButtons } from "./viva_action_buttons";
import { VivaRunning } from "./viva_running";

/** A day and a time without seconds, by the clock of this device. */
export function momentOf(text) {
    return formatDateTime(deserializeDateTime(text), { showSeconds: false });
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

    get tone() {
        const { card } = this.props;
        return card.state === "approved" ? "good" : TONES[phaseOf({ status: card })];
    }

    get headline() {
        const { kind_label, title } = this.props.card;
        return [kind_label, title].filter(Boolean).join(" · ");
    }

    get stateWords() {
        const { card } = this.props;
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

    /** What was captured, given back and is left, where that says more than the amount. */
    get moved() {
        const { card } = this.props;
        return [
            card.captured_minor ? _t("Captured %s", this.money(card.captured_minor)) : "",
            card.given_back_minor
                ? _t("Given back %(back)s, left %(left)s", {
                      back: this.money(card.given_back_minor),
                      left: this.money(card.left_minor),
                  })
                : "",
            extrasOf(card, (minor) => this.money(minor)),
        ]
            .filter(Boolean)
            .join(" · ");
    }

    /** Nothing more is begun while something runs on it. */
    get actions() {
        const { card, running } = this.props;
        const isRunning = running && !["paid", "unpaid"].includes(phaseOf(running));
        return isRunning ? card.actions.filter(({ name }) => name === "print") : card.actions;
    }

    when(text) {
        return momentOf(text);
    }

    money(minor) {
        return this.pos.viva.money(minor, this.props.card.digits);
    }
}
