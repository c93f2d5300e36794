"""How answers look: one file for each surface (terminal, markdown, chat, figures).

Pure: models in, text out. Percent, wording and colour exist only here; everywhere else a ratio is a
number between 0 and 1.
"""
