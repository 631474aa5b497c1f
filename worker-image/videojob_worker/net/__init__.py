"""Talking to strangers over HTTP: addresses vetted and pinned, answers explained in our words, nothing but bytes handed over.

It knows of no stage, no medium and no provider; it decodes nothing, follows no redirect unvetted, and never repeats a URL's
path or query in a message.
"""
