"""People in pictures: who is there, cut out of what is behind them, and made to speak.

May know the contract, pictures in memory and models' files. It asks nobody for anything: no network, no store, no clock; nothing
is downloaded here. A model's bytes are checked against their digest before anything reads them, and none is a program: no
pickles, no code that comes with weights. What runs a model is imported when a picture asks for it, so that importing this
room costs nothing.
"""
