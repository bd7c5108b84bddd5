"""`python -m keepsight`: the command line where its program is not on the PATH, as in a notebook."""

from keepsight.cli import main

if __name__ == "__main__":
    main()
