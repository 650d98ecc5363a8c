import { browser } from "@web/core/browser/browser";
import { isAndroid, isIOS } from "@web/core/browser/feature_detection";

/** What the browser lets us know of this device, and the way out of it. Replaced in tests. */
export const device = {
    /** The app that takes cards may be installed here. */
    get runsApps() {
        return isAndroid() || isIOS();
    },

    get isIos() {
        return isIOS();
    },

    /** Whether the person's last tap still counts: without it browsers open no app. */
    get isTapped() {
        return Boolean(browser.navigator.userActivation?.isActive);
    },

    /** Hand a URI to the app that it belongs to. The page stays. */
    openUri(uri) {
        const link = document.createElement("a");
        link.href = uri;
        link.click();
    },
};
