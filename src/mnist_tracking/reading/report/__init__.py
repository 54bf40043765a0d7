"""
The report: the trials of a leaderboard as one HTML page.

``contents`` reads what is shown, with ``curves`` and ``pictures``. ``charts``, ``graph`` and ``table`` draw it.
``best``, ``ran`` and ``sections`` put it in order. ``page`` adds the style sheet and the script, and writes the file.
"""
