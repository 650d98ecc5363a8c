"""The TCP terminals of the simulator, spoken to by bare sockets (TCP/IP reference, sections 2 to 4 and 9)."""

import contextlib
import re
import socket
import time
import uuid

import pytest
from simulator_process import ControlError, until
from webhook_receiver import receiving

TERMINAL = "16000040"
# Frames of the reference: what is a frame is told by these, not by the simulator.
VECTORS = [
    "0014|810|00|000032",
    "0062|000041|200|00|5f0d3c1e8f524d0b9c3c0c1b7c2a9b11|25.50|0000||||",
    "0135|000065|210|00|00|Contactless/None~RRN:108813789134|VISA|406001******4011|789134|181644|000001|0.05|1010|00|00|00|00|00|00|    16038894",
    "0119|000066|210|00|UC|Cancelled by User|MASTERCARD|535142******7137|000000||000001|0.05|1010|00|00|00|00|00|00|    16038894",
    "0136|000065|210|00|00|Contactless/None~RRN:432910000123|VISA|400000******0002|000123|181644|000001|25.50|1010|00|00|00|00|00|00|    16000010",
    "0105|000066|210|00|51|DECLINED|VISA|400000******0002|000124||000001|25.50|1010|00|00|00|00|00|00|    16000010",
]


def framed(body):
    return f"{len(body):04d}{body}".encode()


def split(data):
    """The fields of each whole frame in ``data``."""
    frames = []
    while len(data) >= 4:
        length = int(data[:4])
        if len(data) < 4 + length:
            break
        frames.append(data[4 : 4 + length].decode().split("|")[1:])
        data = data[4 + length :]
    assert data == b"", data
    return frames


class Till:
    """Speaks to a terminal as a till does, one connection per payment."""

    def __init__(self, simulator, **more):
        self.simulator = simulator
        self.address = simulator.control(
            "POST", "terminals", {"terminalId": TERMINAL, "lan": "tcp", **more}
        )
        self.line = None

    def set(self, **options):
        return self.simulator.control("POST", f"terminals/{TERMINAL}/lan", options)

    def connect(self):
        self.line = socket.create_connection((self.address["host"], self.address["port"]), 5)
        return self.line

    def send(
        self, amount="25.50", kind=("200", "00"), tail="0000||||", unique=None, number="000041"
    ):
        self.unique = unique or uuid.uuid4().hex
        body = f"|{number}|{'|'.join(kind)}|{self.unique}|{amount}|{tail}"
        self.line.sendall(framed(body))

    def all(self):
        """Everything until the terminal closes."""
        data = b""
        while piece := self.line.recv(4096):
            data += piece
        return data

    def take(self, count):
        data = b""
        while len(data) < count:
            data += self.line.recv(count - len(data))
        return data

    def act(self, action, **options):
        return self.simulator.act(action, TERMINAL, **options)

    def paid(self, amount="25.50", action="tap", **more):
        """A payment with a person at the terminal; answers the frames that came."""
        self.connect()
        self.send(amount, **more)
        self.act(action)
        return split(self.all())

    def charges(self):
        return self.simulator.control("GET", "charges")


@pytest.fixture
def till(simulator):
    made = Till(simulator)
    yield made
    if made.line is not None:
        made.line.close()


def test_the_vectors_of_the_reference_are_frames():
    for vector in VECTORS:
        assert len(split(vector.encode())) == 1


def test_a_sale(till, viva):
    with receiving() as receiver:
        till.simulator.control("POST", "webhooks", {"url": receiver.url})
        ready, answer = till.paid()
        until(lambda: receiver.types() == [1796])
    assert ready == ["810", "00", answer[0]]
    assert answer[1:4] == ["210", "00", "00"] and len(answer) == 19
    rrn = re.fullmatch(r"Contactless/None~RRN:(\d{12})", answer[4])[1]
    assert answer[5:7] == ["VISA", "414746******0133"]
    assert rrn.endswith(answer[7]) and re.fullmatch(r"\d{6}", answer[8])
    assert answer[9:18] == ["000001", "25.50", "1010", *["00"] * 6]
    assert answer[18] == "    16000040"
    [charge] = till.charges()
    assert (charge["amount"], charge["merchantReference"]) == (2550, till.unique)
    rows = viva.http.get(
        "/api/transactions", params={"ordercode": charge["orderCode"]}, auth=viva.basic
    ).json()["Transactions"]
    assert [(row["MerchantTrns"], row["RetrievalReferenceNumber"]) for row in rows] == [
        (till.unique, rrn)
    ]
    [asked] = till.set()["sessions"]
    assert (asked["uniqueTxnId"], asked["stan"], asked["channel"]) == (
        till.unique,
        int(answer[7]),
        "tcp",
    )
    assert till.simulator.control("GET", "violations") == []


