"""What is published: built twice alike, described well, installed in clean environments, at work.

`make release-check` does it all; `ARGS='--only build'` one part of it.
"""
