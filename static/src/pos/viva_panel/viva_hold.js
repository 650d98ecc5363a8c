import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { deserializeDate, formatDate } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { Component } from "@odoo/owl";

import { phaseOf } from "../viva_attempt";
import { limitActions } from "../viva_ways";
import { VivaActionButtons } from "./viva_action_buttons";
import { VivaRunning } from "./viva_running";

const TONES = { open: "good", asked: "busy", unknown: "doubt" };

const LAPSED = "lapsed";

/** Of a hold that has lapsed nothing is left to capture or to release. */
export function stillPossible(actions, state) {
    return state === LAPSED
        ? actions.filter(({ name }) => !["capture", "release"].includes(name))
        : actions;
}

/** Money that is held on a card, in the panel. */
export class VivaHold extends Component {
    static template = "viva_payments.VivaHold";
    static components = { VivaActionButtons, VivaRunning };
    static props = {
        hold: Object,
        running: { type: Object, optional: true },
        isOpened: Boolean,
        toggle: Function,
        act: Function,
    };

    setup() {
        this.pos = usePos();
    }

    get tone() {
        const { state, expires_soon } = this.props.hold;
        return expires_soon && state !== LAPSED ? "doubt" : TONES[state] || "neutral";
    }

    get headline() {
        const { partner, reference, name } = this.props.hold;
        return [partner, reference].filter(Boolean).join(" · ") || name;
    }

    get facts() {
        const { title, order_reference, name } = this.props.hold;
        return [title, order_reference, name].filter(Boolean).join(" · ");
    }

    get expiry() {
        const { expires_on, expires_soon, state } = this.props.hold;
        if (state === LAPSED) {
            return ""; // the state says it
        }
        const day = formatDate(deserializeDate(expires_on));
        return expires_soon ? _t("Lapses soon: %s", day) : _t("Lapses on %s", day);
    }

    get amount() {
        const { left_minor, amount_minor, digits } = this.props.hold;
        return this.pos.viva.money(left_minor || amount_minor, digits);
    }

    get actions() {
        const { hold, running } = this.props;
        const isRunning = running && !["paid", "unpaid"].includes(phaseOf(running));
        const method = this.pos.viva.lines.methodFor(hold.terminal?.id);
        return isRunning ? [] : limitActions(stillPossible(hold.actions, hold.state), method);
    }
}
