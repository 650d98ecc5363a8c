"""The simulator's fault knobs and its pages (cloud reference, 11.4)."""

import json
import threading
import time

import httpx
import pytest
from simulator_process import PLAIN, TERMINAL, until


def faults(simulator, **values):
    return simulator.control("POST", "faults", values)


def charges(simulator):
    return simulator.control("GET", "charges")


def test_drop_the_answer_after_accepting(simulator, viva):
    faults(simulator, drop_sale_response=1)
    body = viva.sale_body()
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        viva.post("sale", body)
    assert viva.post("sale", body).status_code == 409, "it had arrived"
    simulator.act("tap")
    assert viva.final(body["sessionId"])["success"]
    assert len(charges(simulator)) == 1
    assert [
        entry["status"] for entry in simulator.control("GET", "requests?path=/ecr/v1/transactions")
    ] == [
        "dropped",
        409,
    ]


def test_drop_the_request_before_accepting(simulator, viva):
    faults(simulator, drop_sale_request=1)
    body = viva.sale_body()
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        viva.post("sale", body)
    assert viva.get(body["sessionId"]).status_code == 404
    assert viva.post("sale", body).status_code == 200, "it had not arrived"


def test_sale_status(simulator, viva):
    faults(simulator, sale_status=[503, 502, {"status": 504, "accepted": True}])
    bodies = [viva.sale_body() for _ in range(4)]
    assert [viva.post("sale", body).status_code for body in bodies] == [503, 502, 504, 200]
    assert [viva.get(body["sessionId"]).status_code for body in bodies[:3]] == [404, 404, 202]


