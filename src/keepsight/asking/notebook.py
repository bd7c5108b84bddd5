"""HTML form of an answer for notebooks."""

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from keepsight.asking.answering import Answer, Citation
from keepsight.asking.relevance import closest_captions
from keepsight.journal import ClipRecord, Journal, StreamRecord

MAX_CITATIONS_SHOWN = 5
"""Citations shown with images; the others are collapsed."""


def closest_citations(answer: Answer) -> list[Citation]:
    """Citations that share most words with question and answer, in time order."""
    captions = [citation.caption for citation in answer.citations]
    places = closest_captions(captions, f"{answer.question} {answer.text}", MAX_CITATIONS_SHOWN)
    return [answer.citations[place] for place in places]


def with_pictures(answer: Answer, journal: Journal, stream: StreamRecord) -> Answer:
    """Answer with images of its citations."""
    found = (journal.clips.get(stream.id, citation.clip_index) for citation in closest_citations(answer))
    return replace(answer, clips=tuple(clip for clip in found if clip is not None))


def answer_html(answer: Answer) -> str:
    """Question, answer, citations and gaps as an HTML fragment; text of models and users is escaped."""
    clips = {clip.clip_index: clip for clip in answer.clips}
    closest = closest_citations(answer)
    others = [one for one in answer.citations if one not in closest]
    parts = [f"<p><i>{escape(answer.question)}</i></p>", f"<p><b>{escape(answer.text)}</b></p>"]
    parts += [_shown(one, clips.get(one.clip_index)) for one in closest]
    if others:
        parts.append(_folded(f"{len(others)} more captions the model was given", [_line(one) for one in others]))
    if answer.gaps:
        gaps = [f"<p>{gap.span} {escape(gap.reason)}</p>" for gap in answer.gaps]
        parts.append(_folded(f"not seen: {len(gaps)}", gaps))
    if answer.not_stored:
        parts.append(f"<p>not stored: {escape(answer.not_stored)}</p>")
    return f"<div>{''.join(parts)}</div>"


def _shown(citation: Citation, clip: ClipRecord | None) -> str:
    return _line(citation) if clip is None else clip._repr_html_()


def _line(citation: Citation) -> str:
    return f"<p>{citation.span} {escape(citation.caption)}</p>"


def _folded(summary: str, lines: Sequence[str]) -> str:
    return f"<details><summary>{escape(summary)}</summary>{''.join(lines)}</details>"