def test_it_shows_on_the_page_and_takes_a_tip(till):
    till.connect()
    till.send("10.00")
    shown = until(lambda: till.simulator.control("GET", "terminals")[-1]["session"])
    assert (shown["channel"], shown["amount"]) == ("tcp", 1000)
    till.act("tip", minor=150)
    till.act("insert_pin", card="mastercard")
    answer = split(till.all())[-1]
    assert (answer[10], answer[12], answer[5]) == ("11.50", "1.50", "MASTERCARD")


@pytest.mark.parametrize(
    ("amount", "code", "stan", "card"),
    [
        ("99.51", "51", True, True),
        ("99.54", "54", True, True),
        ("99.20", "05", True, True),
        ("99.57", "KO", True, True),
        ("99.61", "UC", False, True),
        ("99.62", "UC", False, False),
    ],
)
def test_refused_by_amount(till, amount, code, stan, card):
    answer = till.paid(amount)[-1]
    assert (answer[3], answer[8], answer[10]) == (code, "", amount)
    assert (answer[7] != "000000", bool(answer[6])) == (stan, card)
    assert till.charges() == []


def test_refused_by_people(till):
    assert till.paid(action="cancel")[-1][3:7] == ["UC", "Cancelled by User", "", ""]
    assert till.paid(action="walk_away")[-1][3] == "KO"
    assert till.paid(action="decline")[-1][3] == "51"


@pytest.mark.parametrize("ready", ["on_connect", "after_request", "never"])
@pytest.mark.parametrize("way", ["whole", "glued", "split"])
def test_when_and_how_frames_come(till, ready, way):
    till.set(ready=ready, glue_frames=way == "glued", split_bytes=way == "split")
    till.connect()
    if ready == "on_connect" and way != "glued":
        assert till.take(18).startswith(b"0014|810|00|")
    else:
        till.line.settimeout(0.1)
        with pytest.raises(TimeoutError):
            till.line.recv(1)
        till.line.settimeout(5)
    till.send()
    if ready == "after_request" and way != "glued":
        assert till.take(18).startswith(b"0014|810|00|")
    till.act("tap")
    began = till.line.recv(4096)
    rest = till.all()
    kinds = [fields[0] if fields[0] == "810" else fields[1] for fields in split(began + rest)]
    assert kinds == (["810", "210"] if way == "glued" and ready != "never" else ["210"])
    if way == "glued":
        assert rest == b""


def test_extra_fields_echo_and_a_length_too_long(till):
    till.set(extra_empty_fields=12, echo_session=True, ready="never")
    [answer] = till.paid(number="000777")
    assert answer[0] == "000777" and answer[19:] == [""] * 12
    till.set(extra_empty_fields=0, announce_more=4)
    till.connect()
    till.send()
    till.act("tap")
    data = till.all()
    assert int(data[:4]) == len(data) - 4 + 4


def test_delay_and_who_closes(till):
    till.set(delay_ms=200, close_after_response=False, ready="never")
    till.connect()
    till.send()
    till.act("tap")
    began = time.monotonic()
    assert split(till.line.recv(4096))[0][3] == "00" and time.monotonic() - began > 0.15
    till.line.settimeout(0.1)
    with pytest.raises(TimeoutError):
        till.line.recv(1)


