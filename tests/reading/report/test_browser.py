"""The page in a real browser: sorted, filtered, and looked at."""

from pathlib import Path

import pytest
from tests.support.pages import Page, needs_browser

pytestmark = needs_browser

NAMES = "[...document.querySelectorAll('#board-table tbody tr:not(.off) th')].map((cell) => cell.textContent)"
PRELUDE = f"""
    const names = () => {NAMES};
    const heading = (text) =>
      [...document.querySelectorAll("#board-table thead th")].find((cell) => cell.textContent === text);
    const click = (element) => element.dispatchEvent(new MouseEvent("click", {{ bubbles: true }}));
    const press = (element) => element.dispatchEvent(new KeyboardEvent("keydown", {{ key: " ", bubbles: true }}));
    const type = (text) => {{
      const filter = document.getElementById("filter");
      filter.value = text;
      filter.dispatchEvent(new Event("input"));
    }};
"""


def driven(page: Page, steps: str) -> object:
    """Run steps that return a value, with names(), heading(), click(), press() and type()."""
    return page.driven(f"() => {{ {PRELUDE} {steps} }}")


def test_headings_sort_and_what_is_missing_stays_last(page: Page) -> None:
    found = driven(
        page,
        """
        const found = {};
        for (const text of ["rate", "rate", "last accuracy", "trial"]) {
          press(heading(text).querySelector("[role=button]"));
          found[`${text} ${heading(text).ariaSort}`] = names();
        }
        found.sorted = document.querySelectorAll("[aria-sort]").length;
        return found;
        """,
    )

    assert found == {
        "rate ascending": ["worst", "good", "pruned", "best", "diverged", "failed"],
        "rate descending": ["failed", "diverged", "best", "pruned", "good", "worst"],
        "last accuracy ascending": ["pruned", "worst", "good", "best", "diverged", "failed"],
        "trial ascending": ["best", "diverged", "failed", "good", "pruned", "worst"],
        "sorted": 1,
    }


def test_the_filter_and_the_statuses_hide_trials_everywhere(page: Page) -> None:
    found = driven(
        page,
        """
        const found = { all: names() };
        const shown = () => document.getElementById("shown").textContent;
        const marks = () => document.querySelectorAll("#parameters svg .mark:not(.off)").length;
        type("ADAM 0.95");
        found.typed = [names(), shown(), marks()];
        type("nothing like it");
        found.nothing = [names(), shown(), marks()];
        type("");
        click(document.querySelector("[data-state=completed]"));
        found.chip = [names(), document.querySelector("[data-state=completed]").ariaPressed];
        return found;
        """,
    )

    assert found == {
        "all": ["best", "good", "worst", "pruned", "diverged", "failed"],
        "typed": [["best"], "1 of 6 trials", 3],
        "nothing": [[], "0 of 6 trials", 0],
        "chip": [["pruned", "failed"], "false"],
    }


def test_a_trial_is_marked_everywhere_by_pointer_and_by_keyboard(page: Page) -> None:
    found = driven(
        page,
        """
        const sections = () => [...document.querySelectorAll(".on")].map((mark) => mark.closest("section").id);
        const marked = () => [...new Set(sections())];
        const readout = document.getElementById("readout");
        const found = { before: [marked(), readout.hidden] };
        document.querySelector("#curves .curve.best").dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
        found.over = [marked(), readout.textContent.includes("best")];
        document.body.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
        found.away = [marked(), readout.hidden];
        const name = document.querySelector("#board-table tbody [role=button]");
        name.focus();
        name.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        document.body.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
        found.pinned = [marked(), name.ariaPressed];
        name.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
        found.released = name.ariaPressed;
        return found;
        """,
    )

    assert found == {
        "before": [[], True],
        "over": [["board", "parameters", "curves"], True],
        "away": [[], True],
        "pinned": [["board", "parameters", "curves"], "true"],
        "released": "false",
    }


def test_the_controls_are_reached_with_the_keyboard_and_have_names(page: Page) -> None:
    found = driven(
        page,
        """
        const controls = [...document.querySelectorAll("a[href], button, input, [tabindex], summary")];
        return controls
          .filter((one) => one.tabIndex < 0 || !(one.textContent || one.labels?.length || one.ariaLabel))
          .map((one) => one.outerHTML);
        """,
    )

    assert found == []


def test_the_page_asks_for_nothing_and_breaks_no_rule_of_its_policy(page: Page) -> None:
    found = driven(
        page,
        """
        return {
          fetched: performance.getEntriesByType("resource").map((one) => one.name),
          ready: !document.querySelector(".controls").hidden,
          evil: [...document.scripts].some((script) => script.textContent.startsWith("alert")),
        };
        """,
    )

    assert found == {"fetched": [], "ready": True, "evil": False}


def test_nothing_is_wider_than_a_phone(page: Page) -> None:
    """What is wide scrolls in a region of its own."""
    found = page.in_frame(390).driven(
        """() => {
        const page = document.getElementById("frame").contentDocument;
        const outside = ".scroll *, svg *, .hidden-text, .skip, #readout";
        const wide = [...page.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > 390);
        return {
          scrolls: page.documentElement.scrollWidth > page.documentElement.clientWidth,
          rows: page.querySelectorAll("#board-table tbody tr").length,
          wide: wide.filter((one) => !one.matches(outside)).map((one) => one.outerHTML.slice(0, 80)),
        };
        }"""
    )

    assert found == {"scrolls": False, "rows": 6, "wide": []}


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_of_it_are_not_blank(page: Page, tmp_path: Path, dark: bool) -> None:
    pillow = pytest.importorskip("PIL.Image")
    picture = pillow.open(page.picture(tmp_path / "page.png", dark=dark)).convert("RGB")
    colours = picture.getcolors(1 << 24)
    background = max(colours)[1]

    assert picture.size == (1200, 1600)
    assert len(colours) > 100
    assert (sum(background) < 200) == dark
    assert max(colours)[0] < 0.98 * 1200 * 1600
