"""English words of questions: which say what is asked for, and which only ask."""

import re

_WORD = re.compile(r"\w+(?:[-’']\w+)*")

_ENGLISH_PAIR = re.compile(r"\b(?:is|was|has|had|in|on|to|by) (?:a|any|he|she|it|his|her)\b", re.IGNORECASE)

_FUNCTION = """
a about again all also am an and another any anybody anyone anything are as at away be because been being both but by
can could did do does doing done each else every for from had has have having he her here hers him his how i if in
into is it its just many me more most much my no not of off on onto or our out over please same she should so some
somebody someone something still such than that the their them then there these they this those through to too under
up upon us very was we were what when where whether which while who whom whose why will with without would yes yet you
your before after since until till during once whenever whilst
"""
_ASKING = """
tell show say describe count summarise summarize summary recap know wonder idea see saw seen happen happens happened
happening going occur occurred appear appears appeared visible time times often long ago number frequently colour
color colours colors like look looks looked video recording clip stream film footage camera picture scene point
"""
_TIME = """
now currently present moment first last latest earliest recent recently lately finally eventually later earlier
initially shortly immediately exactly beginning start end today yesterday second seconds minute minutes hour hours day
days week weeks month months
"""
_EMPTY = frozenset(f"{_FUNCTION} {_ASKING} {_TIME}".split())

_ENGLISH = """
my our yet the what when where who which whose how did does were are there this these those that with from after
before since until while between during about anyone anybody anything someone somebody something many much often last
first ago now today yesterday tonight morning afternoon evening night noon midnight o'clock pm at monday tuesday
wednesday thursday friday saturday sunday seen saw happen happens happened happening tell show describe count
summarise summarize its it they she his their you your and hour hours yes right every each
"""
_ENGLISH_WORDS = frozenset(_ENGLISH.split())
"""Without words that other languages have, too: "was", "is", "in", "of", "has", "he", "her", "minute"."""


def content_words(text: str, *, english: bool = False) -> tuple[str, ...]:
    """Words of a text in small letters, each once, in order.

    Args:
        text: any text.
        english: leave out words that only ask, or only join.
    """
    words = [word.lower().replace("’", "'").removesuffix("'s") for word in _WORD.findall(text)]
    return tuple(dict.fromkeys(word for word in words if not (english and _is_empty(word))))


def is_english(text: str) -> bool:
    """Whether a text has a word that shows that it is English."""
    if _ENGLISH_PAIR.search(text):
        return True
    return any(word.lower().replace("’", "'") in _ENGLISH_WORDS for word in _WORD.findall(text))


def _is_empty(word: str) -> bool:
    return word in _EMPTY or word.split("'")[0] in _EMPTY or word.endswith("n't")
