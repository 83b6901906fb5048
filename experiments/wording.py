"""Words that several experiments share, and the Japanese of an experiment's own."""

from collections.abc import Callable
from pathlib import Path

import yaml

from normlab.core.claim import Text
from normlab.errors import NormlabError

ON_EACH_DATA_SET = Text("each data set", "各データセット")
RATIO_10_PERCENT = 0.09531017980432493  # ln 1.10: the smallest ratio that would matter, ×1.10.


def translated(file: str) -> Callable[[str], Text]:
    """What gives English texts of a folder's claims their Japanese, from ``ja.yaml`` beside ``file``: a list of pairs ``{en, ja}``.

    Raises:
        NormlabError: by what is returned, for a text that has no Japanese there.
    """
    source = Path(file).with_name("ja.yaml")
    known = {pair["en"]: pair["ja"] for pair in yaml.safe_load(source.read_text(encoding="utf-8"))}

    def text(en: str) -> Text:
        if en not in known:
            raise NormlabError(f"{source} lacks the Japanese of {en!r}")
        return Text(en, known[en])

    return text


def same(text: str) -> Text:
    """A text of numbers and names, which is the same in both languages."""
    return Text(text, text)
