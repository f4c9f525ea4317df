"""The target editor: a pure model (everything here that opens no window) and a thin view that draws it.

Acquisition never imports this package.
"""
