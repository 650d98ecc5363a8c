import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { Dialog } from "@web/core/dialog/dialog";
import { _t } from "@web/core/l10n/translation";
import { Component } from "@odoo/owl";

/** Into how many monthly parts at most the customer may split this payment. The payload is the number, 0 = none. */
export class VivaInstallmentsPopup extends Component {
    static template = "viva_payments.VivaInstallmentsPopup";
    static components = { Dialog };
    static props = {
        amountMinor: Number,
        digits: Number,
        most: Number,
        getPayload: Function,
        close: Function,
    };

    setup() {
        this.pos = usePos();
    }

    get title() {
        return _t("Installments for %s?", this.money(this.props.amountMinor));
    }

    get numbers() {
        return Array.from({ length: this.props.most - 1 }, (_value, index) => index + 2);
    }

    /** "6 × 33.33 €"; the cents that do not divide are left to the card's bank. */
    label(number) {
        return `${number} × ${this.money(Math.floor(this.props.amountMinor / number))}`;
    }

    money(minor) {
        return this.pos.viva.money(minor, this.props.digits);
    }

    choose(number) {
        this.props.getPayload(number);
        this.props.close();
    }
}
