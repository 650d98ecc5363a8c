from . import test_ask_manager, test_manager_pin, test_refund_pin
