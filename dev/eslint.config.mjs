// The linters live in the state folder, so they are resolved from there.
import { createRequire } from "node:module";

const require = createRequire(process.env.VIVA_NODE + "/");
const js = require("@eslint/js");
const globals = require("globals");

export default [
    js.configs.recommended,
    {
        languageOptions: {
            ecmaVersion: 2024,
            sourceType: "module",
            globals: { ...globals.browser, odoo: "readonly", luxon: "readonly" },
        },
        rules: {
            eqeqeq: "error",
            "no-console": ["error", { allow: ["warn", "error"] }],
            "no-undef": "error",
            "no-unused-vars": ["error", { args: "none" }],
            "no-var": "error",
            "object-shorthand": "error",
            "prefer-const": "error",
        },
    },
    { files: ["dev/**"], languageOptions: { globals: globals.node } },
];
