"""Reads the JSON that a client sent, as Viva would, and remembers what was wrong with it."""

from collections.abc import Collection
from typing import Any

from starlette.requests import Request

from .access import Refused, detail
from .world import World


class Fields:
    """The fields of one body. Every reader answers the value, or notes an error and answers a stand-in."""

    def __init__(self, world: World, path: str, sent: dict[str, Any]) -> None:
        self.world = world
        self.path = path
        self.sent = sent
        self._errors: list[dict[str, Any]] = []

    def _error(self, name: str, message: str, kind: str) -> None:
        self._errors.append({"loc": ["body", name], "msg": message, "type": kind})
        self.world.violation(f"{name}: {message}", self.path, self.sent)

    def _get(self, name: str, required: bool) -> Any:
        value = self.sent.get(name)
        if value is None and required:
            self._error(name, "field required", "value_error.missing")
        return value

    def text(self, name: str, *, required: bool = False, number_too: bool = False) -> str | None:
        """A string. With ``number_too`` an integer is accepted as well, though the contract says string."""
        value = self._get(name, required)
        if value is None or isinstance(value, str):
            if value == "" and required:
                self._error(name, "must not be empty", "value_error")
            return value
        if number_too and isinstance(value, int) and not isinstance(value, bool):
            self.world.violation(
                f"{name}: a number where the contract says string", self.path, self.sent
            )
            return str(value)
        self._error(name, "str type expected", "type_error.str")
        return None

    def integer(self, name: str, *, required: bool = False, default: int = 0) -> int:
        """A whole number. A fraction is cut off without a word, as the real service does (3.4)."""
        value = self._get(name, required)
        if value is None:
            return default
        if isinstance(value, float):
            self.world.violation(f"{name}: a fraction was cut off", self.path, self.sent)
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self._error(name, "value is not a valid integer", "type_error.integer")
            return default
        return value

    def boolean(self, name: str, default: bool) -> bool:
        value = self.sent.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self._error(name, "value could not be parsed to a boolean", "type_error.bool")
            return default
        return value

    def mapping(self, name: str, *, required: bool = False) -> dict[str, Any] | None:
        value = self._get(name, required)
        if value is None or isinstance(value, dict):
            return value
        self._error(name, "value is not a valid dict", "type_error.dict")
        return None

    def expected(self, *names: str) -> None:
        """Fields that the contract asks for and that the service does without."""
        for name in names:
            if self.sent.get(name) is None:
                self.world.violation(f"{name}: missing", self.path, self.sent)

    def known(self, names: Collection[str]) -> None:
        """Unknown fields do no harm at Viva; here they are noted, since they are mostly misspelt."""
        for name in sorted(set(self.sent) - set(names)):
            self.world.violation(f"{name}: unknown field", self.path, self.sent)

    def refuse(self, what: str, status: int = 400) -> Refused:
        """A refusal for the content; noted."""
        self.world.violation(what, self.path, self.sent)
        return Refused(detail(status, what))

    @property
    def wrong(self) -> str:
        """What was wrong with the fields read so far, in one line."""
        return "; ".join(f"{error['loc'][-1]}: {error['msg']}" for error in self._errors)

    def check(self) -> None:
        """:raises Refused: when a field was missing or of a wrong type"""
        if self._errors:
            raise validation_error(self.world, self._errors)


def validation_error(world: World, errors: list[dict[str, Any]]) -> Refused:
    """The list form with 422, or the string form with 400: a switch, since it is not verified."""
    if world.settings.strict.missing_field == 400:
        return Refused(
            detail(400, "; ".join(f"{error['loc'][-1]}: {error['msg']}" for error in errors))
        )
    return Refused(detail(422, errors))


async def read(request: Request) -> Fields:
    """The body of a request, which has to be a JSON object.

    :raises Refused: the list form that integrators saw with a wrong content type (1.5)
    """
    world: World = request.app.state.world
    path = request.url.path
    error = {"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip().lower() != "application/json":
        world.violation("content type is not application/json", path, content_type)
        raise validation_error(world, [error])
    try:
        sent = await request.json()
    except ValueError:
        world.violation("body is not JSON", path, (await request.body()).decode(errors="replace"))
        raise validation_error(world, [error]) from None
    if not isinstance(sent, dict):
        world.violation("body is not an object", path, sent)
        raise validation_error(world, [error])
    return Fields(world, path, sent)
