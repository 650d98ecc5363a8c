import { ControlButtons } from "@point_of_sale/app/screens/product_screen/control_buttons/control_buttons";
import { patch } from "@web/core/utils/patch";

import { openVivaPanel } from "../viva_panel/viva_panel";

patch(ControlButtons.prototype, {
    openVivaPanel() {
        this.props.close?.();
        openVivaPanel(this.pos);
    },
});
