"""Words that several experiments share."""

from normlab.core.claim import Text

ON_EACH_DATA_SET = Text("each data set", "各データセット")
RATIO_10_PERCENT = 0.09531017980432493  # ln 1.10: the smallest ratio that would matter, ×1.10.
