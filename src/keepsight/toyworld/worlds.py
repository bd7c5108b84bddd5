"""Worlds of toy stories by name: the difficulties that models are trained on, and worlds for evaluation only.

The bundled models were trained on `story.DIFFICULTIES`. The other worlds each put one claim to the test:

- `long-gaps`: things stay away for 20 clips and more, and captions call past whatever was seen before.
- `changing-looks`: the stories of `hard`, event for event, but a thing looks different each time it comes. Similarity
  of pictures does not identify it.
- `unseen`: known things in another style, other sizes and speed, in places with other walls and floors. A model with a
  closed vocabulary can name all of it: nouns keep their shapes, and places their fixtures.
"""

from dataclasses import replace

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean
from keepsight.toyworld.looks import Looks
from keepsight.toyworld.story import DIFFICULTIES, Difficulty

EVALUATION_WORLDS: dict[str, Difficulty] = {
    "long-gaps": Difficulty(num_things=20, gap_beats=(20, 60), last_debut_beat=60, memory_clips=None),
    "changing-looks": replace(
        DIFFICULTIES["hard"],
        looks=Looks(sizes=(0.8, 1.2), shades=(0.8, 1.2), mirror=True, cover=True, change=True),
    ),
    "unseen": Difficulty(
        travel_seconds=2.5, looks=Looks(sizes=(0.7, 1.2), mirror=True, outline=True, other_places=True)
    ),
}
"""Worlds that nothing is trained on or tuned on."""

WORLDS: dict[str, Difficulty] = {**DIFFICULTIES, **EVALUATION_WORLDS}
"""All worlds by name."""


def find_world(name: str) -> Difficulty:
    """World by name.

    Raises:
        SettingError: there is none.
    """
    if name not in WORLDS:
        near = did_you_mean(name, WORLDS)
        raise SettingError(f"difficulty must be one of {', '.join(WORLDS)}, got {name!r}{near}")
    return WORLDS[name]
