from odoo import api, models
from odoo.addons.viva_payments.models.viva_transaction_start import OFFICE
from odoo.exceptions import AccessError, UserError

MANAGER = "viva_payments.group_viva_manager"


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    @api.model
    def pos_force(self, attempt, reason, credentials=None):
        """As without employees; on a till with employee login the user of the browser decides nothing.

        :param credentials: {"employee_id": int, "pin": str} of a manager
        :raise UserError: wrong PIN, or locked after five wrong ones
        """
        self._require_cashier()
        transaction = self.browse(self._mine([("attempt", "in", self._read_uuids([attempt]))]))
        if transaction.pos_config_id.module_pos_hr and not credentials:
            raise UserError(
                self.env._("Choose the manager who accepts this payment, and enter the PIN.")
            )
        if transaction:
            self = self.with_context(allowed_company_ids=transaction.company_id.ids)
        return super().pos_force(attempt, reason, credentials)

    @api.model
    def pos_deciders(self):
        """Who may accept a doubtful payment with a PIN: `[{"id": int, "name": str}]`, employees by name."""
        self._require_cashier()
        return [
            {"id": employee.id, "name": employee.name}
            for employee in self._deciders(self.env.companies)
        ]

    @api.model
    def _deciders(self, companies):
        """Employees of `companies` with a PIN whose own user is a Viva manager there, in superuser mode."""
        employees = (
            self.env["hr.employee"]
            .sudo()
            .search(
                [
                    ("company_id", "in", companies.ids),
                    ("pin", "not in", (False, "")),
                    ("user_id.all_group_ids", "in", self.env.ref(MANAGER).ids),
                ],
                order="name",
            )
        )
        return employees.filtered(
            lambda employee: (
                employee.user_id.active and employee.company_id in employee.user_id.company_ids
            )
        )

    @api.model
    def _needs_credentials(self, configs):
        """On a till with employee login whoever uses the browser gives no money back by that login alone."""
        if self.env.context.get("viva_place") is OFFICE:
            return super()._needs_credentials(configs)
        return any(configs.mapped("module_pos_hr")) or super()._needs_credentials(configs)

    @api.model
    def _deciding_person(self, credentials):
        """With credentials, the manager to whom employee and PIN belong."""
        if not credentials:
            return super()._deciding_person(credentials)
        employee_id = credentials.get("employee_id") if isinstance(credentials, dict) else None
        employee = self._deciders(self.env.companies).filtered(
            lambda employee: employee.id == employee_id
        )
        if not employee:
            raise AccessError(
                self.env._(
                    "Only an employee with a PIN who is a Viva manager may accept an unconfirmed payment."
                )
            )
        self.env["viva.pin.guard"]._require_pin(employee, credentials.get("pin"))
        return employee.user_id

    def _status(self, silent, may_decide):
        if self._may_decide() and self.pos_config_id.module_pos_hr:
            may_decide = bool(self._deciders(self.company_id))
        return super()._status(silent, may_decide)
