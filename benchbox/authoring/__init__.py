"""For people who write a method: a new folder (`scaffold`), its contract (`conformance`), its size (`profile_method`)."""
