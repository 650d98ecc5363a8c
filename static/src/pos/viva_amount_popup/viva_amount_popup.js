import { NumberPopup } from "@point_of_sale/app/components/popups/number_popup/number_popup";
import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { _t } from "@web/core/l10n/translation";
import { parseFloat } from "@web/views/fields/parsers";

import { toMajor, toMinor } from "../../shared/minor_units";

/** @returns {number} minor units of what was typed; 0 when it is no amount */
export function amountOf(text, digits) {
    try {
        return Math.max(0, toMinor(parseFloat(text || ""), digits));
    } catch {
        return 0;
    }
}

/** Odoo's number dialog for money up to a limit; its button says the amount. The payload is in minor units. */
export class VivaAmountPopup extends NumberPopup {
    // Odoo's number buffer listens to the keyboard only while a dialog of this name is open.
    static name = "NumberPopup";
    static props = {
        ...NumberPopup.props,
        limitMinor: Number,
        digits: Number,
        /** Words for the button, made of the amount. */
        label: Function,
    };

    setup() {
        this.pos = usePos();
        super.setup();
        this.state.buffer = this.env.utils.formatCurrency(
            toMajor(this.props.limitMinor, this.props.digits),
            false
        );
    }

    /** @returns {number} minor units; 0 when it is no amount that can be asked for */
    get amountMinor() {
        const minor = amountOf(this.state.buffer, this.props.digits);
        return minor <= this.props.limitMinor ? minor : 0;
    }

    get confirmButtonLabel() {
        return this.amountMinor
            ? this.props.label(this.money(this.amountMinor))
            : _t("At most %s", this.money(this.props.limitMinor));
    }

    get isValid() {
        return this.amountMinor > 0;
    }

    money(minor) {
        return this.pos.viva.money(minor, this.props.digits);
    }

    confirm() {
        if (this.isValid) {
            this.props.getPayload(this.amountMinor);
            this.props.close();
        }
    }
}
