"""Look up: Viva's list of transactions as the witness of what a terminal in the shop or the app has told, or not told.

Neither has a session at Viva's cloud that Odoo could read. What the gateway reports counts at once and is marked until
the list confirms it; an answer that was lost is found in the list by our reference; a no is compared with it more than
once; and a difference is an alarm. What is not in the list was not carried out only where nobody can have started it
(see `_settle_app_in_vain`): Viva may list a payment late, an offline one by days.
"""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta, timezone

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models

from ..drivers import (
    Asked,
    AskedReversal,
    Entry,
    Outcome,
    judge_children,
    judge_entries,
    to_minor,
)
from .ledger import LOCK_LIST, in_ledger, own_cursor
from .viva_transaction import FINAL_NO
from .viva_transaction_api import API_MISSING_AFTER
from .viva_transaction_give_back import VIVA_ZONE
from .viva_transaction_settle import CONTRADICTION_SECONDS, DEADLINE
from .ways import APP, LAN

# Times in seconds.
# How often Viva's list is read for one operation: (up to this age, not more often than every …).
PACE = ((150, 10), (600, 30), (3600, 120), (24 * 3600, 900), (float("inf"), 3600))
# … and for one that counts already by the terminal's word.
PACE_CONFIRM = ((600, 120), (3600, 300), (24 * 3600, 1800), (float("inf"), 6 * 3600))
HASTE = 3  # … and with news (an event, the app's return) after so long already
LAN_ENDS = (
    240  # a terminal in the shop answers within 180; later nobody can try again in the same request
)
# A no is compared with the list so long after it: lists lag, and a card may be faster than a cancellation.
RECHECKS = (20, 90, 300, 600, 3600, 6 * 3600, 24 * 3600)
# A gateway's word that Viva has not confirmed for so long is a task for a person; an offline payment travels later.
UNCONFIRMED_AFTER, UNCONFIRMED_OFFLINE_AFTER = 24 * 3600, 72 * 3600
UNLISTED_AFTER = (
    1800  # … and when Viva's list was read and lacks what was approved online, already then
)
LOOKED_FOR = timedelta(days=14)
# One look: so many operations, so many single questions, no new question after so long.
MOST, MOST_SINGLE, BUDGET, READ_TIMEOUT = 200, 10, 4, 5
# The clocks of Viva and Odoo may differ: a row that is older than its request by more is of something else.
SKEW = timedelta(minutes=10)


