import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { _t } from "@web/core/l10n/translation";
import { Component, useState } from "@odoo/owl";

import { isOpen, isUnopened } from "../viva_attempt";
import { device } from "../viva_device";

/** The ways from a payment to the app on this device that takes it. Nothing for any other payment. */
export class VivaAppButtons extends Component {
    static template = "viva_payments.VivaAppButtons";
    static props = {
        attempt: { type: Object, optional: true },
    };

    setup() {
        const { viva } = usePos();
        this.app = viva.app;
        this.attempts = useState(viva.attempts);
    }

    get attempt() {
        return this.attempts[this.props.attempt?.id];
    }

    get uris() {
        const { attempt } = this;
        return attempt && isOpen(attempt) && device.runsApps ? attempt.status?.app : null;
    }

    get buttons() {
        const { uris } = this;
        if (!uris) {
            return [];
        }
        const { appUri, canStopApp } = this.attempt;
        if (appUri) {
            return [{ name: "open", label: _t("Open viva.com | Terminal"), isNext: true }];
        }
        if (isUnopened(this.attempt)) {
            return [];
        }
        return [
            canStopApp && { name: "openAbort", label: _t("Cancel in the app"), isNext: true },
            { name: "back", label: _t("Back to the app"), isNext: !canStopApp },
            // What the app of an iPhone makes of this question is not known.
            uris.details && !device.isIos && { name: "ask", label: _t("Ask the app") },
        ].filter(Boolean);
    }

    press(name) {
        this.app[name](this.attempt);
    }
}
