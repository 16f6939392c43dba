"""Makes `python -m janitor` work."""

from janitor.cli import main

if __name__ == "__main__":
    main()
