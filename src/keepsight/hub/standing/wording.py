"""Words of a standing question to search captions for."""

import re

_WORD = re.compile(r"\w+")

_EMPTY = """
a an the this that these those some any there here it its is are was were be been being am do does did doing done
has have had will would can could should may might of to at on in into and or if when whenever once while as soon by
for from with tell me us let know notify inform alert warn say please i you we see seen saw watch look someone
something anything anyone somebody anybody what which who appear appears appeared appearing come comes came coming
arrive arrives arrived arriving enter enters entered entering show shows showed showing up visible now new happen
happens video picture caption clip scene answer yes no true
"""
_EMPTY_WORDS = frozenset(_EMPTY.split())


def content_words(question: str) -> list[str]:
    """Words that a caption must have, in order; empty if there are none.

    Words that only ask (`tell me when`) or only say that something is there or comes are left out.
    """
    return [word for word in _WORD.findall(question) if word.lower() not in _EMPTY_WORDS]
