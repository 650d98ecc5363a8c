from . import account_move, sale_order, viva_booking, viva_hold
