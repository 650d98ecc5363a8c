from . import test_closing, test_install, test_pos_hoot, test_sale, test_webhook
