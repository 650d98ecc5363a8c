import { Dialog } from "@web/core/dialog/dialog";
import { Component } from "@odoo/owl";

/**
 * A question with a few answers, one below the other. What is not possible is shown greyed, with the reason.
 * The payload is the `name` of the answer.
 */
export class VivaChoice extends Component {
    static template = "viva_payments.VivaChoice";
    static components = { Dialog };
    static props = {
        title: String,
        body: { type: String, optional: true },
        choices: {
            type: Array,
            element: {
                type: Object,
                shape: {
                    name: [String, Number],
                    label: String,
                    description: { type: String, optional: true },
                    possible: { type: Boolean, optional: true },
                    reason: { type: String, optional: true },
                    "*": true,
                },
            },
        },
        getPayload: Function,
        close: Function,
    };

    isPossible({ possible }) {
        return possible !== false;
    }

    choose(choice) {
        if (this.isPossible(choice)) {
            this.props.getPayload(choice.name);
            this.props.close();
        }
    }
}
