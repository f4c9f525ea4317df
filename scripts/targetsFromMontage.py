#!Python
#ScriptName targetsFromMontage
# Make the targets of an area of the points drawn on a map: the group of the selected item, or of each item at
# Acquire at Items. View and Preview references are cut out of the map. Also in a dummy instance of SerialEM.
# Values here go over a facility's settings file.

from pacetomo import targets_from_montage_here

targets_from_montage_here(
    # settings_file="pacetomo.toml",  # a facility's settings, in the session folder
    # noUI=False,  # ask nothing: first point is the tracking target; at Acquire at Items that is always so
    # prefix="",  # beginning of the files' names; empty for the map's label
    # onlyView=False,  # no Preview references
    # imageShiftLimit=20,  # um; targets farther from the tracking target are set to be skipped
    # previewPixel=0, previewSize=(0, 0),  # nm, px; of Preview images, for a dummy instance that cannot tell
)
