"""Run the training recipe, or one stage of it: `python -m training --help`."""

import argparse
import socket
from pathlib import Path

from torch.multiprocessing.spawn import spawn

from training.architecture import ARCHITECTURES, LLAVA_ONEVISION
from training.recipe import STAGES, run_stages


def free_port() -> int:
    """A free loopback port for the processes to connect through."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Train, resuming from the checkpoints in the folder."""
    parser = argparse.ArgumentParser(description="Train the bundled tiny model on the toy world.")
    parser.add_argument("--folder", type=Path, default=Path("runs/tiny"))
    parser.add_argument("--architecture", choices=list(ARCHITECTURES), default=LLAVA_ONEVISION.name)
    parser.add_argument("--first-folder", type=Path, help="start from the model that was trained in this folder")
    parser.add_argument("--stage", choices=list(STAGES), action="append", help="only this stage; may be repeated")
    parser.add_argument("--steps", type=int, help="steps of the stage, instead of the recipe's")
    parser.add_argument("--max-minutes", type=float, help="time limit of each stage, which ends with a checkpoint")
    parser.add_argument("--threads", type=int, default=1, help="threads of each process")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    arguments.port = free_port()
    if arguments.processes == 1:
        run_stages(0, arguments)
    else:
        spawn(run_stages, args=(arguments,), nprocs=arguments.processes)


if __name__ == "__main__":
    main()
