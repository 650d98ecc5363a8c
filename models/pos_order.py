from collections import defaultdict

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import SQL

NOT_PARKED = Domain("viva_parked", "=", False) | Domain("state", "!=", "draft")


class PosOrder(models.Model):
    _inherit = "pos.order"

    # Whoever may read an order may read these: people of the stock and of accounting too.
    viva_transaction_ids = fields.One2many(
        "viva.transaction",
        compute="_compute_viva_transaction_ids",
        compute_sudo=True,
        string="Card payments",
    )
    viva_transaction_count = fields.Integer(
        compute="_compute_viva_transaction_ids", compute_sudo=True
    )
    viva_has_unproven = fields.Boolean(
        compute="_compute_viva_has_unproven",
        compute_sudo=True,
        search="_search_viva_has_unproven",
        string="Paid by card without proof",
        help="The till called it paid, but no approved card payment is in the ledger.",
    )
    viva_parked = fields.Boolean(
        "Parked with a hold",
        copy=False,
        readonly=True,
        help="The order waits outside of any session, with money on hold, until it is recalled.",
    )
    viva_can_attach = fields.Boolean(compute="_compute_viva_transaction_ids", compute_sudo=True)

    def _compute_viva_transaction_ids(self):
        transactions = self.env["viva.transaction"].search(
            [("order_uuid", "in", list(filter(None, self.mapped("uuid"))))]
        )
        by_uuid = defaultdict(transactions.browse)
        for transaction in transactions._family():
            # What the back office gives back or captures of it has no order of its own.
            root = transaction
            while not root.order_uuid and root.parent_id:
                root = root.parent_id
            by_uuid[root.order_uuid] |= transaction
        charged = self.filtered(lambda order: order.state == "draft")._viva_charged()
        approved = charged.filtered(lambda transaction: transaction.state == "approved")
        attachable = set(approved.mapped("order_uuid"))
        for order in self:
            order.viva_transaction_ids = by_uuid[order.uuid] if order.uuid else False
            order.viva_transaction_count = len(order.viva_transaction_ids)
            order.viva_can_attach = order.uuid in attachable

    @api.depends("payment_ids", "state")
    def _compute_viva_has_unproven(self):
        for order in self:
            order.viva_has_unproven = order.state in ("paid", "done", "invoiced") and bool(
                order._viva_unproven()
            )

    def _search_viva_has_unproven(self, operator, value):
        if operator != "in":
            return NotImplemented
        for model in ("pos.order", "pos.payment", "pos.payment.method"):
            self.env[model].flush_model()
        # What `_viva_unproven` says, for all orders at once.
        unproven = SQL(
            """(
            SELECT payment.pos_order_id
              FROM pos_payment payment
              JOIN pos_order ON pos_order.id = payment.pos_order_id
              JOIN pos_payment_method method ON method.id = payment.payment_method_id
             WHERE method.use_payment_terminal = 'viva'
               AND payment.amount != 0
               AND pos_order.state IN ('paid', 'done', 'invoiced')
               AND NOT EXISTS (
                   SELECT FROM viva_transaction proof
                    WHERE proof.payment_uuid = payment.uuid
                      AND proof.order_uuid = pos_order.uuid
                      AND proof.company_id = pos_order.company_id
                      AND proof.state = 'approved'
                      AND proof.operation IN ('sale', 'capture', 'refund')
                      AND proof.is_contradicted IS NOT TRUE
                      AND (proof.approved_amount - COALESCE(proof.surcharge_amount, 0)
                          - CASE WHEN proof.tip_booking = 'product' THEN 0 ELSE COALESCE(proof.tip_amount, 0) END)
                          * CASE WHEN proof.operation = 'refund' THEN -1 ELSE 1 END = payment.amount
                      AND (COALESCE(proof.tip_booking, '') != 'product' OR proof.tip_amount <= (
                          SELECT COALESCE(SUM(line.price_subtotal_incl), 0)
                            FROM pos_order_line line
                            JOIN pos_config config ON config.tip_product_id = line.product_id
                           WHERE line.order_id = pos_order.id AND config.id = pos_order.config_id
                      ))
                      AND NOT EXISTS (
                          SELECT FROM viva_transaction child
                           WHERE child.parent_id = proof.id
                             AND (child.origin = 'viva' OR child.operation = 'void')
                             AND (child.state IN ('draft', 'sent', 'pending', 'unknown')
                                  OR child.state = 'approved'
                                     AND (child.is_contradicted IS NOT TRUE OR child.is_forced IS TRUE))
                      )
               )
            )"""
        )
        return [("id", "in" if True in value else "not in", unproven)]

    def _viva_unproven(self):
        """Payments by card of these orders that the ledger does not confirm."""
        return self.payment_ids.filtered(
            lambda payment: (
                payment.payment_method_id._is_viva()
                and not payment.currency_id.is_zero(payment.amount)
                and payment.viva_state not in ("proven", "forced")
            )
        )

    def _viva_charged(self):
        """Card payments of these orders that took (or may have taken) money and are nobody's yet."""
        transactions = (
            self.env["viva.transaction"]
            .sudo()
            .search([("order_uuid", "in", list(filter(None, self.mapped("uuid"))))])
        )
        handed_over = (
            self.env["viva.handover"]
            .sudo()
            .search([("transaction_id", "in", transactions.ids)])
            .transaction_id
        )
        # A hold takes no money: an order may go while its hold stays on the list of holds.
        return (transactions - handed_over).filtered(
            lambda transaction: (
                (transaction.is_unsettled and transaction.operation not in ("preauth", "release"))
                or transaction._is_due()
            )
        )

    # -- an order with card money is not thrown away ------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._viva_own(vals) for vals in vals_list])

    def write(self, vals):
        vals = self._viva_own(vals)
        if vals.get("state") == "cancel":
            self._viva_refuse_removal()
        if "uuid" in vals:
            self._viva_refuse_other_identity(vals["uuid"])
        if "session_id" in vals:
            self._viva_refuse_other_session(vals["session_id"])
        if vals.get("state", "draft") not in ("draft", "cancel"):
            self._viva_refuse_closed_session()
        if vals.get("state", "draft") != "draft":
            vals = {**vals, "viva_parked": False}
        return super().write(vals)

    def _viva_own(self, vals):
        """`vals` without what only parking and recalling may write."""
        if self.env.su:
            return vals
        return {name: value for name, value in vals.items() if name != "viva_parked"}

    def _viva_refuse_other_session(self, session_id):
        """Where an order is closed its card payments are checked: not in a session that is closed already."""
        closed = self.env["pos.session"].browse(session_id).sudo().state == "closed"
        moved = self.filtered(
            lambda order: order.session_id.id != session_id and (closed or order.state != "draft")
        )
        if moved.sudo().viva_transaction_ids:
            raise UserError(
                self.env._(
                    "An order with card payments stays in its session, or goes into one that is open."
                )
            )

    def _viva_refuse_closed_session(self):
        """An order with card payments is not paid in a session whose books are closed: nobody would see it."""
        late = self.filtered(
            lambda order: order.state == "draft" and order.session_id.state == "closed"
        )
        if late.sudo().viva_transaction_ids:
            raise UserError(
                self.env._(
                    "The session of this order is closed. Recall the order at the till first."
                )
            )

    def _viva_refuse_other_identity(self, uuid):
        """The ledger knows orders by their uuid: one with card operations keeps it, and no other takes it."""
        changed = self.filtered(lambda order: order.uuid != uuid)
        known = [uuid, *changed.mapped("uuid")]
        if changed and (
            self.env["viva.transaction"]
            .sudo()
            .search_count([("order_uuid", "in", list(filter(None, known)))], limit=1)
        ):
            raise UserError(
                self.env._("An order with card payments keeps its identity: it cannot be changed.")
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_viva(self):
        self._viva_refuse_removal()

    def _viva_refuse_removal(self):
        for order in self:
            charged = order._viva_charged()
            if charged:
                raise UserError(
                    self.env._(
                        "Order %(order)s carries card payments and cannot be cancelled: %(payments)s. Finish the order, "
                        "or give the money back, or let a manager hand the payment over to the accountant.",
                        order=order.pos_reference or order.name,
                        payments=", ".join(transaction._headline() for transaction in charged),
                    )
                )

    # -- finishing an order whose till has died -----------------------------------------------------

    def action_viva_attach(self):
        """Put approved card payments on a draft order and, when it is paid in full, validate it."""
        self.ensure_one()
        if not self.env.user.has_group("viva_payments.group_viva_manager"):
            raise AccessError(self.env._("Only a Viva manager may add a card payment to an order."))
        return self._viva_attach()

    def _viva_attach(self):
        """See `action_viva_attach`; the caller has checked the right."""
        self.ensure_one()
        self.check_access("write")
        if self.state != "draft":
            raise UserError(self.env._("This order is not open any more."))
        approved = self._viva_charged().filtered(
            lambda transaction: transaction.state == "approved" and not transaction._is_voided()
        )
        if not approved:
            raise UserError(self.env._("There is no approved card payment for this order."))
        for transaction in approved:
            payment = self.payment_ids.filtered(
                lambda record, transaction=transaction: record.uuid == transaction.payment_uuid
            )
            values = {
                "amount": transaction._payment_amount(),
                "payment_status": "done",
                "transaction_id": transaction.viva_transaction_id,
                "card_brand": transaction.card_brand,
                "card_no": transaction.card_last4,
                "payment_method_authcode": transaction.authorisation_code,
                "payment_ref_no": transaction.rrn,
                "ticket": transaction._slip(),
                "viva_attempt": transaction.attempt,
            }
            if payment:
                payment.write(values)
            else:
                methods = self.config_id.payment_method_ids.filtered(
                    lambda record: record._is_viva()
                )
                # Its own one, also when its terminal was replaced since.
                method = (transaction.payment_method_id & methods) or methods.filtered(
                    lambda record, transaction=transaction: (
                        transaction.terminal_id in record.viva_terminal_ids
                    )
                )[:1]
                if not method:
                    raise UserError(
                        self.env._(
                            "No payment method of this till has terminal %s.",
                            transaction.terminal_viva_id,
                        )
                    )
                self.add_payment(
                    {
                        **values,
                        "pos_order_id": self.id,
                        "payment_method_id": method.id,
                        "uuid": transaction.payment_uuid,
                        "payment_date": transaction.settled_at,
                    }
                )
        # What the dead till had only begun is no payment.
        begun = self.payment_ids.filtered(
            lambda payment: payment.payment_status not in (False, "done")
        )
        begun.filtered(
            lambda payment: payment.viva_state not in ("proven", "forced", "open", "unknown")
        ).unlink()
        self.amount_paid = sum(self.payment_ids.mapped("amount"))
        if self.currency_id.is_zero(self.amount_total - self.amount_paid):
            self._process_saved_order(False)
        return True

    def _viva_carries_tip(self, transaction):
        """A tip that counts as part of the order is a line of it: it is never change."""
        if transaction.tip_booking != "product":
            return True
        product = self.config_id.tip_product_id
        lines = self.lines.filtered(lambda line: product and line.product_id == product)
        carried = sum(lines.mapped("price_subtotal_incl"))
        return self.currency_id.compare_amounts(transaction.tip_amount, carried) <= 0

    # -- parked with a hold --------------------------------------------------------------------------

    @api.model
    def _load_pos_data_domain(self, data, config):
        return Domain(super()._load_pos_data_domain(data, config)) & NOT_PARKED

    @api.model
    def read_pos_orders(self, domain=False):
        # Until it is recalled, no till sees a parked order.
        return super().read_pos_orders(Domain(domain or []) & NOT_PARKED)

    def _viva_is_parked(self):
        """It waits for its recall. An order that was paid meanwhile, by a tab that had it open, does not."""
        self.ensure_one()
        return self.viva_parked and self.state == "draft"

    def action_view_viva_transactions(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "viva_payments.action_viva_transaction"
        )
        return {**action, "domain": [("id", "in", self.viva_transaction_ids.ids)]}
