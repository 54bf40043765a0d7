"""
The report: the trials of a leaderboard as one HTML page.

``contents`` reads what is shown; ``charts``, ``graph`` and ``table`` draw it, ``sections`` puts it in order, and
``page`` adds the style sheet and the script, and writes the file.
"""
