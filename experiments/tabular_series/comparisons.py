"""Which norm for series, forecasts and recommendation."""

from normlab.core.claim import Text
from normlab.report.comparison import Comparison

COMPARED = (
    Comparison("voices", Text("Series, five voices", "系列、五つの声"), "voices", (("series", {}),)),
    Comparison("leaves", Text("Series, outlines of leaves", "系列、葉の輪郭"), "leaves", (("series", {}),)),
    Comparison(
        "power_season",
        Text("Series, season from power demand", "系列、電力需要から季節"),
        "power_season",
        (("series", {}),),
    ),
    Comparison(
        "power_forecast",
        Text("Forecast of power demand", "電力需要の予測"),
        "power_forecast",
        (("forecasts", {}),),
    ),
    Comparison(
        "movielens",
        Text("Recommendation, MovieLens-100k", "推薦、MovieLens-100k"),
        "movielens",
        (("ratings", {}),),
    ),
)