@pytest.mark.parametrize(
    "bad",
    [
        b"0063|000041|200|00|5f0d3c1e8f524d0b9c3c0c1b7c2a9b11|25.50|0000||||",
        b"0061|000041|200|00|5f0d3c1e8f524d0b9c3c0c1b7c2a9b11|25.50|0000||||",
        b"abcd|000041",
        framed("|000041|999|00|5f0d3c1e8f524d0b9c3c0c1b7c2a9b11|25.50|0000||||"),
        framed("|000041|200|00|5f0d3c1e8f524d0b9c3c0c1b7c2a9b11|1,025.50|0000||||"),
        framed("|000041"),
        framed("000041|200|00"),
    ],
)
def test_nonsense_closes_the_connection(till, bad):
    till.set(ready="never")
    till.connect().sendall(bad)
    assert till.all() == b""
    assert till.simulator.control("GET", "violations")
    assert till.simulator.control("GET", "terminals")[-1]["state"] == "idle"


def test_old_firmware_checks_no_length(till):
    till.set(check_length=False, ready="never")
    till.connect().sendall(
        b"0107|821879|200|00|12345678901234567890123456789012|0.71|0000|||||0.10||||ecr_default"
    )
    till.act("tap")
    assert split(till.all())[0][10] == "0.71"


def test_what_comes_after_the_protocol_is_kept(till):
    till.paid(tail="0000|||||||||ecr_default|999|;;1;2|c2ln")
    assert till.set()["sessions"][0]["sent"][15:] == ["999", ";;1;2", "c2ln"]


def test_the_connection_drops_by_amount(till):
    till.set(ready="never")
    assert till.paid("99.91") == [] and till.charges() == []
    assert till.paid("99.90") == [] and len(till.charges()) == 1
    till.connect()
    till.send("99.92")
    till.act("tap")
    until(lambda: len(till.charges()) == 2)
    till.line.settimeout(0.2)
    with pytest.raises(TimeoutError):
        till.line.recv(1)


@pytest.mark.parametrize("reset", [False, True])
def test_the_cable_is_pulled_at_a_byte(till, reset):
    till.set(reset=reset)

    def come():
        try:
            return till.all()
        except ConnectionResetError:
            return None

    till.set(cut_ready_after=5)
    if not reset:  # else the connection may be gone before it is there
        till.connect()
    assert reset or come() == b"0014|"
    till.set(cut_ready_after=None, cut_request_after=30)
    till.connect()
    till.send()
    come()
    assert till.charges() == [] and till.set()["sessions"] == []
    till.set(cut_request_after=None, cut_answer_after=0)
    for number in (0, 4, 60):
        till.set(cut_answer_after=number)
        till.connect()
        till.send()
        till.act("tap")
        data = come()
        assert data is None or len(data) == 18 + number
    assert len(till.charges()) == 3


def test_prolin_goes_on_without_the_till(till):
    till.connect()
    till.send()
    until(lambda: till.simulator.control("GET", "terminals")[-1]["session"])
    till.line.close()
    time.sleep(0.1)
    till.connect()
    assert till.all() == b""  # one at a time, and the payment still runs
    till.act("tap")
    until(lambda: till.charges())
    assert till.set()["sessions"][0]["success"] is True
    assert till.paid()[-1][3] == "00"


def test_paydroid_cancels_or_reverses(simulator):
    till = Till(simulator, platform="paydroid")
    assert till.address["platform"] == "paydroid"
    till.connect()
    till.send()
    until(lambda: till.simulator.control("GET", "terminals")[-1]["session"])
    till.line.close()
    until(lambda: till.set()["sessions"][0]["eventId"] == 1016)
    simulator.control("POST", "settings", {"authorising_ms": 300})
    till.connect()
    till.send()
    till.act("tap")
    till.line.close()
    until(lambda: [row["operation"] for row in till.charges()] == ["sale", "void"])
    assert {row["merchantReference"] for row in till.charges()} == {till.unique}
    till.set(reversal_nameless=True)
    till.connect()
    till.send()
    till.act("tap")
    till.line.close()
    until(lambda: len(till.charges()) == 4)
    assert [row["merchantReference"] for row in till.charges()[2:]] == [till.unique, None]


