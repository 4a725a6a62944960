"""What is said about a faulty file: every fault at once, each as `key: what is wrong; what to do`.

Its job: words. SECURITY: none of them holds what was in the file, where a secret may stand in the wrong place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeGuard, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_FAULT_SEPARATOR: Final = "\n"


def refuse(faults: Iterable[str]) -> None:
    """Raise all faults, if any, as one error: the library takes one error a validator."""
    found = list(faults)
    if found:
        raise ValueError(_FAULT_SEPARATOR.join(found))


def tell(error: ValidationError, model: type[BaseModel]) -> Iterable[str]:
    """Each fault as `key: what is wrong; what to do`, the latter from the descriptions of `model`'s keys."""
    for item in told_errors(error):
        where = place(item["loc"])
        description = _description(item["loc"], model)
        match item["type"]:
            case "missing":
                yield f"{where}: missing; set it: {description}"
            case "extra_forbidden":
                yield f"{where}: no such key; `xvm config example` shows all of them"
            case "value_error":
                for fault in item["msg"].removeprefix("Value error, ").split(_FAULT_SEPARATOR):
                    yield f"{where}: {fault}" if where else fault
            case _:
                message = item["msg"][0].lower() + item["msg"][1:]
                yield f"{where}: {message}; it is {description}"


def told_errors(error: ValidationError) -> list[ErrorDetails]:
    """The library's errors worth telling, without what was in the file.

    A sequence whose items are faulty is "too short" as well, for only faultless items are counted: that is left out.
    """
    items = error.errors(include_url=False, include_input=False)
    return [
        item
        for item in items
        if item["type"] != "too_short" or not any(_is_within(other["loc"], item["loc"]) for other in items)
    ]


def place(location: tuple[int | str, ...]) -> str:
    """A key as people write it, such as `chains[0].name`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _is_within(location: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def _description(location: tuple[int | str, ...], model: type[BaseModel] | None) -> str:
    """What the key at `location` means, from the model."""
    description = "see `xvm config example`"
    for key in (part for part in location if isinstance(part, str)):
        field = None if model is None else model.model_fields.get(key)
        if field is None:
            break
        description = field.description or description
        model = next((item for item in (field.annotation, *get_args(field.annotation)) if _is_model(item)), None)
    return description


def _is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
