"""The pure core: what becomes of a request, and why. No I/O, no clock, no randomness."""
