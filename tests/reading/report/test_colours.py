"""The colours of a page: enough contrast for text and for marks, in light, in dark and in print."""

import re
from importlib.resources import files

import pytest

TEXT, MARK = 4.5, 3.0  # of WCAG 2.2, level AA
STYLE = files("mnist_tracking.reading.report").joinpath("page.css").read_text("utf-8")
SCHEMES = dict(zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL), strict=True))
PAIRS = [
    *((colour, ground, TEXT) for colour in ("ink", "dim", "best", "bad", "link") for ground in ("page", "soft")),
    *((colour, "best-soft", TEXT) for colour in ("ink", "dim", "best")),
    *((colour, "page", MARK) for colour in ("q0", "q1", "q2", "q3", "q4", "blank", "pruned", "best", "bad", "dim")),
]


def luminance(colour: str) -> float:
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_and_marks_have_contrast(scheme: str) -> None:
    colours = dict(re.findall(r"--([\w-]+): #(\w+);", SCHEMES[scheme]))

    low = []
    for one, other, least in PAIRS:
        dark, light = sorted((luminance(colours[one]), luminance(colours[other])))
        if (light + 0.05) / (dark + 0.05) < least:
            low.append((one, other))

    assert low == []
