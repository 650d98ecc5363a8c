"""The table of models, protocols and operations: as data, and as the page that people read."""

import csv

import pytest

from drivers import CAPABILITIES_OF, Operation
from lib.matrix_tables import MODELS, PAGE, PROTOCOLS, page


def models():
    with open(MODELS, newline="") as file:
        return [row for row in csv.DictReader(file) if row["code"] != "other"]


@pytest.mark.parametrize("model", models(), ids=lambda row: row["code"])
def test_a_model_speaks_what_its_family_speaks(model):
    """Mission: App-to-App and cloud on Paydroid and SoftPOS; local on Android only; TCP/IP on Prolin only."""
    is_prolin = model["family"] == "prolin"
    assert (model["tcp"] == "1") is is_prolin
    assert (model["app_to_app"] == "1") is not is_prolin
    assert (model["cloud"] == "1") is not is_prolin
    if model["local"] == "1":
        assert model["os"] == "android" and model["family"] in ("paydroid", "softpos")
    if model["family"] == "paydroid" and model["local"] == "1":
        assert "Android above 8.1" in model["note"]


def test_every_protocol_sells():
    assert set(CAPABILITIES_OF) == set(PROTOCOLS)
    for capabilities in CAPABILITIES_OF.values():
        assert Operation.SALE in capabilities.operations


def test_what_the_references_say_of_prolin():
    """tcp-ip-prolin.md, 1.2: no abort, no preauth, no installments; a cancel is off until it was tried on a device."""
    prolin = CAPABILITIES_OF["tcp"]
    assert prolin.operations == {Operation.SALE}
    assert not (prolin.abort or prolin.installments or prolin.tip or prolin.recalls)


def test_the_page_says_the_same():
    assert PAGE.read_text() == page(), "run ./dev/matrix"
