import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { Dialog } from "@web/core/dialog/dialog";
import { useAutofocus } from "@web/core/utils/hooks";
import { _t } from "@web/core/l10n/translation";
import { parseFloat } from "@web/views/fields/parsers";
import { Component, useState } from "@odoo/owl";

import { toMinor } from "../../shared/minor_units";

/**
 * How much is to be held on a card, and what for.
 * The payload is `{amountMinor, reference, forOrder, method}`.
 */
export class VivaHoldPopup extends Component {
    static template = "viva_payments.VivaHoldPopup";
    static components = { Dialog };
    static props = {
        /** The order on the screen, if money can be held for it. */
        order: { type: Object, optional: true },
        methods: Array,
        getPayload: Function,
        close: Function,
    };

    setup() {
        this.pos = usePos();
        const { order, methods } = this.props;
        this.state = useState({
            amount:
                order && order.remainingDue > 0
                    ? this.env.utils.formatCurrency(order.remainingDue, false)
                    : "",
            reference: "",
            forOrder: Boolean(order),
            methodId: methods[0].id,
        });
        useAutofocus({ refName: "amount", selectAll: true });
    }

    get amountMinor() {
        try {
            const minor = toMinor(parseFloat(this.state.amount), this.pos.config.viva_digits);
            return Math.max(minor, 0);
        } catch {
            return 0;
        }
    }

    get orderName() {
        const { order } = this.props;
        return [order.pos_reference, order.getPartnerName()].filter(Boolean).join(" · ");
    }

    /** Somebody has to recognise the hold in the list next week. */
    get isNamed() {
        return this.state.forOrder || Boolean(this.state.reference.trim());
    }

    get canConfirm() {
        return this.amountMinor > 0 && this.isNamed;
    }

    get confirmLabel() {
        return this.amountMinor
            ? _t("Hold %s", this.pos.viva.money(this.amountMinor))
            : _t("Enter an amount");
    }

    onKeydown(event) {
        if (event.key === "Enter") {
            this.confirm();
        }
    }

    confirm() {
        if (this.canConfirm) {
            const { reference, forOrder, methodId } = this.state;
            this.props.getPayload({
                amountMinor: this.amountMinor,
                reference: reference.trim(),
                forOrder,
                method: this.props.methods.find(({ id }) => id === methodId),
            });
            this.props.close();
        }
    }
}
