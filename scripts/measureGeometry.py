#!Python
#ScriptName measureGeometry
# Pretilt and rotation of the sample from autofocus at three or more points: of the selected Navigator item's group,
# of its target file, or placed between the targets. Values here go over a facility's settings file.

from pacetomo import measure_geometry_here

measure_geometry_here(
    # settings_file="pacetomo.toml",  # a facility's settings, in the session folder
    # points="ask",  # or "group", "file", "placed"
    # delayIS=0.3,  # s
    # imageShiftLimit=20,  # um
    # apply=False,  # write pretilt and rotation into the target file without asking
    # plot=True,  # figure, saved in the session folder
)
