from . import viva_pin_guard, viva_transaction
