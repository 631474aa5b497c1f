"""`videojob` and `kubectl videojob`: sits on top of both sides, and is the only code that sees both."""
