from . import viva_capture_wizard, viva_hold_wizard
