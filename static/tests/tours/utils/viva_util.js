import { cookie } from "@web/core/browser/cookie";

/** POST `options` to a path of the simulator's control API; the test has put its address into a cookie. */
export function simulate(path, options = {}) {
    return {
        content: `simulator: ${path} ${JSON.stringify(options)}`,
        trigger: "body",
        run: () =>
            // The simulator is another origin: the request arrives, its answer stays hidden.
            fetch(`http://127.0.0.1:${cookie.get("viva_simulator")}/control/${path}`, {
                method: "POST",
                mode: "no-cors",
                body: JSON.stringify(options),
            }),
    };
}

/** What a person does at a terminal, once a request is shown there: tap, decline, cancel, … */
export function atTerminal(action, options = {}) {
    return simulate(`terminals/16000010/${action}`, { wait_s: 5, ...options });
}

export function chooseTerminal(name) {
    return {
        content: `choose terminal ${name}`,
        trigger: `.modal .selection-item:contains("${name}")`,
        run: "click",
    };
}

/** The panel on the payment line is in this phase and, if given, has these words. */
export function panelIs(phase, words) {
    return {
        content: `the panel shows ${phase}`,
        trigger: `.viva-status[data-phase="${phase}"]${words ? `:contains("${words}")` : ""}`,
    };
}

/** Press a button of the panel: send, cancel, check, remove, force or terminal. */
export function press(button) {
    return {
        content: `press ${button}`,
        trigger: `.viva-status .viva-${button}`,
        run: "click",
    };
}

export function confirmDialog(title) {
    return {
        content: `confirm "${title}"`,
        trigger: `.modal:has(.modal-title:contains("${title}")) .modal-footer button:first-child`,
        run: "click",
    };
}
