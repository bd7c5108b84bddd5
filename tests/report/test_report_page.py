"""The page: complete, escaped, and whole in one file."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

from keepsight.report import Report, ReportQuestion, render_report
from keepsight.report.page import MAX_CITATIONS_SHOWN, kept_percent
from tests.report.report_records import EVIL, small_report


class Page(HTMLParser):
    """Collects ids, link targets, tags and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside = tag
        for name, value in attrs:
            self.attributes.append((name, value or ""))
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def test_every_link_leads_to_one_place_on_the_page() -> None:
    page = Page(render_report(small_report()))
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert {f"clip-{index}" for index in range(5)} <= set(page.ids)


def test_texts_are_shown_as_they_are_and_never_become_markup() -> None:
    html = render_report(small_report())
    page = Page(html)
    assert EVIL in page.text
    assert "Where is <i>it</i>?" in page.text
    assert "<script>document" not in html
    assert page.tags.count("script") == 1


def test_the_policy_allows_the_pages_own_script_and_nothing_from_elsewhere() -> None:
    html = render_report(small_report())
    page = Page(html)
    (policy,) = [value for name, value in page.attributes if value.startswith("default-src")]
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["img-src"] == "data:"
    assert not re.search(r"""(?:src|href|url\()\s*=?\s*["']?\s*(?:https?:)?//""", html)


def test_everything_of_the_report_is_on_the_page() -> None:
    text = Page(render_report(small_report())).text
    for words in (
        "kitchen <b>.mp4",
        "tiny",
        "in the park: thing 4 waits.",
        "02:40",
        "The video ends early.",
        "sample_fps",
    ):
        assert words in text
    assert "from 3 captions; 2 more did not fit" in text
    assert "without any caption" in text


def test_the_memory_strip_holds_the_clips_in_memory() -> None:
    html = render_report(small_report())
    strip = html[html.index('<ul class="memory">') :].split("</ul>")[0]
    assert re.findall(r'href="#clip-(\d+)"', strip) == ["3", "4"]
    assert strip.count("<img") == 2


def test_an_empty_report_is_a_page_that_says_so() -> None:
    page = Page(render_report(Report("a.mp4", "tiny", [])))
    assert "No clips: nothing has been captioned yet, or the quota removed all." in page.text
    assert "article" not in page.tags


def test_kept_share_is_counted_over_the_clips() -> None:
    assert kept_percent(small_report()) == 4 / 64 * 100
    assert kept_percent(Report("a.mp4", "tiny", [])) is None


def test_the_timeline_marks_the_clips_that_stand_under_an_answer() -> None:
    """Not all that the model was given, which may be every clip there is."""
    report = small_report()
    asked = ReportQuestion("Where does thing 3 wait?", "in the park", 160.0, (0, 1, 2, 3, 4))
    html = render_report(replace(report, questions=[asked]))
    (answered,) = re.findall(r'<ul class="closest">(.*?)</ul>', html)
    marked = re.findall(r'<a href="#clip-(\d)" class="[^"]*cited"', html)
    assert sorted(marked) == sorted(re.findall(r'href="#clip-(\d)"', answered))
    assert len(marked) == MAX_CITATIONS_SHOWN


def test_who_answered_is_said_if_it_was_another_server() -> None:
    asked = ReportQuestion("Where?", "There.", 64.0, (0, 1))
    url = "http://localhost:11434/v1"
    far = replace(asked, answer_model="qwen3", answer_url=url)
    near = replace(asked, answer_model="tiny")
    pages = [Page(render_report(replace(small_report(), questions=[one]))).text for one in (asked, near, far)]
    assert [f"by qwen3 at {url}" in text for text in pages] == [False, False, True]
