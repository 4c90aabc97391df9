"""`python -m benchbox`."""

from .cli import main

if __name__ == "__main__":  # a spawned training process imports this module again
    main()
