from . import test_manager_pin
