"""Words of a command line that give something a value."""

from collections.abc import Sequence
from typing import Any

import yaml

from normlab.errors import NormlabError


def parsed(words: Sequence[str]) -> dict[str, Any]:
    """``net.widths=[32,64]`` as {"net.widths": [32, 64]}.

    Raises:
        NormlabError: for a word without a name or a value.
    """
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise NormlabError(
                f"{word!r} is no option; write key=value, such as norm.num_groups=4 or net.widths=[32,64]"
            )
        found[name] = yaml.safe_load(value)
    return found
