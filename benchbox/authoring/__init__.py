"""For who writes a method: `new method` (`scaffold`), `test method` (`conformance`), `profile`.

Counting and timing themselves are next door, in `costs`; running a method is in `runs`.
"""
