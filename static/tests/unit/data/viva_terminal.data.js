import { hootPosModels } from "@point_of_sale/../tests/unit/data/generate_model_definitions";
import { models } from "@web/../tests/web_test_helpers";
import { patch } from "@web/core/utils/patch";

/** A way as the server tells it: it can do everything that `abilities` does not give a reason against. */
export function makeWay(protocol, { on_device = false, abilities = {}, fallback = {} } = {}) {
    return { protocol, on_device, abilities, fallback };
}

export class VivaTerminal extends models.ServerModel {
    _name = "viva.terminal";

    _load_pos_data_fields() {
        return ["id", "name", "viva_id", "display_name", "viva_demo", "viva_ways"];
    }

    _records = [
        {
            id: 1,
            name: "Bar",
            viva_id: "16000010",
            display_name: "Bar (16000010)",
            viva_demo: true,
            viva_ways: [makeWay("cloud")],
        },
        {
            id: 2,
            name: "Hall",
            viva_id: "16000011",
            display_name: "Hall (16000011)",
            viva_demo: true,
            viva_ways: [makeWay("cloud")],
        },
    ];
}

patch(hootPosModels, [...hootPosModels, VivaTerminal]);
