"""``alembic-fixups squash``: a long history folded into one snapshot revision, proven equal.

``history`` chooses the revisions, ``replay`` runs them on a scratch database through the project's
own env.py, ``snapshot`` writes what they leave as one revision, ``proof`` compares, ``archive``
puts the files in their places; ``adopt`` and ``verify`` go on from there.
"""
