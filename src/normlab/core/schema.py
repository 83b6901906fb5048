"""Typed data from the outside: strict models, and one line for whatever is wrong with them."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from normlab.errors import NormlabError

LARGEST = 2**31 - 1  # of any count
Count = Annotated[int, Field(gt=0, le=LARGEST)]
Share = Annotated[float, Field(ge=0, le=1)]
ProperShare = Annotated[float, Field(ge=0, lt=1)]


class Strict(BaseModel):
    """Immutable, without room for a key that nobody reads, and without numbers that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def check(model: type[Model], values: Mapping[str, Any], origin: str = "") -> Model:
    """``values`` as a typed ``model``.

    Raises:
        NormlabError: with the path of each bad value, what was expected and what was got; ``origin`` stands before it.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise NormlabError(origin + "; ".join(_problem(detail)[:300] for detail in error.errors())) from None
    except (OverflowError, RecursionError) as error:  # numbers and depths beyond what Python itself takes
        raise NormlabError(f"{origin}{error}") from None


def _problem(detail: Mapping[str, Any]) -> str:
    """One of pydantic's complaints in the words of the command line; our own name their field themselves."""
    if detail["type"] == "value_error":
        return str(detail["msg"]).removeprefix("Value error, ")
    path = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return f"{path}: there is no such setting"
    if detail["type"] == "missing":
        return f"{path}: has no value"
    return f"{path}: {detail['msg']} (got {detail['input']!r})"