def test_a_second_connection(till):
    till.connect()
    till.send()
    first = till.line
    until(lambda: till.simulator.control("GET", "terminals")[-1]["session"])
    till.connect()
    assert till.all() == b""
    till.line, second = first, till.line
    till.act("tap")
    assert split(till.all())[-1][3] == "00"
    second.close()


def test_what_only_paydroid_can(till):
    assert till.simulator.control("GET", "violations") == []
    till.connect()
    till.send(kind=("100", "00"))
    assert split(till.all())[-1][1:4] == ["110", "00", "KO"]
    till.set(platform="paydroid")
    answer = till.paid("30.00", kind=("100", "00"))[-1]
    assert answer[1:4] == ["110", "00", "00"] and till.charges() == []
    assert till.simulator.control("GET", "attempts")[-1]["operation"] == "preauth"


def test_cancel_by_stan_and_by_reference(till):
    sale = till.paid()[-1]
    unique = till.unique
    till.connect()
    till.send(kind=("200", "04"), tail=sale[7], amount="25.00")
    assert split(till.all())[-1][3] == "KO"  # only a void is possible today
    till.connect()
    till.send(kind=("200", "04"), tail="999999")
    assert split(till.all())[-1][3] == "KO"
    till.connect()
    till.send(kind=("200", "04"), tail=sale[7])
    answer = split(till.all())[-1]
    assert answer[1:4] == ["210", "04", "00"] and answer[7] != sale[7]
    assert [row["operation"] for row in till.charges()] == ["sale", "void"]
    assert till.charges()[1]["merchantReference"] == till.unique != unique
    till.paid()
    unique = till.unique
    till.connect()
    till.send(kind=("200", "04"), tail="0000||", unique=unique)
    assert split(till.all())[-1][3] == "00"
    till.paid()
    till.connect()
    till.send(kind=("200", "04"), tail="0000||||")
    assert split(till.all())[-1][3] == "KO"
    till.set(cancel_by_card=True)
    till.connect()
    till.send(kind=("200", "04"), tail="0000||||")
    assert split(till.all())[-1][3] == "00"


def test_it_wakes_up_and_is_busy(till, viva):
    till.set(ko_first=1)
    till.connect()
    till.send()
    assert split(till.all())[-1][3:5] == ["KO", "An error ocured"]
    assert till.paid()[-1][3] == "00"
    viva.sale(terminalId=TERMINAL)
    till.connect()
    till.send()
    assert split(till.all())[-1][3] == "KO"


def test_nobody_is_needed_with_auto(till):
    till.set(auto={"action": "tap", "delay_ms": 10})
    till.connect()
    till.send()
    assert split(till.all())[-1][3] == "00"


def test_another_device_restart_and_away(till):
    till.set(swap="16999999")
    assert till.paid()[-1][18].strip() == "16999999"
    assert till.charges()[0]["terminalId"] == "16999999"
    till.set(swap="")
    till.connect()
    till.send()
    until(lambda: till.simulator.control("GET", "terminals")[-1]["session"])
    till.set(restart=True)
    with contextlib.suppress(ConnectionResetError):
        assert len(till.all()) <= 18
    assert till.simulator.control("GET", "terminals")[-1]["state"] == "idle"
    till.set(listening=False)
    with pytest.raises(ConnectionRefusedError):
        till.connect()
    till.set(listening=True)
    assert till.paid()[-1][18].strip() == TERMINAL
    with pytest.raises(ControlError):
        till.set(ready="sometimes")
    till.simulator.control("POST", "reset")
    with pytest.raises(ConnectionRefusedError):
        till.connect()


def test_offline(till):
    till.set(offline=True)
    answer = till.paid()[-1]
    assert answer[3] == "00" and answer[4] == "Contactless/None" and till.charges() == []
    till.set(sync_offline=True)
    assert till.charges()[0]["merchantReference"] == till.unique


def test_the_log_of_requests(till):
    till.paid()
    entries = till.simulator.control("GET", f"requests?path=/lan/{TERMINAL}")
    assert [(entry["path"], entry["status"]) for entry in entries] == [
        (f"/lan/{TERMINAL}/200/00", "00")
    ]
