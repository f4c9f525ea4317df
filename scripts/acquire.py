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
    # scheme="dose-symmetric",  # or "bidirectional", "unidirectional", "growing-groups"
    # alternateTo=30,  # degrees; growing-groups: sides alternate up to here
    # tiltTargets=0,  # stage tilt at which the targets were picked, degrees
    # autoStartTilt=False,  # start where the sample plane is level
    # --- geometry of the sample
    # pretilt=0, rotation=0,  # degrees
    # measureGeo=False,  # measure them by autofocus at the geometry points
    # --- defocus
    # minDefocus=-5, maxDefocus=-5, stepDefocus=0.5,  # um, spread over targets
    # zeroDefocus=0,  # um, at the start tilt; 0 as at the others
    # focusSlope=0,  # um per degree
    # --- time and exposure
    # delayIS=0.3, delayTilt=0.3,  # s
    # zeroExpTime=0,  # s, exposure at the start tilt; 0 as at the others
    # exposureScaling="constant",  # or "cosine"
    # exposurePower=1, totalDose=0,  # e/A^2; 0 to keep Record's exposure at the start tilt
    # minExpTime=0, maxExpTime=0,  # s; 0 for no limit
    # --- tracking target
    # trackExpTime=0, trackDefocus=0, trackMag=0,  # s, um, nominal magnification; 0 as the others
    # trackTwice="auto",  # or "always", "never": centre it by a first image
    # trackUseTrial=False,
    # --- autofocus during the series
    # addAF=False,  # at the tracking target, at each change of branch
    # offTargetAF="never",  # beside the targets: or "branch", "tilt"
    # offTargetAFAngle=0, offTargetAFX=6, offTargetAFY=0,  # degrees, um
    # --- finding the targets
    # previewAli=True, viewAli=False, realignToItem=False,
    # refFromPreview=False, noZeroRecAli=False,
    # --- targets as a pattern
    # tgtPattern=False, alignToP=False, refineVec=False,
    # refineGeo=False, fitLimit=30, parabolTh=9,  # by CTF at the start tilt; Angstrom, fits
    # --- tracking
    # dataPoints=4, alignLimit=0.5, ignoreNegStart=True,  # images, um
    # alignImages=3,  # 0: align with SerialEM's AlignTo
    # minCounts=0,  # counts per second; a darker target ends on that branch
    # tracker="joint",  # or "single": each target for itself
    # stageProfile="",  # file of what past series have shown of the stage
    # updateProfile=False,  # add each finished run to it
    # beamTiltComp=True,
    # imageShiftLimit=20,  # um
    # --- targets as small montages
    # tgtMontage=False, tgtMntSize=(1, 1), tgtMntOverlap=0.05,
    # tgtMntXOffset=0, tgtMntFocusCor=False, tgtTrackMnt=False,  # um
    # --- hardware
    # slowTilt=False, taOffsetPos=0, taOffsetNeg=0,  # um, further tilt axis offset of each branch
    # checkDewar=True, cryoARM=False,
    # coldFEG=False, flashInterval=-1,  # hours
    # slitInterval=0,  # minutes
    # checkValves=True, reopenValves=True, valveWait=30,  # minutes
    # --- output
    # sortByTilt=True, unsortedMdoc="folder", binFinalStack=1, delFinalStack=False,
    # doCtfFind=False, doCtfPlotter=True, extendedMdoc=True,
    # retakeLost="ask",  # or "never", "always": an image that may have been exposed and is lost
    # watchdogFactor=1, watchdogCommand="",  # run when a command hangs; the text is in PACETOMO_MESSAGE
    # debug=False,
    # --- trouble: `pacetomo plan --policies` lists what can be changed
    # policies={"file_held": {"retry": 10, "then": "end area"}},
)
