#!Python
#ScriptName selectTargets
# Choose the targets of an area: by dragging, from the selected group of points, by shifts, as a pattern, in a polygon.
# Values here go over a facility's settings file.

from pacetomo import select_targets_here

select_targets_here(
    # settings_file="pacetomo.toml",  # a facility's settings, in the session folder
    # --- ways
    # guidance=True,  # message boxes; off: keys b (it is centred, use it), v (View), r (Preview again), f (finish)
    # targetByShift=False,  # type the shifts of targets instead of dragging them
    # targetPattern=False,  # targets on a lattice, such as the holes of a film
    # targetPolygon=False,  # targets filling the Navigator polygon that is selected
    # fromGroup="ask",  # points of the selected item's group: "refine", "as they are", "no"
    # allViewsFirst=False,  # all positions in View first, then all Previews in one go
    # previewsPerTarget=1,  # Previews around each position to choose from, with allViewsFirst
    # useSearch=False,  # drag in Search instead of View
    # outputName="",  # root name of the files; empty to be asked
    # --- pattern
    # alignToP=False,  # refine the lattice by the image of a hole in buffer P
    # size=1,  # holes to each side: 1 is 3 x 3
    # vecA=(0, 0), vecB=(0, 0),  # um, specimen; 0, 0 to be found in View
    # patternRot=0,  # degrees; turn of what fills a polygon against the tilt axis
    # packing="hexagonal",  # or "square"
    # avoid="nothing",  # or "bright", "dark", "bright and dark": left out of a polygon by its map
    # registerPattern=True,  # measure at holes around the pattern how View and Record differ
    # copyToAcquire=False,  # copy the pattern to all Navigator points set to Acquire
    # --- beam and shift
    # drawBeam=True, beamDiameter=0,  # um; 0 for the illuminated area
    # maxTilt=60,  # degrees, for which the beam is drawn
    # tgtMntSize=(1, 1), tgtMntOverlap=0.05,  # tiles of a target: their outline is drawn in place of the beam
    # imageShiftLimit=20,  # um
    # edit=False,  # open the target editor at the end
)
