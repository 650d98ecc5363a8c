import { Component } from "@odoo/owl";

/** The slip of a card operation, for the printer of the till. */
export class VivaSlip extends Component {
    static template = "viva_payments.VivaSlip";
    static props = {
        shop: String,
        title: String,
        order: String,
        time: String,
        amount: String,
        slip: String,
        demo: Boolean,
    };
}
