"""Where the viva.com | Terminal app returns to after an operation (viva/app-to-app.md, section 4).

Public, since the app has no session of ours; the address cannot be guessed, and what comes with it is kept as a hint.
Nothing is asked of Viva here: the till is pinged, and asks, or the scheduled job does.
"""

import secrets

from markupsafe import Markup

from odoo import SUPERUSER_ID, http
from odoo.http import request

from ..drivers import app
from .hidden_paths import hide

MAX_QUERY = 16 * 1024
# The address of a return is a secret, and its query tells of a card.
hide("/viva/app/", r"[^\s\"]+")

# A page for whoever stands at the till; the browser's language is all that is known of him.
_WORDS = {
    "en": {
        "title": "Back to the till",
        "known": "Odoo asks Viva what became of the payment. The till shows it.",
        "unknown": "This address is not known (any more). Go back to the till and press Check with Viva.",
        "back": "Back to the till",
        "close": "You may close this page.",
    },
    "el": {
        "title": "Επιστροφή στο ταμείο",
        "known": "Το Odoo ρωτά τη Viva τι έγινε με την πληρωμή. Το ταμείο δείχνει το αποτέλεσμα.",
        "unknown": "Η διεύθυνση αυτή δεν είναι (πλέον) γνωστή. Επιστρέψτε στο ταμείο και πατήστε Έλεγχος στη Viva.",
        "back": "Επιστροφή στο ταμείο",
        "close": "Μπορείτε να κλείσετε αυτή τη σελίδα.",
    },
}
# The old tab says that it is still there: then this one is not needed. Else it goes on in this one.
_SCRIPT = Markup(
    """
const page = document.currentScript.dataset;
const channel = new BroadcastChannel("viva_payments");
const leave = setTimeout(() => location.replace(page.back), 1200);
channel.onmessage = ({ data }) => {
    if (data && data.answer === "here" && data.order_uuid === page.order) {
        clearTimeout(leave);
        document.getElementById("close").hidden = false;
        window.close();
    }
};
channel.postMessage({ ask: "here?", order_uuid: page.order });
"""
)
_PAGE = Markup(
    """<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style nonce="{nonce}">
body {{ font-family: system-ui, sans-serif; margin: 0; min-height: 100vh; display: flex; flex-direction: column;
  align-items: center; justify-content: center; text-align: center; padding: 1.5rem; box-sizing: border-box;
  background: #f8f9fa; color: #212529; }}
p {{ font-size: 1.1rem; max-width: 28rem; }}
a {{ display: inline-block; padding: .9rem 1.6rem; border-radius: .5rem; background: #0b5ed7; color: #fff;
  text-decoration: none; font-size: 1.2rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p role="status">{words}</p>
{link}
<p id="close" hidden>{close}</p>
{script}
</body>
</html>
"""
)


class VivaAppReturn(http.Controller):
    @http.route(
        ["/viva/app/<string:token>", "/viva/app/<string:token>/<string:kind>"],
        type="http",
        auth="none",
        methods=["GET"],
        csrf=False,
        save_session=False,
        readonly=False,
    )
    def app_return(self, token, kind="", **_query):
        env = request.env(user=SUPERUSER_ID, su=True)
        transaction = env["viva.transaction"]._by_app_token(token, kind)
        query = request.httprequest.query_string
        if not transaction:
            return self._page("unknown", status=404)
        if len(query) > MAX_QUERY:
            return self._page("unknown", status=414)
        # A look from elsewhere (a preview, a reload without the query) says nothing.
        if query and request.httprequest.method == "GET":
            answer = app.parse_callback(query.decode("utf-8", "replace"))
            transaction._note_app_return(transaction.id, answer, kind)
        return self._page("known", transaction)

    def _page(self, key, transaction=None, status=200):
        lang = request.httprequest.accept_languages.best_match(list(_WORDS)) or "en"
        words, nonce = _WORDS[lang], secrets.token_urlsafe(16)
        link = script = ""
        if transaction and transaction.pos_config_id and transaction.order_uuid:
            back = f"/pos/ui/{transaction.pos_config_id.id}/payment/{transaction.order_uuid}"
            link = Markup('<a href="%s">%s</a>') % (back, words["back"])
            script = Markup('<script nonce="%s" data-back="%s" data-order="%s">%s</script>') % (
                nonce,
                back,
                transaction.order_uuid,
                _SCRIPT,
            )
        page = _PAGE.format(
            lang=lang,
            nonce=nonce,
            title=words["title"],
            words=words[key],
            link=link,
            close=words["close"],
            script=script,
        )
        policy = f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy + "; base-uri 'none'; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return request.make_response(page, list(headers.items()), status=status)