def test_session_status(simulator, viva):
    result = viva.paid()
    faults(simulator, session_status=[500, 404, 401, {"status": 200, "body": "not JSON"}])
    answers = [viva.get(result["sessionId"]) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [500, 404, 401, 200, 200]
    assert answers[3].text == "not JSON" and answers[4].json()["success"]


def test_token_devices_and_list_status(simulator, viva):
    faults(simulator, token_status=[503], devices_status=[500], list_status=[503])
    assert viva.http.post("/ecr/v1/devices:search", json={}).status_code == 500
    assert viva.http.get("/ecr/v1/sessions").status_code == 503
    assert viva.renew().status_code == 503
    assert viva.renew().status_code == 200


def test_abort_refused(simulator, viva):
    faults(simulator, abort_refused_status=503)
    session_id = viva.sale()
    assert viva.abort(session_id).status_code == 503
    time.sleep(0.15)
    assert viva.get(session_id).status_code == 202


def test_silence(simulator, viva):
    faults(simulator, silent=True)
    with pytest.raises(httpx.ReadTimeout):
        viva.http.post("/ecr/v1/transactions:sale", json=viva.sale_body(), timeout=0.2)
    with pytest.raises(httpx.ReadTimeout):
        viva.http.post("/connect/token", timeout=0.2)
    assert simulator.control("GET", "health") == {"ok": True}
    assert simulator.control("GET", "sessions") == []
    simulator.control("DELETE", "faults")
    assert viva.http.get("/ecr/v1/sessions").status_code == 200


def test_reset_ends_held_connections(simulator, viva):
    faults(simulator, silent=True)
    outcome = []

    def call():
        try:
            viva.http.get("/ecr/v1/sessions")
        except httpx.HTTPError as error:
            outcome.append(type(error))

    thread = threading.Thread(target=call)
    thread.start()
    until(lambda: simulator.control("GET", "requests"))
    simulator.control("POST", "reset")
    thread.join(5)
    assert outcome and issubclass(outcome[0], (httpx.RemoteProtocolError, httpx.ReadError))


def test_slow_answers_after_the_work_is_done(simulator, viva):
    faults(simulator, slow_ms={"/ecr/v1": 1, "/ecr/v1/transactions": 400})
    body = viva.sale_body()
    with pytest.raises(httpx.ReadTimeout):
        viva.http.post("/ecr/v1/transactions:sale", json=body, timeout=0.1)
    assert viva.get(body["sessionId"]).status_code == 202
    began = time.monotonic()
    assert viva.post("sale", body).status_code == 409
    assert time.monotonic() - began >= 0.4


def test_latency(simulator, viva):
    simulator.control("POST", "settings", {"latency_ms": 120})
    began = time.monotonic()
    viva.sale()
    assert 0.12 <= time.monotonic() - began < 0.4
    entry = simulator.control("GET", "requests?path=/ecr/v1/transactions")[0]
    assert entry["method"] == "POST" and entry["status"] == 200 and entry["ms"] >= 120


def test_404_in_the_first_seconds(simulator, viva):
    faults(simulator, session_404_first_s=0.3)
    session_id = viva.sale()
    assert viva.get(session_id).status_code == 404
    until(lambda: viva.get(session_id).status_code == 202)


def test_tokens_expire_in_mid_session(simulator, viva):
    session_id = viva.sale()
    faults(simulator, expire_tokens=True)
    assert viva.get(session_id).status_code == 401
    viva.renew()
    assert viva.get(session_id).status_code == 202


def test_the_list_lags(simulator, viva):
    viva.paid()
    faults(simulator, list_lags=True)
    assert viva.http.get("/ecr/v1/sessions").json() == []
    faults(simulator, list_lags=30)
    assert viva.http.get("/ecr/v1/sessions").json() == []
    simulator.control("POST", "clock", {"advance_s": 31})
    assert len(viva.http.get("/ecr/v1/sessions").json()) == 1


def test_reset_and_delete_forget_faults(simulator, viva):
    faults(simulator, sale_status=[503], drop_sale_response=3)
    simulator.control("DELETE", "faults")
    viva.sale()
    faults(simulator, abort_refused_status=503)
    simulator.control("POST", "reset")
    assert simulator.control("GET", "faults")["abort_refused_status"] is None
    assert simulator.control("GET", "sessions") == []


# -- pages -----------------------------------------------------------------------------------------------------------


def first_event(url):
    with httpx.stream("GET", url, **PLAIN) as stream:
        line = next(line for line in stream.iter_lines() if line.startswith("data: "))
    return json.loads(line.removeprefix("data: "))


def test_pages_need_nothing_from_elsewhere(simulator):
    for path in ("/", f"/terminal/{TERMINAL}"):
        page = httpx.get(simulator.url + path, **PLAIN)
        assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
        assert (
            "http://" not in page.text.replace("http://www.w3.org", "")
            and "https://" not in page.text
        )
    assert httpx.get(f"{simulator.url}/terminal/99", **PLAIN).status_code == 404
    assert httpx.get(f"{simulator.url}/terminal/99/events", **PLAIN).status_code == 404


def test_the_terminal_page_is_told_what_to_show(simulator, viva):
    address = f"{simulator.url}/terminal/{TERMINAL}/events"
    assert first_event(address)["screen"] == "idle"
    session_id = viva.sale()
    view = first_event(address)
    assert (view["screen"], view["store"]) == ("shown", "Main store")
    assert (view["request"]["amount"], view["request"]["currency"]) == (1250, "EUR")
    assert view["request"]["reference"] == "POS/0042/1" and 50 < view["request"]["left"] <= 62
    simulator.act("tap")
    viva.final(session_id)
    view = first_event(address)
    assert (view["screen"], view["result"]["success"]) == ("final", True)
    assert view["result"]["pan"].endswith("0133")
    simulator.control("POST", "clock", {"advance_s": 10})
    assert first_event(address)["screen"] == "idle"


def test_the_terminal_page_is_updated(simulator, viva):
    with httpx.stream("GET", f"{simulator.url}/terminal/{TERMINAL}/events", **PLAIN) as stream:
        screens = (
            json.loads(line[6:])["screen"]
            for line in stream.iter_lines()
            if line.startswith("data: ")
        )
        assert next(screens) == "idle"
        viva.sale()
        assert next(screens) == "shown"
        simulator.act("cancel")
        assert next(screen for screen in screens if screen != "shown") == "final"


def test_the_overview(simulator, viva):
    viva.paid()
    view = first_event(f"{simulator.url}/events")
    assert view["terminals"][0]["terminalId"] == TERMINAL
    assert view["sessions"][0]["success"] and view["charges"][0]["amount"] == 1250
