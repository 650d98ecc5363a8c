import { Component, onMounted, onWillUnmount, useState } from "@odoo/owl";

import { ageOf, isOpen, phaseOf } from "../viva_attempt";
import { TONES } from "../viva_words";

/** The time of day in seconds, as long as `isRunning()`. */
export function useClock(isRunning) {
    const clock = useState({ now: Date.now() });
    let timer;
    onMounted(() => {
        timer = setInterval(() => {
            if (isRunning()) {
                clock.now = Date.now();
            }
        }, 1000);
    });
    onWillUnmount(() => clearInterval(timer));
    return clock;
}

/** How an operation stands, in colour, words and seconds; the buttons below it are the caller's. */
export class VivaProgress extends Component {
    static template = "viva_payments.VivaProgress";
    static props = {
        attempt: { type: Object, optional: true },
        /** Without an attempt, or in spite of it: a line that is done. */
        phase: { type: String, optional: true },
        title: String,
        detail: { type: String, optional: true },
        slots: { type: Object, optional: true },
    };

    setup() {
        this.clock = useClock(() => this.isOpen);
    }

    get phase() {
        return this.props.phase || phaseOf(this.props.attempt);
    }

    get tone() {
        return TONES[this.phase];
    }

    get isOpen() {
        const { attempt } = this.props;
        return Boolean(attempt) && isOpen(attempt);
    }

    /** Where it can be cancelled, when that is not here. */
    get cannotCancel() {
        const { cannot_cancel, abort_asked } = this.props.attempt?.status || {};
        return this.isOpen && !abort_asked ? cannot_cancel : "";
    }

    /** Seconds since it was asked for, while it is open. */
    get seconds() {
        return this.isOpen ? ageOf(this.props.attempt, this.clock.now) : null;
    }
}
