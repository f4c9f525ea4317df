#!Python
#ScriptName acquire
# Parallel tilt series of the area whose Navigator item is selected, or at each item set to Acquire.
# Values here go over a facility's settings file; the target file's own values go over both.

from pacetomo import acquire_here

acquire_here(
    # settings_file="pacetomo.toml",  # a facility's settings, in the session folder
    # --- tilt scheme
    # startTilt=0, minTilt=-60, maxTilt=60, step=3,  # degrees
    # groupSize=2,  # tilts in a row on one side
    # scheme="dose-symmetric",  # or "bidirectional", "unidirectional"
    # tiltTargets=0,  # stage tilt at which the targets were picked, degrees
    # --- geometry of the sample
    # pretilt=0, rotation=0,  # degrees
    # --- defocus
    # minDefocus=-5, maxDefocus=-5, stepDefocus=0.5,  # um, spread over targets
    # zeroDefocus=0,  # um, at the start tilt; 0 as at the others
    # focusSlope=0,  # um per degree
    # addAF=False,  # autofocus at each change of branch
    # --- time
    # delayIS=0.3, delayTilt=0.3,  # s
    # zeroExpTime=0,  # s, exposure at the start tilt; 0 as at the others
    # --- finding the targets
    # previewAli=True, viewAli=False,
    # --- tracking
    # dataPoints=4, alignLimit=0.5, ignoreNegStart=True,  # images, um
    # minCounts=0,  # counts per second; a darker target ends on that branch
    # taOffsetPos=0, taOffsetNeg=0,  # um, further tilt axis offset of each branch
    # tracker="single",
    # beamTiltComp=True,
    # imageShiftLimit=20,  # um
)
