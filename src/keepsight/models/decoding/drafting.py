"""Guesses of what a reply says next, from texts like it: speculative decoding (arXiv 2211.17192) by prompt lookup.

Captions of one scene repeat each other. Where the last tokens of the reply stand in an earlier caption, what followed
there is guessed to follow here; the model then checks several tokens in one pass, which costs little more than one
token. Wrong guesses are taken back, so the reply is the greedy one, whatever was guessed.
"""

from collections.abc import Sequence

LONGEST_MATCH = 4
"""Tokens at the reply's end that are looked up at most."""


class Draft:
    """Looks the end of a reply up in earlier replies and in the reply itself.

    Args:
        earlier: token ids of earlier replies, newest last.
        num_guesses: most tokens guessed at once.
    """

    def __init__(self, earlier: Sequence[Sequence[int]], num_guesses: int = 7) -> None:
        self._earlier = [list(ids) for ids in reversed(earlier)]
        self.num_guesses = num_guesses

    def guess(self, reply: Sequence[int], room: int) -> list[int]:
        """What may follow, at most `room - 1` tokens, since the model adds one of its own; empty if nothing matches.

        The longest match wins, of those the newest text, and in a text the last place.
        """
        most = min(self.num_guesses, room - 1)
        if most < 1:
            return []
        for length in range(min(LONGEST_MATCH, len(reply)), 0, -1):
            ending = list(reply[-length:])
            for text in (list(reply[:-1]), *self._earlier):
                place = _last_place(text, ending)
                if place is not None and place < len(text):
                    return text[place : place + most]
        return []


def _last_place(text: Sequence[int], ending: Sequence[int]) -> int | None:
    """Index after the last place where the ending stands in a text, if it is followed by anything."""
    length = len(ending)
    for end in range(len(text) - 1, length - 1, -1):
        if list(text[end - length : end]) == list(ending):
            return end
    return None
