import { Component } from "@odoo/owl";

/** What can be done about a payment or a hold: a button each, greyed with its reason where it cannot be done. */
export class VivaActionButtons extends Component {
    static template = "viva_payments.VivaActionButtons";
    static props = { actions: Array, act: Function };
}
