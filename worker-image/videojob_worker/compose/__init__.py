"""From pictures, words and sound to frames and films: drawing, text, encoding, joining, laying sound, thumbnails, metadata.

May know the contract, pictures in memory and FFmpeg's arguments. It asks nobody for anything: no network, no store, no clock;
what it draws follows from what it is given, to the byte, so that a piece drawn once can be kept.
"""