@dataclass(frozen=True)
class Question:
    """What is asked of Viva's list about one operation; needs no cursor.

    :param told_id: Viva's id of it, as the app has named it
    :param order_code: where it has to be, when that is known
    :param days: the days (in Athens) in whose lists it may be
    """

    id: int
    asked: Asked
    reversal: AskedReversal | None
    told_id: str
    order_code: str
    days: tuple
    is_in_app: bool = False

    def judge(self, entries):
        """The verdict of these rows, or None: they say nothing about it."""
        if self.reversal:
            return judge_children(self.reversal, entries)
        return judge_entries(self.asked, entries)

    def is_answered(self, entries):
        verdict = self.judge(entries)
        return bool(verdict and verdict.state == "approved")


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    # -- whether ---------------------------------------------------------------------------------

    def _is_looked_up(self):
        """Whether Viva's list is the only witness of it."""
        self.ensure_one()
        return self.origin == "odoo" and self.protocol in (*LAN, APP)

    def _is_unconfirmed(self):
        """It counts as approved by the terminal's word alone."""
        self.ensure_one()
        return self.state == "approved" and self.word == "gateway" and not self.is_forced

    def _is_overdue(self):
        """Viva should have confirmed it long ago."""
        limit = UNCONFIRMED_OFFLINE_AFTER if self.is_offline else UNCONFIRMED_AFTER
        return self._is_unconfirmed() and self._age() >= limit

    def _is_late_word(self):
        """For the daily journal: a day has passed and only the terminal says it, offline or not."""
        return self._is_unconfirmed() and self._age() >= UNCONFIRMED_AFTER

    def _may_look(self):
        """Whether the list can bring news about it in the state in which it is."""
        if self.is_forced or self.state == "unknown":
            return True
        if self.state in ("sent", "pending"):
            # The gateway tells what goes on at its terminals, unless Viva is faster.
            return self.protocol == APP or self._has_success_event() or self._age() > DEADLINE
        if self.state == "approved" and self.word == "gateway":
            return True
        return bool(self.recheck_at and self.recheck_at <= fields.Datetime.now())

    def _is_look_due(self):
        """Whether it is time to read the list for it (again)."""
        if not self._may_look():
            return False
        now, age = fields.Datetime.now(), self._age()
        since = (now - (self.looked_at or self.sent_at or self.create_date)).total_seconds()
        is_recheck = self.recheck_at and self.recheck_at <= now
        if self._has_news() or is_recheck:
            return not self.looked_at or since >= HASTE
        table = PACE_CONFIRM if self._is_unconfirmed() else PACE
        return since >= next(pace for limit, pace in table if age < limit)

    def _has_news(self):
        """Somebody has hinted at a result since the list was read."""
        hints = [event.received_at for event in self.event_ids]
        if self.app_told_at:
            # What has just been paid may be listed a moment later.
            hints += [self.app_told_at, self.app_told_at + timedelta(seconds=15)]
        now = fields.Datetime.now()
        return any(hint <= now and (not self.looked_at or hint >= self.looked_at) for hint in hints)

    # -- look ------------------------------------------------------------------------------------

    @api.model
    def _look_if_due(self, transaction_id):
        with own_cursor(self.env) as env:
            due = env["viva.transaction"].browse(transaction_id)._is_look_due()
        if due:
            self._look([transaction_id])

    @api.model
    def _look(self, transaction_ids):
        """Read Viva's list about these operations, and about whatever else of their accounts is due with them."""
        with own_cursor(self.env) as env:
            wanted = env["viva.transaction"].browse(transaction_ids).exists()
            wanted = wanted.filtered(lambda transaction: transaction._is_looked_up())
            by_account = {
                account.id: found.ids for account, found in wanted.grouped("account_id").items()
            }
        for account_id, ids in by_account.items():
            self._look_for_account(account_id, ids)

    @api.model
    def _look_for_account(self, account_id, wanted_ids):
        with own_cursor(self.env) as env:
            account = env["viva.account"].browse(account_id)
            if account.is_foreign_database or not account._has_api_keys():
                return
            connection = self.env["viva.connection"]._store(account)
            if connection.is_silent(env):
                return
            driver = account._transactions_api(read_timeout=READ_TIMEOUT)
            wanted = env["viva.transaction"].browse(wanted_ids)
            due = wanted | wanted._due_with(account)
            questions = [transaction._question_to_list() for transaction in due[:MOST]]
        with self._list_slot(account_id) as free:
            if not free or not connection.may_ask():
                return
            began = fields.Datetime.now()

            def ask():
                answers = self._read_lists(driver, questions)
                connection.heard()
                return answers

            answers = self._ask(connection, wanted_ids, ask)
        if answers is None:
            self._note_look(wanted_ids, began)
            return
        for question in questions:
            if question.id in answers:
                self._settle_look(question, *answers[question.id], began)

    @api.model
    def _note_look(self, transaction_ids, began):
        """Viva gave no answer that says anything: it is not asked again at once."""
        in_ledger(
            self.env,
            lambda env: env["viva.transaction"].browse(transaction_ids).write({"looked_at": began}),
        )

    @api.model
    def _due_with(self, account):
        """Other operations of the account that are due."""
        now = fields.Datetime.now()
        found = self.search(
            [
                ("account_id", "=", account.id),
                ("protocol", "in", (*LAN, APP)),
                ("origin", "=", "odoo"),
                ("sent_at", ">", now - LOOKED_FOR),
                "|",
                "|",
                "|",
                ("state", "in", ("sent", "pending", "unknown")),
                "&",
                ("word", "=", "gateway"),
                ("state", "=", "approved"),
                ("recheck_at", "<=", now),
                ("is_forced", "=", True),
            ],
            order="sent_at desc",
            limit=MOST,
        )
        return found.filtered(lambda transaction: transaction._is_look_due())

    @contextmanager
    def _list_slot(self, account_id):
        """One reading of the lists at a time per account: whoever comes meanwhile asks again later."""
        with own_cursor(self.env) as env:
            env.cr.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (LOCK_LIST, account_id))
            yield env.cr.fetchone()[0]

    def _question_to_list(self):
        self.ensure_one()
        return Question(
            id=self.id,
            asked=self._asked(),
            reversal=self._asked_reversal() if self.parent_id.viva_transaction_id else None,
            told_id=self._told_id(),
            order_code=self.parent_id.order_code or self.order_code or "",
            days=tuple(self._days_at_viva()),
            is_in_app=self.protocol == APP,
        )

    def _told_id(self):
        """Viva's id of this operation as the terminal, the app or an event has named it: where to look, no proof."""
        told = self.viva_transaction_id or (self.app_answer or {}).get("transaction_id")
        for event in self.event_ids if not told else ():
            data = (event.payload or {}).get("EventData")
            named = data.get("TransactionId") if isinstance(data, dict) else None
            if event.event_type_id in self._success_events() and isinstance(named, str):
                told = named
        return told if told and len(told) <= 64 and told.isprintable() else ""

    def _days_at_viva(self):
        """The days in whose lists it may be, the likeliest first."""
        sent = (self.sent_at or self.create_date).replace(tzinfo=timezone.utc)
        moments = [sent + timedelta(hours=hours) for hours in (0, 1, -1)]
        # What was paid without network is dated when it reached Viva, perhaps days later.
        now = fields.Datetime.now().replace(tzinfo=timezone.utc)
        moments += [now, now - timedelta(days=1)] if self._age() > 24 * 3600 else [now]
        today = fields.Datetime.now().replace(tzinfo=timezone.utc).astimezone(VIVA_ZONE).date()
        days = [moment.astimezone(VIVA_ZONE).date() for moment in moments]
        return [day for day in dict.fromkeys(days) if day <= today]

    @staticmethod
    def _read_lists(driver, questions):
        """Read what Viva's lists say: few single questions, then each day once for all of them.

        :return: {id: ([Entry], whether that is all that Viva lists of it)}
        """
        end = time.monotonic() + BUDGET
        single, by_day, answers = 0, {}, {}
        for question in questions:
            entries, complete, read = [], False, False
            if (question.told_id or question.order_code) and single < MOST_SINGLE:
                if time.monotonic() > end:
                    break
                single, read = single + 1, True
                if question.reversal or not question.told_id:
                    entries = driver.of_order(question.order_code) if question.order_code else []
                    complete = bool(question.reversal) and _knows_parent(question, entries)
                else:
                    found = driver.find(question.told_id)
                    entries = [found] if found else []
            # The app can be opened twice with one address: the day tells of all that carries our reference.
            if not question.reversal and (question.is_in_app or not question.is_answered(entries)):
                for day in question.days:
                    if day not in by_day:
                        if time.monotonic() > end:
                            break
                        by_day[day] = driver.of_day(day)
                    entries = entries + by_day[day]
                complete = all(day in by_day for day in question.days)
            if read or complete or question.judge(entries):
                answers[question.id] = entries, complete
        return answers

    # -- settle ----------------------------------------------------------------------------------

    @api.model
    def _settle_look(self, question, entries, complete, began):
        """Read rows of Viva's list into the ledger. Idempotent.

        :param complete: nothing more is listed about it
        :param began: when the list was asked for
        """

        def work(env):
            transaction = env["viva.transaction"].browse(question.id)._lock()
            if not transaction._may_look():
                return
            transaction.write({"looked_at": began})
            ours = transaction._vouched(entries)
            verdict = question.judge(ours)
            is_open_no = verdict and verdict.state in FINAL_NO and not transaction._is_over()
            if verdict is None or is_open_no:
                transaction._settle_in_vain(complete, began)
                return
            decisive = [entry for entry in ours if entry.transaction_id == verdict.transaction_id]
            transaction._settle_listed(verdict, decisive[0] if decisive else Entry(""))

        in_ledger(self.env, work, repeat_on=(UniqueViolation,))
        self.env["viva.event"]._process([question.id])

    def _vouched(self, entries):
        """Of rows without our reference the one that the app has named counts as ours, if it was made of the parent."""
        told = (self.app_answer or {}).get("transaction_id") or ""
        if not (self.parent_id and told):
            return list(entries)
        theirs = ("", self.parent_id.merchant_reference)
        since = self.sent_at.replace(tzinfo=timezone.utc) - SKEW
        known = {viva_id.lower() for viva_id in self._asked_reversal().known_ids}

        def is_named(entry):
            return (
                entry.transaction_id.lower() == told.lower()
                and entry.transaction_id.lower() not in known
                and entry.merchant_reference in theirs
                and (entry.created_at is None or entry.created_at >= since)
            )

        return [self._with_reference(entry) if is_named(entry) else entry for entry in entries]

    def _with_reference(self, entry):
        return Entry(**{**vars(entry), "merchant_reference": self.merchant_reference})

    def _is_over(self):
        """Whether nobody can try again any more within this request: only then a no of the list is one."""
        if self.state in FINAL_NO:
            return True
        if self.state == "approved":
            return self._age() > API_MISSING_AFTER
        if self._is_said_to_have_succeeded():
            # An attempt of the same request that failed before is listed already, the success not yet.
            return False
        if self.protocol == APP:
            return self._is_app_done() or self._is_app_time_over()
        return self._age() > LAN_ENDS

    def _is_said_to_have_succeeded(self):
        """An event or the app says so: no proof, and no no before Viva's list has explained it."""
        said = (self.app_answer or {}).get("status")
        return said == "success" or self._has_success_event()

    def _settle_listed(self, verdict, entry):
        if self._is_unconfirmed():
            self._compare_word(verdict, entry)
            return
        if self.state == "approved" and not self.is_forced:
            self._compare_booked(verdict, entry)
            return
        outcome = Outcome(
            transaction_id=entry.transaction_id,
            transaction_type_id=entry.type_id,
            order_code=entry.order_code,
            rrn=entry.rrn,
            authorisation_code=entry.authorisation_code,
            tid=entry.terminal_id,
            card_brand=entry.card_brand,
            card_last4=entry.card_last4,
            card_masked=entry.card_masked,
            installments=entry.installments,
            success=verdict.state != "declined",
            raw=entry.raw,
        )
        self._settle_verdict(verdict, outcome, "viva")
        if self.state in FINAL_NO and not self.is_contradicted:
            self.write({"recheck_at": self._next_recheck()})

    def _next_recheck(self):
        """When a no is compared with the list the next time; False: it was often enough."""
        now, settled = fields.Datetime.now(), self.settled_at or fields.Datetime.now()
        if self._has_success_event() and self._age() < CONTRADICTION_SECONDS:
            return now + timedelta(seconds=RECHECKS[1])
        moments = [settled + timedelta(seconds=seconds) for seconds in RECHECKS]
        return next((moment for moment in moments if moment > now), False)

    def _compare_word(self, verdict, entry):
        """Viva's list about what a gateway has reported as approved."""
        currency = self.currency_id.name
        reason = verdict.reason or verdict.message_code
        if verdict.state == "approved":
            reason = ""
            known = (self.viva_transaction_id or entry.transaction_id).lower()
            if verdict.approved_amount != to_minor(self.approved_amount, currency):
                reason = "amount"
            elif entry.transaction_id.lower() != known or self._is_taken(entry.transaction_id):
                reason = "transaction_id"
        if reason:
            state = "unknown" if verdict.state == "approved" else verdict.state
            self._contradict_word(self._difference(state, reason), entry)
            return
        learned = {
            "rrn": entry.rrn,
            "authorisation_code": entry.authorisation_code,
            "card_brand": entry.card_brand,
            "card_last4": entry.card_last4,
            "card_masked": entry.card_masked,
            "tid": entry.terminal_id,
            "installments": entry.installments,
        }
        self.write(
            {
                **{name: value for name, value in learned.items() if not self[name]},
                "viva_transaction_id": entry.transaction_id,
                "order_code": entry.order_code or self.order_code or self.parent_id.order_code,
                "transaction_type_id": entry.type_id or 0,
                "word": "viva",
                "is_contradicted": False,
            }
        )
        self._step(
            "read",
            note=self.env._("Viva confirms what the terminal has told."),
            raw=dict(entry.raw),
        )
        self._tell()

    def _compare_booked(self, verdict, entry):
        """Once more after an approval in the app: is there a second payment under the same reference?"""
        self.write({"recheck_at": False})
        if verdict.reason != "twice":
            return
        self._step(
            "read", note=self._difference(verdict.state, verdict.reason), raw=dict(entry.raw)
        )
        self._alarm(
            self.env._("Paid twice?"),
            self.env._(
                "Viva lists two payments under reference %(reference)s (%(payment)s): the app was opened twice. Give one "
                "of them back in Viva's portal.",
                reference=self.merchant_reference,
                payment=self._headline(),
            ),
        )

    def _contradict_word(self, difference, entry):
        """What the terminal has told and what Viva lists is not the same. Told once; it is looked at again.

        :param difference: words for a person
        """
        if self.is_contradicted:
            return
        self.write({"is_contradicted": True})
        self._step("read", note=difference, raw=dict(entry.raw))
        self._alarm(
            self.env._("Viva lists something else than the terminal has told"),
            self.env._(
                "The terminal has reported %(payment)s as approved; what Viva lists differs (%(difference)s). Look into "
                "Viva's portal for reference %(reference)s and correct what is booked.",
                payment=self._headline(),
                difference=difference,
                reference=self.merchant_reference,
            ),
        )
        self._tell()

    def _settle_in_vain(self, complete, began):
        """Viva's list has nothing of it, or nothing that is final."""
        if self.state in FINAL_NO:
            if complete and not self.is_forced:
                self.write({"recheck_at": self._next_recheck()})
        elif self.state == "approved":
            if complete and self.is_forced:
                self._tend_forced()
            if self.recheck_at:
                self.write({"recheck_at": False})
            self._tend_unconfirmed(is_unlisted=complete)
        elif self.protocol == APP:
            self._settle_app_in_vain(complete, began)

    def _tend_forced(self):
        """A person has accepted it, and long after that Viva does not list it: told once; the decision stands."""
        if not self.is_contradicted and self._age() >= UNCONFIRMED_AFTER:
            self.write({"is_contradicted": True})
            self._alarm_denied()

    def _is_overdue_word(self):
        return self._is_overdue() and not self.alarmed_at

    def _tend_unconfirmed(self, is_unlisted=False):
        """Long after the terminal's word Viva still does not list it: a person looks at it.

        :param is_unlisted: Viva's list was just read, and does not have it
        """
        is_late = is_unlisted and not self.is_offline and self._age() >= UNLISTED_AFTER
        is_overdue = self._is_overdue() or (self._is_unconfirmed() and is_late)
        if self.alarmed_at or not is_overdue:
            return
        self.write({"alarmed_at": fields.Datetime.now()})
        self._alarm(
            self.env._("Viva has not confirmed a payment"),
            self.env._(
                "The terminal has reported %(payment)s as approved; %(minutes)s minutes later Viva has not confirmed it. Look "
                "at the terminal (stored payments?) and into Viva's portal for reference %(reference)s. Without Merchant "
                "ID and API Key on the Viva account Odoo cannot ask Viva.",
                payment=self._headline(),
                minutes=self._age() // 60,
                reference=self.merchant_reference,
            ),
        )


def _knows_parent(question, entries):
    """The rows show the original itself: so they are those that would tell."""
    parent_id = question.reversal.parent_transaction_id.lower()
    return any(entry.transaction_id.lower() == parent_id for entry in entries)
