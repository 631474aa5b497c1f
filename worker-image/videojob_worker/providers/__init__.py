"""What others do for a story: voices, pictures, places to publish. One file and one row each; an offline one comes first.

A provider turns one request into one file. It knows no stage, no store layout and no other provider; it is given the means it
needs (an HTTP client that vets addresses, a way to run a tool, credentials that were mounted), says what went wrong by class,
and never falls back by itself: a chain is the caller's.
"""
