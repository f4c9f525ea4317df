#!Python
#ScriptName measureOffset
# Tilt axis offset from autofocus on the tilt axis and beside it, over a few tilts. Go to a flat piece of sample
# with good contrast that is not needed any more. Values here go over a facility's settings file.

from pacetomo import measure_offset_here

measure_offset_here(
    # settings_file="pacetomo.toml",  # a facility's settings, in the session folder
    # increment=5, maxTilt=15,  # degrees, to both sides
    # offset=5,  # um from the axis, on both sides; or several: (3, 6)
    # passes=8, accuracy=0.04,  # most runs through the tilts; um, standard error at which fewer are enough
    # eucentric=True,  # find the eucentric height first
    # delayIS=0.3, delayTilt=1,  # s
    # imageShiftLimit=20,  # um
    # plot=True,  # figure, saved in the session folder
    # apply=False,  # set the offset in SerialEM without asking
)
