"""The window of the target editor, drawn with DearPyGui: no rule about targets is in here.

Only these modules import DearPyGui, and only `pacetomo.editor.app` imports them, once it knows that there is a
display. All of it runs in one thread; work that takes longer is given to `pacetomo.editor.workers`.
"""
