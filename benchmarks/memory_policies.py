"""What a memory policy costs for one clip, once the memory is full.

    python -m benchmarks.memory_policies            # at the paper's size, about a minute; without medoids
    python -m benchmarks.memory_policies --quick    # to see that it runs

Tokens lie around 400 centres, as tokens of things seen again do. CPU time of one thread.
"""

import argparse
import statistics
import time

import torch

from benchmarks.rig.machine import heading, table
from keepsight.method.memory.clips import Capacity, Clips, RememberedClip
from keepsight.method.memory.policies import make_policy

NUM_CENTRES = 400
NOISE = 0.5
"""Standard deviation of a token around its centre, in standard deviations of the centres."""
MEMORY_CLIPS = 16


def stream(num_clips: int, tokens_per_clip: int, dim: int) -> Clips:
    """Kept tokens of clips."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(NUM_CENTRES, dim, generator=generator)

    def clip(index: int) -> RememberedClip:
        places = torch.randint(0, NUM_CENTRES, (tokens_per_clip,), generator=generator)
        noise = torch.randn(tokens_per_clip, dim, generator=generator)
        positions = torch.arange(tokens_per_clip) + index * 16 * tokens_per_clip
        scores = torch.rand(tokens_per_clip, generator=generator)
        return RememberedClip(index, centres[places] + NOISE * noise, positions, scores)

    return tuple(map(clip, range(num_clips)))


def milliseconds_of(name: str, clips: Clips) -> list[float]:
    """CPU milliseconds for each clip that a full memory takes."""
    policy, capacity = make_policy(name), Capacity(MEMORY_CLIPS, None, clips[0].num_tokens)
    held: Clips = ()
    spent = []
    for clip in clips:
        started = time.process_time()
        held = policy.retain((*held, clip), capacity)
        if clip.clip_index > MEMORY_CLIPS:
            spent.append((time.process_time() - started) * 1000)
    return spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policies", nargs="+", default=["fifo", "decay", "newest", "novelty", "stream-medoids"])
    parser.add_argument("--clips", type=int, default=30)
    parser.add_argument("--tokens", type=int, default=196)
    parser.add_argument("--dim", type=int, default=3584)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    num_clips, tokens, dim = (19, 8, 32) if options.quick else (options.clips, options.tokens, options.dim)
    clips = stream(num_clips, tokens, dim)
    rows = []
    for name in options.policies:
        spent = milliseconds_of(name, clips)
        rows.append([name, f"{statistics.median(spent):.1f}", f"{max(spent):.1f}"])
    lines = heading("cpu", f"{tokens} new tokens of {dim} values beside {MEMORY_CLIPS * tokens} held.")
    print("\n".join([*lines, *table(["policy", "CPU ms a clip, median", "most"], rows)]))


if __name__ == "__main__":
    main()
