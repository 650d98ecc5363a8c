from . import viva_decide_wizard, viva_find_terminals, viva_handover_wizard
