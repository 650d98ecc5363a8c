from . import (
    account_payment_register_refund,
    viva_decide_wizard,
    viva_find_terminals,
    viva_gateway_find,
    viva_gateway_pair,
    viva_handover_wizard,
    viva_journal,
    viva_journal_compare,
    viva_journal_difference,
    viva_journal_line,
    viva_operation_wizard,
    viva_refund_wizard,
)
