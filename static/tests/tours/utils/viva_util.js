import { cookie } from "@web/core/browser/cookie";

/** POST `options` to a path of the simulator's control API; the test has put its address into a cookie. */
export function simulate(path, options = {}) {
    return {
        content: `simulator: ${path} ${JSON.stringify(options)}`,
        trigger: "body",
        run: () => tell(path, options),
    };
}

/** The simulator is another origin: the request arrives, its answer stays hidden. */
function tell(path, options) {
    return fetch(`http://127.0.0.1:${cookie.get("viva_simulator")}/control/${path}`, {
        method: "POST",
        mode: "no-cors",
        body: JSON.stringify(options),
    });
}

/** What a person does at a terminal, once a request is shown there: tap, decline, cancel, … */
export function atTerminal(action, options = {}) {
    return simulate(`terminals/16000010/${action}`, { wait_s: 5, ...options });
}

/**
 * Press a button that leads to the app on this device. The simulator's page plays the app, does `act` by itself, and
 * leads back to the till: another page, in which the tour goes on.
 *
 * @param {"open"|"openAbort"|"back"|"ask"} button
 */
export function pressApp(button, act = "") {
    return {
        content: `${button}: the app does ${act || "what is asked"}`,
        trigger: `.viva-status [data-app="${button}"]`,
        expectUnloadPage: true,
        run: ({ click }) => {
            const { device } = window.posmodel.viva.app;
            const { openUri } = device;
            device.openUri = (uri) => openUri(pageOf(uri) + (act ? `&act=${act}` : ""));
            return click();
        },
    };
}

/** The simulator's page for what opens the app. */
function pageOf(uri) {
    return uri.startsWith("http")
        ? uri
        : `http://127.0.0.1:${cookie.get("viva_simulator")}/app?uri=${encodeURIComponent(uri)}`;
}

/** Press the same button, but the person stays on this page: the app has the request on its screen. */
export function pressAppAndStay(button) {
    return {
        content: `${button}: the app shows it, the person stays here`,
        trigger: `.viva-status [data-app="${button}"]`,
        run: ({ click }) => {
            window.posmodel.viva.app.device.openUri = (uri) =>
                tell("app/show", { uri: new URL(pageOf(uri)).searchParams.get("uri") });
            return click();
        },
    };
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

/** Press the button of a question by its words. */
export function answer(words) {
    return {
        content: `answer "${words}"`,
        trigger: `.modal-footer .btn:contains("${words}"):not(:disabled)`,
        run: "click",
    };
}

/** Open the panel of card payments, on one of its tabs. */
export function openPanel(tab) {
    return [
        { content: "open the panel", trigger: ".viva-open-panel", run: "click" },
        {
            content: `the tab ${tab}`,
            trigger: `.viva-panel .viva-tab[data-tab="${tab}"]`,
            run: "click",
        },
    ];
}

/** Open the first card (or hold) of the panel that has these words, and press one of its buttons. */
export function actOn(words, action) {
    return [
        {
            content: `open ${words}`,
            trigger: `.viva-panel .viva-card:contains("${words}") .viva-card-head[aria-expanded="false"]`,
            run: "click",
        },
        {
            content: `${action} on ${words}`,
            trigger: `.viva-panel .viva-card:contains("${words}") [data-action="${action}"]:not(:disabled)`,
            run: "click",
        },
    ];
}

export function noPaymentLine() {
    return {
        content: "no payment line is left",
        trigger: ".payment-screen:not(:has(.paymentlines .paymentline))",
    };
}
