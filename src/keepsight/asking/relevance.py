"""Which of the captions that an answer was given are worth showing first.

This is for display only. An answer's citations are all the captions that the model was given; where they are many,
those that share the rarest words with the question and the answer stand for them.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def closest_captions(captions: Sequence[str], text: str, most: int) -> list[int]:
    """Positions of the captions that share the most with a text, in their own order.

    A shared word counts the more the fewer of the captions have it; one that all have counts nothing. Of equals the
    later one is taken.

    Args:
        captions: in time order.
        text: the question and its answer.
        most: how many positions to return at most.
    """
    wanted = _words(text)
    shared = [_words(caption) & wanted for caption in captions]
    count = Counter(word for words in shared for word in words)
    weight = {word: math.log(len(captions) / times) for word, times in count.items()}
    # Sorted, because a sum of floats depends on its order and a set has none.
    scores = [sum(weight[word] for word in sorted(words)) for words in shared]
    best = sorted(range(len(captions)), key=lambda position: (scores[position], position), reverse=True)
    return sorted(best[: max(0, most)])
