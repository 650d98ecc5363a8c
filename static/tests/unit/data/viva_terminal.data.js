import { hootPosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { models } from "@web/../tests/web_test_helpers";
import { patch } from "@web/core/utils/patch";

export class VivaTerminal extends models.ServerModel {
    _name = "viva.terminal";

    _load_pos_data_fields() {
        return ["id", "name", "viva_id", "display_name", "viva_demo"];
    }

    _records = [
        {
            id: 1,
            name: "Bar",
            viva_id: "16000010",
            display_name: "Bar (16000010)",
            viva_demo: true,
        },
        {
            id: 2,
            name: "Hall",
            viva_id: "16000011",
            display_name: "Hall (16000011)",
            viva_demo: true,
        },
    ];
}

patch(hootPosModels, [...hootPosModels, VivaTerminal]);
